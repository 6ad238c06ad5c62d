// Layout of the reference's packed activations, shared by its packers and its matmuls.
#ifndef HEARTH_KERN_REF_ACT_REF_H
#define HEARTH_KERN_REF_ACT_REF_H

#include "defs/defs.h"

typedef struct ref_q8_32 {
    float d;
    int8_t q[32];
} ref_q8_32;

typedef struct ref_q8_256 {
    float d;
    int8_t q[256];
} ref_q8_256;

#endif
