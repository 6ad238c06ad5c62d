// The types that are multiplied as floats, for CPU_NEON.
#include "kern/tmpl/v_neon.h"

#include "kern/tmpl/matmul_decoded.h"

void kern_fill_decoded_neon(kern *k)
{
    fill_matmul_decoded(k);
}
