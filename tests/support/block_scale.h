// Sane random weights of every block type: where a block has its scales, and how large its values
// are when all its other bytes are uniform random.
#ifndef TESTS_SUPPORT_BLOCK_SCALE_H
#define TESTS_SUPPORT_BLOCK_SCALE_H

#include "kern/dtype.h"

// Standard deviation of a block's values for a scale of 1; 0 for types without blocks.
double block_scale_spread(dtype t);

// Writes d over the scale of a block; a minimum gets what centres the values on 0.
// Types without a half (MXFP4, NVFP4) take the power of two at or below |d|; NVFP4 keeps the
// fractions of its four scales, which makes them d times 1 to 1.9.
void block_scale_put(dtype t, float d, void *block);

#endif
