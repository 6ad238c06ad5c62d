// The functions of tmpl/ for CPU_NEON.
#include "kern/tmpl/v_neon.h"

#include "kern/tmpl/attn_page.h"
#include "kern/tmpl/matmul_float.h"
#include "kern/tmpl/vec_ops.h"
#include "kern/tmpl/recur_ops.h"
#include "kern/tmpl/delta_ops.h"

void kern_fill_vec_neon(kern *k)
{
    fill_vec_ops(k);
    fill_recur_ops(k);
    fill_delta_ops(k);
    fill_matmul_float(k);
    fill_attn_page(k);
}
