// The values of a tensor, some rows at a time, in the type that is asked for.
//
// Bytes that need no change are copied. Everything else goes through float32, one row at a time,
// which every source type fits in and every operation is defined on.
//
//   HF_PAIRS, one head of d rows:  out 0 1 2 3 ... = in 0, d/2, 1, d/2 + 1, ...
//
// MXFP4 stays MXFP4; a block's codes are in other places in GGUF than in a folder:
//
//   folder, byte i   codes 2i (low), 2i + 1 (high)
//   GGUF, byte i     codes i (low), i + 16 (high)
//
// Q8_0: blocks of 32, d = amax / 127 rounded to half, codes from x times the reciprocal of the
// unrounded d, halves away from zero: what ggml's own quantiser in Python does.
#include <math.h>
#include <string.h>

#include "hf/hf_int.h"
#include "kern/half.h"

enum { Q8_BLOCK = 32, Q8_BYTES = 34, MX_CODES = 16, MX_BYTES = 17 };

bool hf_same_type(st_type type, dtype *out)
{
    if (type == ST_F32) *out = DTYPE_F32;
    else if (type == ST_F16) *out = DTYPE_F16;
    else if (type == ST_BF16) *out = DTYPE_BF16;
    else return false;
    return true;
}

bool hf_can_produce(st_type type)
{
    dtype ignored;
    return hf_same_type(type, &ignored) || type == ST_F64;
}

int64_t hf_rows(const hf_tensor *t) { return t->dim[1] * t->dim[2] * t->dim[3]; }

// --- reading ------------------------------------------------------------------------------------

static uint16_t load_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static void read_row(const uint8_t *p, st_type type, int64_t n, float *out)
{
    if (type == ST_F32) memcpy(out, p, (size_t)n * sizeof *out);
    for (int64_t i = 0; i < n && type == ST_F16; i++) out[i] = f16_to_f32(load_u16(p + 2 * i));
    for (int64_t i = 0; i < n && type == ST_BF16; i++) out[i] = bf16_to_f32(load_u16(p + 2 * i));
    for (int64_t i = 0; i < n && type == ST_F64; i++) {
        double d;
        memcpy(&d, p + 8 * i, sizeof d);
        out[i] = (float)d;
    }
}

// Which row (or element of a vector) of the source stands at `at`.
static int64_t reorder(const hf_tensor *t, int64_t at, int64_t n_all)
{
    if (t->op != HF_PAIRS) return at;
    int64_t d = n_all / t->n_head, in_head = at % d;
    return at - in_head + in_head % 2 * (d / 2) + in_head / 2;
}

bool hf_packed_tensor(const hf_tensor *t, dtype *out)
{
    if (!t->is_packed) return false;
    *out = DTYPE_Q4_0;
    // What Q4_0 holds exactly Q8_0 does too, and F16 nearly.
    for (int64_t r = 0; r < t->n_runs; r++) {
        dtype type = hf_packed_type(t->run[r].source->packed);
        if (type == DTYPE_F16 || *out == DTYPE_Q4_0) *out = type;
    }
    return true;
}

// The run that row `row` of the tensor is in, and which row of its source it is.
static const hf_run *find_run(const hf_tensor *t, int64_t row, int64_t *in_source)
{
    const hf_run *run = &t->run[row / t->run[0].n];
    int64_t in_run = row % t->run[0].n;
    if (t->n_dims > 1) in_run = reorder(t, in_run, run->n);
    *in_source = run->first + in_run;
    return run;
}

// Of a part: where row `row` begins in the source, in elements or blocks.
static int64_t find_cut(const hf_tensor *t, int64_t row)
{
    const hf_cut *c = &t->cut;
    return c->origin + row % t->dim[1] * c->step[1] + row / t->dim[1] * c->step[2];
}

// The bytes of row `row` of the tensor, in the source's type; of a part its first element.
static const uint8_t *find_row(const hf_tensor *t, int64_t row)
{
    if (t->is_cut) {
        const st_tensor *s = t->run[0].source->t;
        return s->data + (size_t)find_cut(t, row) * st_type_bytes(s->type);
    }
    if (t->made) return (const uint8_t *)(t->made + row * t->dim[0]);
    int64_t at;
    const hf_run *run = find_run(t, row, &at);
    size_t row_bytes = (size_t)t->dim[0] * st_type_bytes(t->type);
    return run->source->t->data + (size_t)at * row_bytes;
}

