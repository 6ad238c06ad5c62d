// Q4_K and Q6_K on AVX-512 VNNI; see tiles_vnni.h for the method.
//
// Per block of 256 a row sums its groups in floats, then adds the block to its output:
//   Q4_K  s = -dmin * sum(m a);  s = fma(sum(q a), d sc, s) for groups 0..7; acc = fma(s, a.d, acc)
//   Q6_K  s = 0;  s = fma(sum((q - 32) a), d sc, s) for 16 groups;           acc = fma(s, a.d, acc)
// d sc and dmin m are exact in a float, and so are the integer sums: |sum(q a)| <= 32 * 15 * 127,
// |sum(m a)| <= 8 * 63 * 32 * 127 < 2^21 (vpdpwssd on pairs of groups), |sum((q - 32) a)| <= 16 *
// 32 * 127, which starts at -32 sum(a) because q is used unsigned. The groups of Q6_K are taken in
// the order in which its bits are packed, group_of(0), group_of(1) ...
//
// Packed activations of a block, `width` tokens: int8 q[width][256], float d[width],
// int16 sum[width][8] (of 32 each), int32 start[width][16] (-32 times the sum of 16).
#if !defined(__AVX512F__) || !defined(__AVX512VNNI__) || !defined(__AVX512BW__)
#error "compile with the flags of cmake/kern_flags.cmake"
#endif

#include "kern/blocks.h"
#include "kern/x86/quantize_x86.h"
#include "kern/x86/tiles_vnni.h"

enum { ACT_BLOCK = 256 + 4 + 16 + 64, CHUNK = 2 };

typedef struct panel_q4_k {
    __m512i q[8][8];    // [group][dword]
    __m512 dsc[8];      // d * sc
    __m512i mins[4];    // pairs of m as int16
    __m512 neg_dmin;
} panel_q4_k;

typedef struct panel_q6_k {
    __m512i q[16][4]; // [visit][dword], groups in the order of group_of()
    __m512 dsc[16];   // likewise
} panel_q6_k;
STATIC_ASSERT(CHUNK * sizeof(panel_q4_k) <= CHUNK_PANEL_BYTES, "a chunk fits its panel");
STATIC_ASSERT(CHUNK * sizeof(panel_q6_k) <= CHUNK_PANEL_BYTES, "a chunk fits its panel");

// --- packing ------------------------------------------------------------------------------------
static size_t act_bytes(int64_t k, int64_t n_tok)
{
    return align_up((size_t)(k / 256 * n_tok) * ACT_BLOCK, 64);
}

// Sums of the two halves of 32 int8.
ATTR_INLINE void sum_halves(__m256i q, int32_t out[2])
{
    __m256i quads = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q),
                                      _mm256_set1_epi16(1));
    __m256i pairs = _mm256_add_epi32(quads, _mm256_shuffle_epi32(quads, 0x4E));
    __m256i sums = _mm256_add_epi32(pairs, _mm256_shuffle_epi32(pairs, 0xB1));
    out[0] = _mm256_extract_epi32(sums, 0);
    out[1] = _mm256_extract_epi32(sums, 4);
}

static void pack_token(const float *x, int64_t k, int64_t width, int64_t t, char *tile)
{
    for (int64_t i = 0; i < k; i += 256, tile += width * ACT_BLOCK) {
        act_scale s = act_scale_of(amax_bits_avx2(x + i, 256));
        int16_t sum[8];
        int32_t start[16];
        for (int g = 0; g < 8; g++) {
            __m256i q = quantize_32(x + i + g * 32, s.inv);
            int32_t half[2];
            sum_halves(q, half);
            sum[g] = (int16_t)(half[0] + half[1]);
            start[2 * g] = -32 * half[0];
            start[2 * g + 1] = -32 * half[1];
            _mm256_storeu_si256((__m256i *)(tile + t * 256 + g * 32), q);
        }
        memcpy(tile + width * 256 + t * 4, &s.d, 4);
        memcpy(tile + width * 260 + t * 16, sum, 16);
        memcpy(tile + width * 276 + t * 64, start, 64);
    }
}

