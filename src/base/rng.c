// See rng.h. The algorithms are public domain (prng.di.unimi.it); the constants are theirs.
#include "base/rng.h"

#include <math.h>

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

// splitmix64: turns any seed, also 0, into well-mixed words.
static uint64_t mix_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_seed(rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) r->s[i] = mix_next(&seed);
}

uint64_t rng_u64(rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

// Lemire's method: the high half of a 32x32 product is uniform except for the first 2^32 mod n low
// halves, which are drawn again.
uint32_t rng_below(rng *r, uint32_t n)
{
    ASSERT(n > 0);
    uint32_t reject = (uint32_t)(-n) % n; // 2^32 mod n
    for (;;) {
        uint64_t product = (rng_u64(r) >> 32) * n;
        if ((uint32_t)product >= reject) return (uint32_t)(product >> 32);
    }
}

double rng_f64(rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

float rng_normal(rng *r)
{
    double u = 1.0 - rng_f64(r); // (0, 1]: the logarithm is finite
    double v = rng_f64(r);
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586477 * v));
}
