// Packed activations. Their layout is opaque, so they are read back through a product with unit
// weights (F32 ones, Q8_0 codes of 1 with scale 1, Q6_K likewise), of which each output is one
// value d * q: exact on every instruction set.
#include "check/check_weights.h"

#include "kern/blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_TOK = 37, HALF_ONE = 0x3C00 };

static const dtype probes[ACT_COUNT] = {DTYPE_F32, DTYPE_Q8_0, DTYPE_Q6_K};
static const char *const kind_names[ACT_COUNT] = {"F32", "Q8_32", "Q8_256"};

typedef struct packing {
    const kern *k;
    act_kind kind;
    int64_t depth, n_tok, step; // packs `step` tokens a call
    guarded x, packed, y;
    size_t x_stride;
    char *unit; // [depth] rows of the probe type
} packing;

// --- unit weights -------------------------------------------------------------------------------
static void set_unit_q6_k(block_q6_k *b, int64_t n_blocks, int64_t one)
{
    for (int64_t i = 0; i < n_blocks; i++) {
        memset(b[i].ql, 0, sizeof b[i].ql);
        memset(b[i].qh, 0xAA, sizeof b[i].qh); // 2 << 4 = 32 stands for 0
        memset(b[i].scales, 1, sizeof b[i].scales);
        b[i].d = HALF_ONE;
    }
    int64_t half = one % 256 / 128, quarter = one % 128 / 32, l = one % 32;
    b[one / 256].ql[half * 64 + quarter % 2 * 32 + l] = (uint8_t)(quarter / 2 ? 0x10 : 0x01);
}

static void set_unit_row(dtype t, void *row, int64_t depth, int64_t one)
{
    memset(row, 0, weight_bytes(t, depth));
    if (t == DTYPE_F32) ((float *)row)[one] = 1.0f;
    if (t == DTYPE_Q6_K) set_unit_q6_k(row, depth / 256, one);
    if (t != DTYPE_Q8_0) return;
    block_q8_0 *b = row;
    for (int64_t i = 0; i < depth / 32; i++) b[i].d = HALF_ONE;
    b[one / 32].qs[one % 32] = 1;
}

// --- expectation --------------------------------------------------------------------------------
static void expect_group(const float *x, int64_t n, float *out)
{
    float amax = 0.0f;
    bool is_nan = false;
    for (int64_t i = 0; i < n; i++) {
        is_nan = is_nan || isnan(x[i]);
        amax = fmaxf(amax, fabsf(x[i]));
    }
    float d = amax / 127.0f, inv = d > 0.0f ? 1.0f / d : 0.0f;
    for (int64_t i = 0; i < n; i++) {
        if (is_nan || isinf(amax)) out[i] = NAN;
        else if (isinf(inv)) out[i] = 0.0f;
        else out[i] = d * nearbyintf(x[i] * inv);
    }
}

static void expect_row(act_kind kind, const float *x, int64_t depth, float *out)
{
    // For F32, a product with a unit row sums 0 * x: one value that is not finite spoils them all.
    bool finite = true;
    for (int64_t i = 0; i < depth; i++) finite = finite && isfinite(x[i]);
    int64_t group = kind == ACT_F32 ? depth : kind == ACT_Q8_32 ? 32 : 256;
    for (int64_t g = 0; g < depth; g += group) {
        if (kind == ACT_F32) memcpy(out, x, (size_t)depth * sizeof *x);
        else expect_group(x + g, group, out + g);
    }
    for (int64_t i = 0; i < depth; i++) {
        if (!finite && !(kind == ACT_F32 && isinf(x[i]))) out[i] = NAN;
        out[i] += 0.0f; // sums begin at +0, so that no output is -0
    }
}

// --- one case -----------------------------------------------------------------------------------
static void call_pack(void *arg)
{
    packing *p = arg;
    for (int64_t t = 0; t < p->n_tok; t += p->step)
        p->k->act_pack[p->kind](p->x.data, p->x_stride, p->depth, p->n_tok, t,
                                i64_min(t + p->step, p->n_tok), p->packed.data);
}

static void call_read_back(void *arg)
{
    packing *p = arg;
    dtype t = probes[p->kind];
    p->k->matmul[t](p->unit, weight_bytes(t, p->depth), p->depth, p->packed.data, p->n_tok,
                    p->depth, p->y.data, (size_t)p->depth);
}