static void act_pack(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                     int64_t t1, void *out)
{
    for (int64_t t = t0; t < t1; t++) {
        int64_t first = t & ~(int64_t)(ACT_TILE - 1);
        char *tile = (char *)out + (size_t)(first * (k / 256)) * ACT_BLOCK;
        pack_token(x + (size_t)t * x_stride, k, i64_min(ACT_TILE, n_tok - first), t - first, tile);
    }
}

// Where the fields of the view's first token are.
typedef struct act_fields {
    const char *q, *d, *sum, *start;
} act_fields;

ATTR_INLINE act_fields fields_of(act_view x)
{
    return (act_fields){x.tile + x.t * 256, x.tile + x.width * 256 + x.t * 4,
                        x.tile + x.width * 260 + x.t * 16, x.tile + x.width * 276 + x.t * 64};
}

// --- Q4_K blocks of 16 rows ---------------------------------------------------------------------
typedef struct head_q4_k {
    __m512 d, neg_dmin;
    __m512i sc[2], m[2]; // four bytes a lane: groups 0-3 and 4-7
} head_q4_k;

ATTR_INLINE __m512 low_half_to_f32(__m512i x)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(x));
}

ATTR_INLINE head_q4_k load_head(lanes w)
{
    const __m512i six = _mm512_set1_epi8(0x3F), four = _mm512_set1_epi8(0x0F);
    const __m512i top = _mm512_set1_epi8(0x30);
    __m512i x[4];
    load_16_rows(w, 0, x);
    head_q4_k h;
    h.d = low_half_to_f32(x[0]);
    h.neg_dmin = _mm512_sub_ps(_mm512_setzero_ps(), low_half_to_f32(_mm512_srli_epi32(x[0], 16)));
    h.sc[0] = _mm512_and_si512(x[1], six);
    h.m[0] = _mm512_and_si512(x[2], six);
    h.sc[1] = _mm512_or_si512(_mm512_and_si512(x[3], four),
                              _mm512_and_si512(_mm512_srli_epi32(x[1], 2), top));
    h.m[1] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(x[3], 4), four),
                             _mm512_and_si512(_mm512_srli_epi32(x[2], 2), top));
    return h;
}

// d * sc of group g.
ATTR_INLINE __m512 group_scale(const head_q4_k *h, int g)
{
    __m512i sc = _mm512_srli_epi32(h->sc[g / 4], (unsigned)(8 * (g % 4)));
    return _mm512_mul_ps(h->d, _mm512_cvtepi32_ps(_mm512_and_si512(sc, _mm512_set1_epi32(255))));
}

// m of groups 2c and 2c + 1 as a pair of int16.
ATTR_INLINE __m512i min_pair(const head_q4_k *h, int c)
{
    const __m512i low = _mm512_set1_epi32(255), high = _mm512_set1_epi32(255 << 16);
    __m512i m = c % 2 ? _mm512_srli_epi32(h->m[c / 2], 16) : h->m[c / 2];
    return _mm512_or_si512(_mm512_and_si512(m, low),
                           _mm512_and_si512(_mm512_slli_epi32(m, 8), high));
}

// Groups 2c and 2c + 1.
ATTR_INLINE void load_group_pair(lanes w, int c, __m512i lo[8], __m512i hi[8])
{
    const __m512i four = _mm512_set1_epi8(0x0F);
    __m512i x[8];
    load_16_rows(w, offsetof(block_q4_k, qs) + (size_t)(32 * c), x);
    load_16_rows(w, offsetof(block_q4_k, qs) + (size_t)(32 * c + 16), x + 4);
    UNROLL for (int j = 0; j < 8; j++) {
        lo[j] = _mm512_and_si512(x[j], four);
        hi[j] = _mm512_and_si512(_mm512_srli_epi16(x[j], 4), four);
    }
}

