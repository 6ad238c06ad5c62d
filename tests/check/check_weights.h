// Quantised weights to test with, and what they stand for in double.
#ifndef TESTS_CHECK_CHECK_WEIGHTS_H
#define TESTS_CHECK_CHECK_WEIGHTS_H

#include "check/check.h"

enum { WEIGHT_TYPES = 30 };
extern const dtype weight_types[WEIGHT_TYPES]; // those that compute

typedef enum weight_fill {
    WEIGHT_MIN, // smallest codes, largest scales of groups
    WEIGHT_MAX,
    WEIGHT_ALTERNATING,
    WEIGHT_SPARSE,
    WEIGHT_RANDOM,
    WEIGHT_FILL_COUNT
} weight_fill;
extern const char *const weight_fill_names[WEIGHT_FILL_COUNT];

// Fills n elements of type t at p. Scales of blocks are finite and at most 2 in magnitude.
void weights_fill(dtype t, void *p, int64_t n, weight_fill f);
// value[i] and, where value is a difference, the sum of the magnitudes of both parts.
void weights_to_double(const kern *ref, dtype t, const void *p, int64_t n, double *value,
                       double *magnitude);
size_t weight_bytes(dtype t, int64_t n);
int64_t weight_group(dtype t); // k is a multiple of this

#endif
