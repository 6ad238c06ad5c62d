// The functions of tmpl/ for CPU_AVX2.
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "compile with the flags of cmake/kern_flags.cmake"
#endif

#include "kern/tmpl/v_avx2.h"

#include "kern/tmpl/attn_page.h"
#include "kern/tmpl/matmul_float.h"
#include "kern/tmpl/vec_ops.h"
#include "kern/tmpl/recur_ops.h"
#include "kern/tmpl/delta_ops.h"

void kern_fill_vec_avx2(kern *k)
{
    fill_vec_ops(k);
    fill_recur_ops(k);
    fill_delta_ops(k);
    fill_matmul_float(k);
    fill_attn_page(k);
}