// --- Q6_K blocks of 16 rows ---------------------------------------------------------------------
// Visit v = 8 half + 4 (second 16 of 32) + quarter is of group 8 half + 2 quarter + (second 16).
ATTR_INLINE int group_of(int v)
{
    return (v & 8) | (v & 3) << 1 | (v >> 2 & 1);
}

// Visits 4u .. 4u + 3.
ATTR_INLINE void load_quarters(lanes w, int u, __m512i q[4][4])
{
    const __m512i four = _mm512_set1_epi8(0x0F), top = _mm512_set1_epi8(0x30);
    int half = u / 2, second = u % 2;
    __m512i a[4], b[4], h[4];
    load_16_rows(w, offsetof(block_q6_k, ql) + (size_t)(64 * half + 16 * second), a);
    load_16_rows(w, offsetof(block_q6_k, ql) + (size_t)(64 * half + 32 + 16 * second), b);
    load_16_rows(w, offsetof(block_q6_k, qh) + (size_t)(32 * half + 16 * second), h);
    UNROLL for (int j = 0; j < 4; j++) {
        __m512i h0 = _mm512_and_si512(_mm512_slli_epi16(h[j], 4), top);
        __m512i h1 = _mm512_and_si512(_mm512_slli_epi16(h[j], 2), top);
        __m512i h2 = _mm512_and_si512(h[j], top);
        __m512i h3 = _mm512_and_si512(_mm512_srli_epi16(h[j], 2), top);
        q[0][j] = _mm512_or_si512(_mm512_and_si512(a[j], four), h0);
        q[1][j] = _mm512_or_si512(_mm512_and_si512(b[j], four), h1);
        q[2][j] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(a[j], 4), four), h2);
        q[3][j] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(b[j], 4), four), h3);
    }
}

// d * sc of group g; sc holds the 16 scales of the rows, four signed bytes a lane.
ATTR_INLINE __m512 signed_scale(__m512 d, const __m512i sc[4], int g)
{
    __m512i at_top = _mm512_slli_epi32(sc[g / 4], (unsigned)(24 - 8 * (g % 4)));
    return _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_srai_epi32(at_top, 24)));
}

// --- sums of a group ----------------------------------------------------------------------------
// start + sum(q a) over n dwords.
ATTR_INLINE __m512 dot_group(__m512i start, const __m512i *q, int n, const char *a)
{
    __m512i even = start, odd = _mm512_setzero_si512();
    UNROLL for (int j = 0; j < n; j += 2) {
        even = _mm512_dpbusd_epi32(even, q[j], broadcast_i32(a + 4 * j));
        odd = _mm512_dpbusd_epi32(odd, q[j + 1], broadcast_i32(a + 4 * j + 4));
    }
    return _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
}

ATTR_INLINE __m512 min_term(const __m512i mins[4], __m512 neg_dmin, const char *sum)
{
    __m512i total = _mm512_setzero_si512();
    UNROLL for (int c = 0; c < 4; c++)
        total = _mm512_dpwssd_epi32(total, mins[c], broadcast_i32(sum + 4 * c));
    return _mm512_mul_ps(neg_dmin, _mm512_cvtepi32_ps(total));
}

// --- one token ----------------------------------------------------------------------------------
ATTR_INLINE __m512 one_q4_k(lanes w, int64_t n_blocks, act_view x)
{
    __m512 acc = _mm512_setzero_ps();
    for (int64_t b = 0; b < n_blocks; b++) {
        act_fields a = fields_of(x);
        head_q4_k h = load_head(w);
        __m512i mins[4];
        UNROLL for (int c = 0; c < 4; c++) mins[c] = min_pair(&h, c);
        __m512 s = min_term(mins, h.neg_dmin, a.sum);
        UNROLL for (int c = 0; c < 4; c++) {
            __m512i lo[8], hi[8];
            load_group_pair(w, c, lo, hi);
            prefetch_rows(w, (size_t)(36 * c));
            __m512 dot0 = dot_group(_mm512_setzero_si512(), lo, 8, a.q + 64 * c);
            s = _mm512_fmadd_ps(dot0, group_scale(&h, 2 * c), s);
            __m512 dot1 = dot_group(_mm512_setzero_si512(), hi, 8, a.q + 64 * c + 32);
            s = _mm512_fmadd_ps(dot1, group_scale(&h, 2 * c + 1), s);
        }
        acc = _mm512_fmadd_ps(s, broadcast_f32(a.d), acc);
        w.p += sizeof(block_q4_k);
        x.tile += x.width * ACT_BLOCK;
    }
    return acc;
}

