// Layout of packed activations on all levels of Arm, one token after the other:
//   ACT_Q8_32   int8 q[k], float d[k / 32]
//   ACT_Q8_256  int8 q[k], float d[k / 256], int16 sum[k / 32] (|sum| <= 32 * 127)
// k is a multiple of the group, so that every member is aligned when the first is.
#ifndef HEARTH_KERN_ARM_ACT_ARM_H
#define HEARTH_KERN_ARM_ACT_ARM_H

#include "defs/defs.h"

ATTR_INLINE size_t row_bytes_q8_32(int64_t k)
{
    return (size_t)(k + k / 32 * 4);
}

ATTR_INLINE size_t row_bytes_q8_256(int64_t k)
{
    return (size_t)(k + k / 256 * 4 + k / 32 * 2);
}

#endif
