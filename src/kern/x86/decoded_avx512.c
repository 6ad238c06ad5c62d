// The types that are multiplied as floats, for CPU_AVX512.
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) ||                   \
    !defined(__AVX512VL__)
#error "compile with the flags of cmake/kern_flags.cmake"
#endif

#include "kern/tmpl/v_avx512.h"

#include "kern/tmpl/matmul_decoded.h"

void kern_fill_decoded_avx512(kern *k)
{
    fill_matmul_decoded(k);
}