ATTR_INLINE __m512 one_q6_k(lanes w, int64_t n_blocks, act_view x)
{
    __m512 acc = _mm512_setzero_ps();
    for (int64_t b = 0; b < n_blocks; b++) {
        act_fields a = fields_of(x);
        __m512 d = load_halves(w, offsetof(block_q6_k, d)), s = _mm512_setzero_ps();
        __m512i sc[4];
        load_16_rows(w, offsetof(block_q6_k, scales), sc);
        UNROLL for (int u = 0; u < 4; u++) {
            __m512i q[4][4];
            load_quarters(w, u, q);
            prefetch_rows(w, (size_t)(53 * u));
            UNROLL for (int v = 0; v < 4; v++) {
                int g = group_of(4 * u + v);
                __m512 dot = dot_group(broadcast_i32(a.start + 4 * g), q[v], 4, a.q + 16 * g);
                s = _mm512_fmadd_ps(dot, signed_scale(d, sc, g), s);
            }
        }
        acc = _mm512_fmadd_ps(s, broadcast_f32(a.d), acc);
        w.p += sizeof(block_q6_k);
        x.tile += x.width * ACT_BLOCK;
    }
    return acc;
}

// --- panels -------------------------------------------------------------------------------------
ATTR_INLINE void unpack_q4_k(lanes w, int64_t n_blocks, void *panel)
{
    panel_q4_k *p = panel;
    for (int64_t b = 0; b < n_blocks; b++, p++, w.p += sizeof(block_q4_k)) {
        head_q4_k h = load_head(w);
        p->neg_dmin = h.neg_dmin;
        UNROLL for (int c = 0; c < 4; c++) {
            p->mins[c] = min_pair(&h, c);
            p->dsc[2 * c] = group_scale(&h, 2 * c);
            p->dsc[2 * c + 1] = group_scale(&h, 2 * c + 1);
            load_group_pair(w, c, p->q[2 * c], p->q[2 * c + 1]);
        }
    }
}

ATTR_INLINE void unpack_q6_k_rows(lanes w, int64_t n_blocks, void *panel)
{
    panel_q6_k *p = panel;
    for (int64_t b = 0; b < n_blocks; b++, p++, w.p += sizeof(block_q6_k)) {
        __m512 d = load_halves(w, offsetof(block_q6_k, d));
        __m512i sc[4];
        load_16_rows(w, offsetof(block_q6_k, scales), sc);
        UNROLL for (int v = 0; v < 16; v++) p->dsc[v] = signed_scale(d, sc, group_of(v));
        UNROLL for (int u = 0; u < 4; u++) load_quarters(w, u, p->q + 4 * u);
    }
}

// --- tiles --------------------------------------------------------------------------------------
// s += d sc * sum for n tokens and both halves; `start` steps over tokens by start_step bytes.
ATTR_INLINE void add_group(int n, int n_dwords, const __m512i *q0, const __m512i *q1, __m512 dsc0,
                           __m512 dsc1, const char *a, const char *start, __m512 *s0, __m512 *s1)
{
    __m512i sum0[TOKENS], sum1[TOKENS];
    UNROLL for (int t = 0; t < n; t++)
        sum0[t] = sum1[t] = start ? broadcast_i32(start + t * 64) : _mm512_setzero_si512();
    UNROLL for (int j = 0; j < n_dwords; j++)
        UNROLL for (int t = 0; t < n; t++) {
            __m512i x = broadcast_i32(a + t * 256 + 4 * j);
            sum0[t] = _mm512_dpbusd_epi32(sum0[t], q0[j], x);
            sum1[t] = _mm512_dpbusd_epi32(sum1[t], q1[j], x);
        }
    UNROLL for (int t = 0; t < n; t++) {
        s0[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum0[t]), dsc0, s0[t]);
        s1[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum1[t]), dsc1, s1[t]);
    }
}

