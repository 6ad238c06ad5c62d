// Reproducible random numbers: xoshiro256++ (Blackman and Vigna, 2019) seeded by splitmix64.
//
// The stream for a seed is part of the product: the same seed gives the same text on every
// platform. Not for keys; those come from os_random().
#ifndef HEARTH_BASE_RNG_H
#define HEARTH_BASE_RNG_H

#include "defs/defs.h"

typedef struct rng { uint64_t s[4]; } rng;
void rng_seed(rng *r, uint64_t seed);
uint64_t rng_u64(rng *r);
uint32_t rng_below(rng *r, uint32_t n); // uniform in [0, n), n > 0, without modulo bias
double rng_f64(rng *r);                 // uniform in [0, 1), 53 bits
float rng_normal(rng *r);               // mean 0, variance 1, from two uniforms (Box-Muller)

#endif
