// Random weights, a gigabyte in about a second.
//
// Plain types: a table of 4096 normal samples is scaled and converted once per tensor, and each
// value is a look-up with 12 random bits: five values a random word, no logarithm, and the type's
// rounding is done 4096 times instead of a billion. Block types: random words straight over the
// codes, then the f16 scales of each block put in place, chosen so that values have the spread
// asked for. Writes little-endian bytes on any machine.
#include <math.h>
#include <string.h>

#include "llm/synth_int.h"

// `unit`: spread of a block's values for d = 1, all codes uniform. k codes centred on 0 have the
// spread sqrt((k^2 - 1) / 12): 4.6 for 16, 18.5 for 64, 73.9 for 256; so Q6_K has 73.9 * 18.5. Q4_K
// is s * q - 7.5 * o with s, o in 0..63 and q in 0..15: the root of
//   E[s^2] E[q^2] + 7.5^2 E[o^2] - 15 E[s] E[q] E[o] = 103346 + 75009 - 111628 is 258.
// Q5_K and Q2_K likewise. Spreads of the types with codebooks and unequal steps were measured on
// uniform codes. The scale of MXFP4 is one byte, the power of two at or below d.
typedef struct block_rule {
    dtype type;
    int d_at, m_at;
    double unit, m_ratio; // m = d * m_ratio centres the values on 0
} block_rule;

static const block_rule rules[] = {
    {DTYPE_Q4_0, 0, -1, 4.6, 0},     // d * (code16 - 8)
    {DTYPE_Q8_0, 0, -1, 73.9, 0},    // d * i8
    {DTYPE_Q4_K, 0, 2, 258, 7.5},    // d * scale64 * code16 - m * offset64
    {DTYPE_Q6_K, 208, -1, 1367, 0},  // d * i8 * (code64 - 32)
    {DTYPE_Q4_1, 0, 2, 4.6, -7.5},   // d * code16 + m
    {DTYPE_Q5_0, 0, -1, 9.2, 0},     // d * (code32 - 16)
    {DTYPE_Q5_1, 0, 2, 9.2, -15.5},  // d * code32 + m
    {DTYPE_Q2_K, 80, 82, 13.9, 1.5}, // d * scale16 * code4 - m * offset16
    {DTYPE_Q3_K, 108, -1, 43.3, 0},  // d * (code64 - 32) * (code8 - 4)
    {DTYPE_Q5_K, 0, 2, 526, 15.5},   // d * scale64 * code32 - m * offset64
    {DTYPE_IQ2_XXS, 0, -1, 53.4, 0}, {DTYPE_IQ2_XS, 0, -1, 55.8, 0}, {DTYPE_IQ2_S, 0, -1, 56.4, 0},
    {DTYPE_IQ3_XXS, 0, -1, 142, 0},  {DTYPE_IQ3_S, 0, -1, 140, 0},   {DTYPE_IQ1_S, 0, -1, 7.2, 0},
    {DTYPE_IQ4_NL, 0, -1, 67.2, 0},  {DTYPE_IQ4_XS, 0, -1, 1250, 0},
    {DTYPE_TQ1_0, 52, -1, 0.817, 0}, {DTYPE_TQ2_0, 64, -1, 0.707, 0},
    {DTYPE_MXFP4, 0, -1, 5.85, 0},   {DTYPE_Q1_0, 0, -1, 1, 0},      {DTYPE_Q2_0, 0, -1, 0.707, 0},
};

static const block_rule *find_rule(dtype t)
{
    for (size_t i = 0; i < COUNTOF(rules); i++)
        if (rules[i].type == t) return &rules[i];
    return NULL;
}

bool synth_can_fill(dtype t)
{
    return t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16 || find_rule(t);
}

void synth_source_init(synth_source *s, uint64_t seed)
{
    rng r;
    rng_seed(&r, seed);
    for (int i = 0; i < SYNTH_TABLE; i++) s->normal[i] = rng_normal(&r);
}

static uint32_t float_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

