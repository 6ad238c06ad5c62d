// Stretches of a file that tensors occupy, and the one question about them: do they overlap?
#ifndef HEARTH_FMT_EXTENT_H
#define HEARTH_FMT_EXTENT_H

#include "defs/defs.h"

typedef struct extent { uint64_t offset; size_t tensor; } extent;

// By offset, in place. One scan where they are in order already, as writers put them; a hostile
// order costs O(n log n): heapsort, no recursion and no bad input, unlike the C library's qsort.
void extent_sort(extent *e, size_t n);

#endif