static void read_values(const hf_tensor *t, int64_t row, float *out)
{
    int64_t n = t->dim[0], step = t->is_cut ? t->cut.step[0] : 1;
    const uint8_t *p = find_row(t, row);
    size_t bytes = (size_t)step * st_type_bytes(t->type);
    if (step == 1) read_row(p, t->type, n, out);
    for (int64_t i = 0; i < n && step != 1; i++)
        read_row(p + (size_t)i * bytes, t->type, 1, out + i);
    for (int64_t i = 0; i < n && t->op == HF_PLUS_ONE; i++) out[i] += 1;
}

// --- writing ------------------------------------------------------------------------------------

static void store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void write_q8_block(const float *x, uint8_t *out)
{
    float top = 0;
    for (int i = 0; i < Q8_BLOCK; i++) top = f32_max(top, fabsf(x[i]));
    float d = top / 127, inverse = d > 0 ? 1 / d : 0;
    store_u16(out, f32_to_f16(d));
    for (int i = 0; i < Q8_BLOCK; i++) out[2 + i] = (uint8_t)(int8_t)roundf(x[i] * inverse);
}

static void write_row(const float *x, dtype type, int64_t n, uint8_t *out)
{
    if (type == DTYPE_F32) memcpy(out, x, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n && type == DTYPE_F16; i++) store_u16(out + 2 * i, f32_to_f16(x[i]));
    for (int64_t i = 0; i < n && type == DTYPE_BF16; i++) store_u16(out + 2 * i, f32_to_bf16(x[i]));
    for (int64_t i = 0; i < n / Q8_BLOCK && type == DTYPE_Q8_0; i++)
        write_q8_block(x + i * Q8_BLOCK, out + i * Q8_BYTES);
}

// A vector's elements are reordered as a matrix's rows are.
static void write_vector_pairs(const hf_tensor *t, const float *x, uint8_t *out)
{
    for (int64_t i = 0; i < t->dim[0]; i++) {
        float v = x[reorder(t, i, t->dim[0])];
        memcpy(out + (size_t)i * sizeof v, &v, sizeof v);
    }
}

static void write_packed(const hf_tensor *t, int64_t row, dtype type, float *scratch, uint8_t *out)
{
    int64_t at;
    dtype own = DTYPE_F32;
    const hf_packed *p = find_run(t, row, &at)->source->packed;
    hf_packed_tensor(t, &own);
    if (type == own && type != DTYPE_F16) {
        hf_packed_blocks(p, at, type, out);
    } else {
        hf_packed_row(p, at, scratch);
        write_row(scratch, type, t->dim[0], out);
    }
}

static unsigned mx_code(const uint8_t *codes, int i) { return codes[i / 2] >> 4 * (i % 2) & 15u; }

static void write_mx_row(const hf_tensor *t, int64_t row, uint8_t *out)
{
    int64_t first = find_cut(t, row), n = t->dim[0] / (2 * MX_CODES);
    const uint8_t *codes = t->run[0].source->t->data + (size_t)first * MX_CODES;
    const uint8_t *scale = t->scales->data + (size_t)first;
    for (int64_t b = 0; b < n; b++, codes += MX_CODES, out += MX_BYTES) {
        out[0] = scale[b];
        for (int i = 0; i < MX_CODES; i++)
            out[1 + i] = (uint8_t)(mx_code(codes, i) | mx_code(codes, i + MX_CODES) << 4);
    }
}

void hf_produce(const hf_tensor *t, dtype type, int64_t first, int64_t n, float *scratch,
                uint8_t *out)
{
    dtype same;
    size_t row_bytes = 0;
    bool known = dtype_bytes(type, t->dim[0], &row_bytes);
    bool copies = hf_same_type(t->type, &same) && same == type && t->op != HF_PLUS_ONE &&
                  !(t->is_cut && t->cut.step[0] != 1);
    ASSERT(known && first >= 0 && n <= hf_rows(t) - first);
    (void)known;
    bool is_pair_vector = t->op == HF_PAIRS && t->n_dims == 1;
    for (int64_t r = first; r < first + n; r++, out += row_bytes) {
        if (t->is_packed) {
            write_packed(t, r, type, scratch, out);
            continue;
        }
        if (t->scales) {
            write_mx_row(t, r, out);
            continue;
        }
        if (copies && !is_pair_vector) {
            memcpy(out, find_row(t, r), row_bytes);
            continue;
        }
        read_values(t, r, scratch);
        if (is_pair_vector) write_vector_pairs(t, scratch, out);
        else write_row(scratch, type, t->dim[0], out);
    }
}