static void check_values(packing *p)
{
    float *want = malloc((size_t)p->depth * sizeof *want);
    for (int64_t t = 0; t < p->n_tok && !check_failed(); t++) {
        const float *x = (const float *)p->x.data + (size_t)t * p->x_stride;
        const float *got = (const float *)p->y.data + t * p->depth;
        expect_row(p->kind, x, p->depth, want);
        if (!same_bits(got, want, p->depth))
            check_fail("depth %lld, token %lld of %lld: wrong value", (long long)p->depth,
                       (long long)t, (long long)p->n_tok);
    }
    free(want);
}

// Packed in ranges of tokens, the bytes are those of one call.
static void check_ranges(packing *p)
{
    size_t bytes = p->k->act_bytes[p->kind](p->depth, p->n_tok);
    char *whole = malloc(bytes + 1);
    memcpy(whole, p->packed.data, bytes);
    memset(p->packed.data, 0xA5, bytes);
    p->step = ACT_TILE;
    if (check_call(call_pack, p) && memcmp(whole, p->packed.data, bytes))
        check_fail("depth %lld: other bytes when packed in ranges", (long long)p->depth);
    free(whole);
}

static void check_packing(const kern *k, act_kind kind, int64_t depth, int64_t n_tok, edge e)
{
    packing p = {.k = k, .kind = kind, .depth = depth, .n_tok = n_tok, .step = n_tok};
    size_t bytes = k->act_bytes[kind](depth, n_tok), row = weight_bytes(probes[kind], depth);
    if (bytes % 64) check_fail("%zu bytes, not a multiple of 64", bytes);
    p.x_stride = (size_t)depth + 3;
    p.x = guarded_new(((size_t)(n_tok - 1) * p.x_stride + (size_t)depth) * sizeof(float), e);
    p.y = guarded_new((size_t)(n_tok * depth) * sizeof(float), e);
    p.packed = guarded_new(bytes, e);
    p.unit = malloc((size_t)depth * row);
    for (int64_t i = 0; i < depth; i++) {
        set_unit_row(probes[kind], p.unit + (size_t)i * row, depth, i);
    }
    for (int64_t t = 0; t < n_tok; t++)
        check_fill((float *)p.x.data + (size_t)t * p.x_stride, depth, (fill)(t % FILL_COUNT));
    if (check_call(call_pack, &p) && check_call(call_read_back, &p)) {
        check_values(&p);
        check_ranges(&p);
    }
    guarded_free(&p.x);
    guarded_free(&p.y);
    guarded_free(&p.packed);
    free(p.unit);
}

static void run_family(const kern *k, const kern *below)
{
    static const int64_t depths[ACT_COUNT][3] = {{1, 19, 70}, {32, 96, 288}, {256, 512, 768}};
    for (int a = 0; a < ACT_COUNT; a++) {
        if (!check_slot("act_pack", kind_names[a], k->act_pack[a] != below->act_pack[a])) continue;
        for (int i = 0; i < 3; i++)
            for (int e = 0; e < EDGE_COUNT; e++) {
                check_packing(k, (act_kind)a, depths[a][i], N_TOK, (edge)e);
                check_packing(k, (act_kind)a, depths[a][i], 1, (edge)e);
            }
    }
}

static void bench_family(const kern *k, const kern *below)
{
    for (int a = 0; a < ACT_COUNT; a++) {
        if (!check_slot("act_pack", kind_names[a], k->act_pack[a] != below->act_pack[a])) continue;
        packing p = {.k = k, .kind = (act_kind)a, .depth = 2048, .n_tok = 64, .step = 64};
        p.x_stride = 2048;
        p.x = guarded_new(64 * 2048 * sizeof(float), EDGE_START);
        p.packed = guarded_new(k->act_bytes[a](2048, 64), EDGE_START);
        check_fill(p.x.data, (int64_t)64 * 2048, FILL_RANDOM);
        double seconds = bench_seconds(call_pack, &p);
        bench_report("act_pack", kind_names[a], "64x2048", seconds, 64.0 * 2048 * 4, 0, 0);
        guarded_free(&p.x);
        guarded_free(&p.packed);
    }
}

const check_family check_act = {"act", run_family, bench_family};
