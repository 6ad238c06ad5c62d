// The types that are multiplied as floats, for CPU_AVX2.
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "compile with the flags of cmake/kern_flags.cmake"
#endif

#include "kern/tmpl/v_avx2.h"

#include "kern/tmpl/matmul_decoded.h"

void kern_fill_decoded_avx2(kern *k)
{
    fill_matmul_decoded(k);
}