// y += a.d * s; both halves are read before either is written.
ATTR_INLINE void add_block(int n, const char *d, const __m512 *s0, const __m512 *s1, float *y0,
                           float *y1, size_t y_stride)
{
    UNROLL for (int t = 0; t < n; t++) {
        __m512 da = broadcast_f32(d + t * 4);
        __m512 acc0 = _mm512_loadu_ps(y0 + (size_t)t * y_stride);
        __m512 acc1 = _mm512_loadu_ps(y1 + (size_t)t * y_stride);
        _mm512_storeu_ps(y0 + (size_t)t * y_stride, _mm512_fmadd_ps(s0[t], da, acc0));
        _mm512_storeu_ps(y1 + (size_t)t * y_stride, _mm512_fmadd_ps(s1[t], da, acc1));
    }
}

ATTR_INLINE void tile_q4_k(int n, const void *panel0, const void *panel1, int64_t n_blocks,
                           act_view x, float *y0, float *y1, size_t y_stride)
{
    const panel_q4_k *p0 = panel0, *p1 = panel1;
    for (int64_t b = 0; b < n_blocks; b++, p0++, p1++, x.tile += x.width * ACT_BLOCK) {
        act_fields a = fields_of(x);
        __m512 s0[TOKENS], s1[TOKENS];
        UNROLL for (int t = 0; t < n; t++) {
            s0[t] = min_term(p0->mins, p0->neg_dmin, a.sum + t * 16);
            s1[t] = min_term(p1->mins, p1->neg_dmin, a.sum + t * 16);
        }
        for (int g = 0; g < 8; g++)
            add_group(n, 8, p0->q[g], p1->q[g], p0->dsc[g], p1->dsc[g], a.q + 32 * g, NULL, s0, s1);
        add_block(n, a.d, s0, s1, y0, y1, y_stride);
    }
}

ATTR_INLINE void tile_q6_k(int n, const void *panel0, const void *panel1, int64_t n_blocks,
                           act_view x, float *y0, float *y1, size_t y_stride)
{
    const panel_q6_k *p0 = panel0, *p1 = panel1;
    for (int64_t b = 0; b < n_blocks; b++, p0++, p1++, x.tile += x.width * ACT_BLOCK) {
        act_fields a = fields_of(x);
        __m512 s0[TOKENS], s1[TOKENS];
        UNROLL for (int t = 0; t < n; t++) s0[t] = s1[t] = _mm512_setzero_ps();
        for (int v = 0; v < 16; v++) {
            int g = group_of(v);
            add_group(n, 4, p0->q[v], p1->q[v], p0->dsc[v], p1->dsc[v], a.q + 16 * g,
                      a.start + 4 * g, s0, s1);
        }
        add_block(n, a.d, s0, s1, y0, y1, y_stride);
    }
}

static const format format_q4_k = {256,        sizeof(block_q4_k), ACT_BLOCK,   sizeof(panel_q4_k),
                                   CHUNK,      one_q4_k,           unpack_q4_k, tile_q4_k};
static const format format_q6_k = {256,   sizeof(block_q6_k), ACT_BLOCK,        sizeof(panel_q6_k),
                                   CHUNK, one_q6_k,           unpack_q6_k_rows, tile_q6_k};
MATMUL_VNNI(q4_k)
MATMUL_VNNI(q6_k)

void kern_fill_quantk_vnni(kern *k)
{
    k->act_bytes[ACT_Q8_256] = act_bytes;
    k->act_pack[ACT_Q8_256] = act_pack;
    k->matmul[DTYPE_Q4_K] = matmul_q4_k;
    k->matmul[DTYPE_Q6_K] = matmul_q6_k;
}
