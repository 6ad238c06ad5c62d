// Loads of one vector from a row of any plain type, as functions that can be passed to an inlined
// loop; over the vector vocabulary of the including file.
#ifndef HEARTH_KERN_TMPL_LOADS_H
#define HEARTH_KERN_TMPL_LOADS_H

#include "defs/defs.h"

// V_N elements from element i on, or n < V_N of them and zeros.
typedef struct loader {
    vf (*full)(const void *row, int64_t i);
    vf (*part)(const void *row, int64_t i, int64_t n);
} loader;

ATTR_INLINE vf load_f32(const void *row, int64_t i) { return v_load((const float *)row + i); }
ATTR_INLINE vf load_f16(const void *row, int64_t i)
{
    return v_load_f16((const uint16_t *)row + i);
}
ATTR_INLINE vf load_bf16(const void *row, int64_t i)
{
    return v_load_bf16((const uint16_t *)row + i);
}

ATTR_INLINE vf load_f32_n(const void *row, int64_t i, int64_t n)
{
    return v_load_n((const float *)row + i, n);
}

ATTR_INLINE vf load_f16_n(const void *row, int64_t i, int64_t n)
{
    return v_load_f16_n((const uint16_t *)row + i, n);
}

ATTR_INLINE vf load_bf16_n(const void *row, int64_t i, int64_t n)
{
    return v_load_bf16_n((const uint16_t *)row + i, n);
}

#define LOADER(type) ((loader){load_##type, load_##type##_n})

#endif