// Nearest even; |v| < 65504. Below 2^-14 the f16 is a multiple of 2^-24; above, 13 bits of the
// fraction go and the exponent's bias changes from 127 to 15 (a difference of 112 << 23).
static uint16_t half_bits(float v)
{
    uint32_t bits = float_bits(v), sign = bits >> 16 & 0x8000, a = bits & 0x7FFFFFFF;
    if (a < 0x38800000) return (uint16_t)(sign | (uint32_t)lrintf(fabsf(v) * 16777216.0f));
    return (uint16_t)(sign | (a + 0xFFF + (a >> 13 & 1) - 0x38000000) >> 13);
}

static uint32_t convert(dtype t, float v)
{
    uint32_t bits = float_bits(v);
    if (t == DTYPE_F16) return half_bits(v);
    if (t == DTYPE_BF16) return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    return bits;
}

static void set_plain(synth_source *s, double mean, double spread)
{
    s->item_bytes = s->type == DTYPE_F32 ? 4 : 2;
    for (int i = 0; i < SYNTH_TABLE; i++) {
        uint32_t v = convert(s->type, (float)(mean + spread * (double)s->normal[i]));
        for (int k = 0; k < s->item_bytes; k++)
            s->table[i * s->item_bytes + k] = (uint8_t)(v >> (8 * k));
    }
}

static void set_blocks(synth_source *s, const block_rule *rule, double spread)
{
    s->item_bytes = 0;
    s->d_at = rule->d_at;
    s->m_at = rule->m_at;
    for (int i = 0; i < SYNTH_JITTER; i++) {
        double d = spread / rule->unit * (0.75 + 0.5 * i / (SYNTH_JITTER - 1));
        s->d[i] = half_bits((float)d);
        s->m[i] = half_bits((float)(d * rule->m_ratio));
        if (rule->type == DTYPE_MXFP4) s->d[i] = (uint16_t)(ilogb(d) + 128);
    }
}

void synth_source_set(synth_source *s, dtype t, double mean, double spread)
{
    const block_rule *rule = find_rule(t);
    s->type = t;
    if (rule)
        set_blocks(s, rule, spread);
    else
        set_plain(s, mean, spread);
}

static void fill_plain(const synth_source *s, rng *r, int64_t n, uint8_t *out)
{
    const size_t item = (size_t)s->item_bytes;
    uint64_t word = 0;
    for (int64_t i = 0; i < n; i++, out += item, word >>= 12) {
        if (i % 5 == 0) word = rng_u64(r);
        memcpy(out, s->table + (word & (SYNTH_TABLE - 1)) * item, item);
    }
}

static void put_half(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

// Codes of 2 bits that stand for -1, 0, 1 and, in no trained model, 2: that becomes 0.
static void make_ternary(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(p[i] & ~(p[i] << 1 & 0xAA));
}

static void fill_blocks(const synth_source *s, rng *r, int64_t n_blocks, uint8_t *out)
{
    size_t block = dtype_get(s->type)->block_bytes, bytes = (size_t)n_blocks * block;
    for (size_t at = 0; at < bytes; at += 8) {
        uint64_t word = rng_u64(r);
        for (int k = 0; k < 8; k++) out[at + (size_t)k] = (uint8_t)(word >> (8 * k));
    }
    if (s->type == DTYPE_TQ2_0 || s->type == DTYPE_Q2_0) make_ternary(out, bytes);
    for (int64_t i = 0; i < n_blocks; i++, out += block) {
        int choice = out[s->d_at] % SYNTH_JITTER; // the random byte that the scale replaces
        if (s->type == DTYPE_MXFP4) out[0] = (uint8_t)s->d[choice];
        else put_half(out + s->d_at, s->d[choice]);
        if (s->m_at >= 0) put_half(out + s->m_at, s->m[choice]);
    }
}

void synth_source_fill(const synth_source *s, rng *r, int64_t n, uint8_t *out)
{
    if (s->item_bytes)
        fill_plain(s, r, n, out);
    else
        fill_blocks(s, r, n / dtype_get(s->type)->block_len, out);
}
