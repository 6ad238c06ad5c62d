// See block_scale.h.
#include "support/block_scale.h"

#include <math.h>
#include <string.h>

#include "kern/half.h"

typedef struct scale_rule {
    dtype type;
    int d_at, m_at; // byte offsets of halves; -1: none, or special
    float m_ratio;  // m = m_ratio * d
    double spread;  // by measurement; -7.5 is minus the mean of 0..15, and so on
} scale_rule;

static const scale_rule rules[] = {
    {DTYPE_Q4_0, 0, -1, 0, 4.61},     {DTYPE_Q4_1, 0, 2, -7.5f, 4.61},
    {DTYPE_Q5_0, 0, -1, 0, 9.23},     {DTYPE_Q5_1, 0, 2, -15.5f, 9.23},
    {DTYPE_Q8_0, 0, -1, 0, 73.9},     {DTYPE_Q8_1, 0, -1, 0, 73.9},
    {DTYPE_Q2_K, 80, 82, 1.5f, 13.9}, {DTYPE_Q3_K, 108, -1, 0, 43.3},
    {DTYPE_Q4_K, 0, 2, 7.5f, 258},    {DTYPE_Q5_K, 0, 2, 15.5f, 526},
    {DTYPE_Q6_K, 208, -1, 0, 1366},   {DTYPE_Q8_K, -1, -1, 0, 73.9},
    {DTYPE_IQ2_XXS, 0, -1, 0, 53.4},  {DTYPE_IQ2_XS, 0, -1, 0, 55.8},
    {DTYPE_IQ2_S, 0, -1, 0, 56.4},    {DTYPE_IQ3_XXS, 0, -1, 0, 142},
    {DTYPE_IQ3_S, 0, -1, 0, 140},     {DTYPE_IQ1_S, 0, -1, 0, 7.2},
    {DTYPE_IQ1_M, -1, -1, 0, 7.2},    {DTYPE_IQ4_NL, 0, -1, 0, 67.2},
    {DTYPE_IQ4_XS, 0, -1, 0, 1250},   {DTYPE_TQ1_0, 52, -1, 0, 0.817},
    {DTYPE_TQ2_0, 64, -1, 0, 1.12},   {DTYPE_MXFP4, -1, -1, 0, 5.85},
    {DTYPE_NVFP4, -1, -1, 0, 8.58},   {DTYPE_Q1_0, 0, -1, 0, 1},
    {DTYPE_Q2_0, 0, -1, 0, 1.12},
};

static const scale_rule *find_rule(dtype t)
{
    for (size_t i = 0; i < COUNTOF(rules); i++)
        if (rules[i].type == t) return &rules[i];
    return NULL;
}

double block_scale_spread(dtype t)
{
    const scale_rule *rule = find_rule(t);
    return rule ? rule->spread : 0;
}

static void put_half(uint8_t *p, uint16_t h)
{
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

// The four nibbles of d are on top of the four 16-bit words at byte 48.
static void put_iq1_m(uint16_t d, uint8_t *block)
{
    for (int i = 0; i < 4; i++) {
        uint8_t *top = block + 49 + 2 * i;
        *top = (uint8_t)((*top & 15) | (d >> 4 * i & 15) << 4);
    }
}

// Whole-number codes times 2^(e - 128), and times (8 + fraction) 2^(exponent - 11).
static void put_power(dtype t, float d, uint8_t *block)
{
    int power = d == 0.0f ? -127 : ilogbf(d);
    if (t == DTYPE_MXFP4) block[0] = (uint8_t)int_min(int_max(power + 128, 0), 254);
    int exponent = int_min(int_max(power + 8, 1), 14);
    for (int i = 0; t == DTYPE_NVFP4 && i < 4; i++)
        block[i] = (uint8_t)(exponent << 3 | (block[i] & 7));
}

void block_scale_put(dtype t, float d, void *block)
{
    const scale_rule *rule = find_rule(t);
    uint16_t h = f32_to_f16(d);
    uint8_t *p = block;
    if (rule->d_at >= 0) put_half(p + rule->d_at, h);
    if (rule->m_at >= 0) put_half(p + rule->m_at, f32_to_f16(rule->m_ratio * f16_to_f32(h)));
    if (t == DTYPE_IQ1_M) put_iq1_m(h, p);
    if (t == DTYPE_Q8_K) {
        put_half(p, (uint16_t)f32_bits(d));
        put_half(p + 2, (uint16_t)(f32_bits(d) >> 16));
    }
    if (t == DTYPE_MXFP4 || t == DTYPE_NVFP4) put_power(t, d, p);
}
