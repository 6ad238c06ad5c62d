// Weights to floats, exact: the reference is the definition for every other instruction set, and is
// itself held against the formulas of blocks.h in double, or, for the types of decode.h, against
// what it says of each block alone (tests/golden/test_types.c compares their values with a judge).
#include "check/check_weights.h"

#include "kern/blocks.h"
#include "kern/half.h"

#include <math.h>
#include <string.h>

typedef struct widening {
    void (*dequant)(const void *src, float *dst, int64_t n);
    guarded src, dst;
    int64_t n;
} widening;

static void call_dequant(void *arg)
{
    widening *w = arg;
    w->dequant(w->src.data, w->dst.data, w->n);
}

// A half by its definition.
static double half_value(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 0x3FF;
    double sign = h & 0x8000 ? -1.0 : 1.0;
    if (exponent == 31) return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static double element(dtype t, const void *src, int64_t i)
{
    const uint8_t *p = src;
    int64_t block = i / dtype_get(t)->block_len, j = i % dtype_get(t)->block_len;
    p += block * dtype_get(t)->block_bytes;
    uint16_t d;
    memcpy(&d, p, 2);
    uint32_t wide;
    switch (t) {
    case DTYPE_F32: memcpy(&wide, p, 4); return (double)f32_from_bits(wide);
    case DTYPE_F16: return half_value(d);
    case DTYPE_BF16: return (double)f32_from_bits((uint32_t)d << 16);
    case DTYPE_Q4_0: return half_value(d) * ((j < 16 ? p[2 + j] & 15 : p[2 + j - 16] >> 4) - 8);
    case DTYPE_Q8_0: return half_value(d) * (int8_t)p[2 + j];
    case DTYPE_Q4_K: {
        uint16_t dmin;
        memcpy(&dmin, p + 2, 2);
        const uint8_t *s = p + 4;
        int64_t g = j / 32;
        int sc = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | (s[g - 4] >> 6) << 4;
        int m = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | (s[g] >> 6) << 4;
        int byte = p[16 + g / 2 * 32 + j % 32], q = g % 2 ? byte >> 4 : byte & 15;
        return half_value(d) * sc * q - half_value(dmin) * m;
    }
    default: {
        memcpy(&d, p + 208, 2);
        int64_t l = j % 32, half = j / 128;
        int quarter = (int)(j % 128 / 32);
        int low = p[half * 64 + (quarter & 1) * 32 + l], high = p[128 + half * 32 + l];
        int q = (quarter > 1 ? low >> 4 : low & 15) | (high >> 2 * quarter & 3) << 4;
        return half_value(d) * (int8_t)p[192 + j / 16] * (q - 32);
    }
    }
}

static bool has_formula(dtype t)
{
    switch (t) {
    case DTYPE_F32:
    case DTYPE_F16:
    case DTYPE_BF16:
    case DTYPE_Q4_0:
    case DTYPE_Q8_0:
    case DTYPE_Q4_K:
    case DTYPE_Q6_K: return true;
    default: return false;
    }
}

static float expect(const widening *w, dtype t, int64_t i)
{
    if (has_formula(t)) return (float)element(t, w->src.data, i);
    const dtype_info *info = dtype_get(t);
    uint64_t alone[64];
    float values[256];
    memcpy(alone, (const char *)w->src.data + i / info->block_len * info->block_bytes,
           info->block_bytes);
    w->dequant(alone, values, info->block_len);
    return values[i % info->block_len];
}

static void fill_source(dtype t, uint8_t *p, int64_t n, bool arbitrary)
{
    if (!arbitrary) weights_fill(t, p, n, WEIGHT_RANDOM);
    for (size_t i = 0; arbitrary && i < weight_bytes(t, n); i++) p[i] = (uint8_t)check_random();
}

static void check_length(const kern *k, dtype t, int64_t n, edge e, bool arbitrary)
{
    widening w = {k->dequant[t], guarded_new(weight_bytes(t, n), e),
                  guarded_new((size_t)n * sizeof(float), e), n};
    fill_source(t, w.src.data, n, arbitrary);
    bool ok = check_call(call_dequant, &w);
    for (int64_t i = 0; ok && i < n; i++) {
        float got = ((float *)w.dst.data)[i], want = expect(&w, t, i);
        if (got == want || (isnan(got) && isnan(want))) continue;
        check_fail("element %lld of %lld is %a, expected %a", (long long)i, (long long)n,
                   (double)got, (double)want);
        ok = false;
    }
    guarded_free(&w.src);
    guarded_free(&w.dst);
}

static void check_all_16_bit(const kern *k, dtype t)
{
    static uint16_t src[65536];
    static float got[65536], want[65536];
    kern ref;
    kern_init(&ref, 0);
    for (int i = 0; i < 65536; i++) src[i] = (uint16_t)i;
    k->dequant[t](src, got, 65536);
    ref.dequant[t](src, want, 65536);
    if (memcmp(got, want, sizeof got)) check_fail("other bits than the reference");
}

static void run_family(const kern *k, const kern *below)
{
    static const int64_t counts[] = {0, 1, 2, 3, 7, 8, 9, 15, 17, 33};
    for (size_t i = 0; i < COUNTOF(weight_types); i++) {
        dtype t = weight_types[i];
        if (!check_slot("dequant", dtype_get(t)->name, k->dequant[t] != below->dequant[t]))
            continue;
        for (size_t c = 0; c < COUNTOF(counts) && !check_failed(); c++)
            for (int e = 0; e < 2 * EDGE_COUNT; e++)
                check_length(k, t, counts[c] * dtype_get(t)->block_len, (edge)(e / 2), e % 2);
        if (t == DTYPE_F16 || t == DTYPE_BF16) check_all_16_bit(k, t);
    }
}

const check_family check_dequant = {"dequant", run_family, NULL};
