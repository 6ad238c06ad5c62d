// See adapter_file.h.
#include "support/adapter_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fmt/gguf_write.h"
#include "kern/half.h"

static bool is_adapted(const gguf_tensor *t)
{
    return t->n_dims == 2 && !str_eq_z(t->name, "token_embd.weight") && t->dim[1] > 1;
}

// The values of half `b` (0, 1) of tensor i's pair, as the type holds them.
static float value(const adapter_spec *s, size_t i, int b, int64_t at)
{
    rng r;
    rng_seed(&r, s->seed * 1000003 + i * 4099 + (uint64_t)b * 17 + (uint64_t)at * 65537);
    float v = rng_normal(&r) * 0.2f;
    return s->type == DTYPE_F16 ? f16_to_f32(f32_to_f16(v)) : v;
}

static int64_t count_heads(const gguf *model, str name)
{
    uint64_t n = 0;
    if (str_ends(name, STR(".attn_q.weight")))
        gguf_get_u64(model, "llama.attention.head_count", 4096, &n, NULL, NULL);
    if (str_ends(name, STR(".attn_k.weight")))
        gguf_get_u64(model, "llama.attention.head_count_kv", 4096, &n, NULL, NULL);
    return (int64_t)n;
}

// The model's row that an adapter of another order has at `row`.
static int64_t model_row(const adapter_spec *s, int64_t n_head, int64_t n_rows, int64_t row)
{
    if (!s->is_halves || n_head == 0) return row;
    int64_t half = n_rows / n_head / 2, head = row / (2 * half), i = row % (2 * half);
    return head * 2 * half + (i < half ? 2 * i : 2 * (i - half) + 1);
}

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

static hearth_status put(gguf_writer *w, const adapter_spec *s, float v)
{
    uint16_t half = f32_to_f16(v);
    return s->type == DTYPE_F16 ? gguf_write_data(w, &half, sizeof half, NULL)
                                : gguf_write_data(w, &v, sizeof v, NULL);
}

static hearth_status write_pair(gguf_writer *w, const gguf *model, const adapter_spec *s, size_t i)
{
    const gguf_tensor *t = gguf_tensor_at(model, i);
    int64_t n_head = count_heads(model, t->name);
    for (int64_t k = 0; k < t->dim[0] * s->rank; k++)
        HEARTH_TRY(put(w, s, value(s, i, 0, k)));
    for (int64_t row = 0; row < t->dim[1]; row++) {
        int64_t at = model_row(s, n_head, t->dim[1], row) * s->rank;
        for (int64_t k = 0; k < s->rank; k++) HEARTH_TRY(put(w, s, value(s, i, 1, at + k)));
    }
    return HEARTH_OK;
}

static hearth_status declare(gguf_writer *w, const gguf *model, const adapter_spec *s)
{
    str arch = {0};
    HEARTH_TRY(gguf_get_str(model, "general.architecture", &arch, NULL, NULL));
    HEARTH_TRY(gguf_write_str(w, "general.type", STR("adapter"), NULL));
    HEARTH_TRY(gguf_write_str(w, "general.architecture", arch, NULL));
    HEARTH_TRY(gguf_write_str(w, "adapter.type", STR("lora"), NULL));
    HEARTH_TRY(gguf_write_f32(w, "adapter.lora.alpha", s->alpha, NULL));
    if (s->is_halves) HEARTH_TRY(gguf_write_bool(w, "hearth.rope.halves", true, NULL));
    if (s->is_rooted) HEARTH_TRY(gguf_write_bool(w, "hearth.lora.rank_root", true, NULL));
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const gguf_tensor *t = gguf_tensor_at(model, i);
        const int64_t a[2] = {t->dim[0], s->rank}, b[2] = {s->rank, t->dim[1]};
        char name[128];
        if (!is_adapted(t)) continue;
        snprintf(name, sizeof name, "%.*s.lora_a", STR_ARG(t->name));
        HEARTH_TRY(gguf_write_tensor(w, name, s->type, 2, a, NULL));
        snprintf(name, sizeof name, "%.*s.lora_b", STR_ARG(t->name));
        HEARTH_TRY(gguf_write_tensor(w, name, s->type, 2, b, NULL));
    }
    return gguf_write_header(w, NULL);
}

bool adapter_make(const gguf *model, const adapter_spec *spec, buf *out)
{
    gguf_writer *w;
    if (gguf_writer_create(append, out, &w, NULL)) return false;
    hearth_status st = declare(w, model, spec);
    for (size_t i = 0; i < gguf_tensor_count(model) && st == HEARTH_OK; i++)
        if (is_adapted(gguf_tensor_at(model, i))) st = write_pair(w, model, spec, i);
    if (st == HEARTH_OK) st = gguf_write_end(w, NULL);
    gguf_writer_free(w);
    return st == HEARTH_OK;
}

bool adapter_merge(gguf *model, const adapter_spec *s, float scale)
{
    double share = s->is_rooted ? sqrt(s->rank) : s->rank;
    double factor = (double)scale * (double)s->alpha / share;
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const gguf_tensor *t = gguf_tensor_at(model, i);
        float *w = (float *)(void *)(uintptr_t)t->data; // the test's own bytes
        if (!is_adapted(t)) continue;
        if (t->type != DTYPE_F32) return false;
        for (int64_t o = 0; o < t->dim[1]; o++)
            for (int64_t k = 0; k < t->dim[0]; k++) {
                double sum = 0;
                for (int64_t r = 0; r < s->rank; r++)
                    sum += (double)value(s, i, 1, o * s->rank + r) *
                           (double)value(s, i, 0, r * t->dim[0] + k);
                w[o * t->dim[0] + k] += (float)(factor * sum);
            }
    }
    return true;
}
