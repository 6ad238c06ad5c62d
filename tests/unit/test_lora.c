// LoRA adapters: a model with them computes what the model with merged matrices does, memory stays
// as planned, and what would not be applied is refused by name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "fmt/gguf_build.h"
#include "support/adapter_file.h"
#include "support/llm_fixture.h"
#include "support/model_file.h"

enum { N = 40 };

typedef struct file { buf bytes; gguf *g; } file;

static void open_file(file *f)
{
    const gguf_bytes part = {"file", (const uint8_t *)f->bytes.p, f->bytes.n};
    hearth_err err = ERR_INIT;
    if (gguf_open(&part, 1, &f->g, &err)) fail_msg("%s", err.msg);
}

static void close_file(file *f)
{
    gguf_close(f->g);
    buf_release(&f->bytes);
}

static void make_model(test_arch arch, dtype type, file *f)
{
    test_model_spec spec = test_model_default(arch, type);
    buf_init(&f->bytes, MEM_TEST, 1u << 28);
    assert_true(test_model_make(&spec, &f->bytes));
    open_file(f);
}

static void make_adapter(const gguf *model, const adapter_spec *spec, file *f)
{
    buf_init(&f->bytes, MEM_TEST, 1u << 28);
    assert_true(adapter_make(model, spec, &f->bytes));
    open_file(f);
}

// Logits [N][n_vocab] of a model with up to two adapters; the caller frees.
static float *compute(const file *model, const file *first, const float *scales,
                      const file *second, size_t *n)
{
    fixture f;
    hearth_err err = ERR_INIT;
    fixture_options o = fixture_default();
    int32_t ids[N];
    llm_seq seq;
    int64_t n_ctx = o.ctx.n_ctx;
    o.adapter = first ? first->g : NULL;
    o.adapter_scale = first ? scales[0] : 0;
    o.ctx.n_ctx = 0; // the second adapter comes before the context
    if (fixture_open(&f, model->bytes.p, model->bytes.n, &o, &err)) fail_msg("%s", err.msg);
    if (second && llm_model_adapt(f.m, second->g, scales[1], &err)) fail_msg("%s", err.msg);
    o.ctx.n_ctx = n_ctx;
    if (llm_ctx_create(f.m, &o.ctx, &f.c, &err)) fail_msg("%s", err.msg);
    int64_t n_vocab = llm_model_config(f.m)->n_vocab;
    *n = (size_t)(N * n_vocab);
    float *out = calloc(*n, sizeof *out);
    for (int i = 0; i < N; i++) ids[i] = (int32_t)((i * 7919 + 13) % n_vocab);
    assert_non_null(out);
    assert_int_equal(llm_seq_new(f.c, &seq, NULL), HEARTH_OK);
    if (fixture_logits(&f, seq, ids, 0, N, N, out, &err)) fail_msg("%s", err.msg);
    fixture_close(&f);
    return out;
}

// The greatest difference as a share of the range of `want`.
static double differ(const float *got, const float *want, size_t n)
{
    double most = 0, low = (double)want[0], high = low;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= most)) most = d;
        low = fmin(low, (double)want[i]);
        high = fmax(high, (double)want[i]);
    }
    return most / (high - low);
}

static void check_merged(test_arch arch, const adapter_spec *one, const adapter_spec *two)
{
    const float scales[2] = {0.5f, -1.5f};
    file plain, merged, a, b = {{0}, NULL};
    size_t n;
    make_model(arch, DTYPE_F32, &plain);
    make_model(arch, DTYPE_F32, &merged);
    make_adapter(plain.g, one, &a);
    if (two) make_adapter(plain.g, two, &b);
    assert_true(adapter_merge(merged.g, one, scales[0]));
    if (two) assert_true(adapter_merge(merged.g, two, scales[1]));
    float *want = compute(&merged, NULL, NULL, NULL, &n);
    float *got = compute(&plain, &a, scales, two ? &b : NULL, &n);
    float *without = compute(&plain, NULL, NULL, NULL, &n);
    if (!(differ(got, want, n) <= 1e-5)) fail_msg("%g of the range", differ(got, want, n));
    assert_true(differ(without, want, n) > 0.01);
    free(want);
    free(got);
    free(without);
    close_file(&plain);
    close_file(&merged);
    close_file(&a);
    if (two) close_file(&b);
}

static void test_merged(void **state)
{
    (void)state;
    const adapter_spec one = {.seed = 1, .rank = 3, .alpha = 6, .type = DTYPE_F32};
    const adapter_spec half = {.seed = 2, .rank = 8, .alpha = 4, .type = DTYPE_F16};
    const adapter_spec rooted = {.seed = 3, .rank = 1, .alpha = 2, .is_rooted = true};
    const adapter_spec wide = {.seed = 3, .rank = 70, .alpha = 2, .is_rooted = true};
    check_merged(TEST_LLAMA, &one, NULL);
    check_merged(TEST_QWEN2, &one, &half);
    check_merged(TEST_QWEN3, &rooted, &half);
    check_merged(TEST_GEMMA3, &wide, NULL); // its output is the embedding, which has none
}

// Rows of q and k in the order of a folder's view, on a file that has the other one.
static void test_order(void **state)
{
    (void)state;
    const adapter_spec halves = {.seed = 5, .rank = 2, .alpha = 4, .is_halves = true};
    check_merged(TEST_LLAMA, &halves, NULL);
}

static void test_plan(void **state)
{
    (void)state;
    const adapter_spec spec = {.seed = 7, .rank = 600, .alpha = 8, .is_halves = true};
    file model, a;
    fixture f;
    llm_plan plan;
    llm_seq seq;
    fixture_options o = fixture_default();
    make_model(TEST_LLAMA, DTYPE_Q4_0, &model);
    make_adapter(model.g, &spec, &a);
    o.ctx.n_ctx = 0;
    assert_int_equal(fixture_open(&f, model.bytes.p, model.bytes.n, &o, NULL), HEARTH_OK);
    llm_ctx_options c = {.n_ctx = 64, .n_seq = 1, .n_batch = 48, .n_logits = 3};
    assert_int_equal(llm_make_plan(f.m, &c, &plan, NULL), HEARTH_OK);
    uint64_t scratch = plan.scratch_bytes, own = plan.model_bytes, read = plan.weights_bytes;
    size_t before = mem_get_usage(MEM_MODEL).now_bytes;
    assert_int_equal(llm_model_adapt(f.m, a.g, 1, NULL), HEARTH_OK);
    assert_int_equal(llm_make_plan(f.m, &c, &plan, NULL), HEARTH_OK);
    assert_int_equal(plan.model_bytes - own, mem_get_usage(MEM_MODEL).now_bytes - before);
    uint64_t tensors = 0;
    for (size_t i = 0; i < gguf_tensor_count(a.g); i++) tensors += gguf_tensor_at(a.g, i)->bytes;
    assert_int_equal(plan.weights_bytes - read, tensors);
    assert_true(plan.scratch_bytes > scratch);
    mem_reset_peaks();
    assert_int_equal(llm_ctx_create(f.m, &c, &f.c, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_new(f.c, &seq, NULL), HEARTH_OK);
    llm_row rows[48];
    for (int i = 0; i < 48; i++)
        rows[i] = (llm_row){.seq = seq, .pos = i, .token = i, .want = i < 3 ? LLM_WANT_LOGITS : 0};
    assert_int_equal(llm_step(f.c, rows, 48, NULL), HEARTH_OK);
    assert_int_equal(mem_get_usage(MEM_SCRATCH).peak_bytes, plan.scratch_bytes);
    fixture_close(&f);
    close_file(&model);
    close_file(&a);
}

// --- what is refused ----------------------------------------------------------------------------

typedef struct bad {
    const char *type, *kind, *arch; // NULL: as it should be
    const char *name[2];            // of tensors [64, 2] and [2, 64]; the second may be NULL
    int64_t wide;                   // instead of the second's 64
    const char *message;
} bad;

static void make_bad(const bad *b, gguf **out)
{
    static const float values[4096];
    const int64_t first[2] = {64, 2}, second[2] = {2, b->wide ? b->wide : 64};
    gguf_builder *g;
    assert_int_equal(gguf_builder_create(&g, NULL), HEARTH_OK);
    gguf_writer *w = gguf_builder_keys(g);
    gguf_write_str(w, "general.type", str_from(b->type ? b->type : "adapter"), NULL);
    gguf_write_str(w, "adapter.type", str_from(b->kind ? b->kind : "lora"), NULL);
    gguf_write_str(w, "general.architecture", str_from(b->arch ? b->arch : "llama"), NULL);
    gguf_write_f32(w, "adapter.lora.alpha", 1, NULL);
    gguf_builder_tensor(g, b->name[0], DTYPE_F32, 2, first, values, NULL);
    if (b->name[1]) gguf_builder_tensor(g, b->name[1], DTYPE_F32, 2, second, values, NULL);
    assert_int_equal(gguf_builder_finish(g, out, NULL), HEARTH_OK);
    gguf_builder_free(g);
}

static void test_refused(void **state)
{
    (void)state;
#define PAIR(x) {x ".lora_a", x ".lora_b"}
    const bad cases[] = {
        {.type = "model", .name = PAIR("blk.0.attn_q.weight"),
         .message = "key 'general.type' is 'model', expected 'adapter'"},
        {.kind = "ia3", .name = PAIR("blk.0.attn_q.weight"), .message = "'adapter.type' is 'ia3'"},
        {.arch = "qwen2", .name = PAIR("blk.0.attn_q.weight"),
         .message = "key 'general.architecture' is 'qwen2', expected 'llama'"},
        {.name = {"blk.0.attn_q.weight.lora_a"},
         .message = "there is no 'blk.0.attn_q.weight.lora_b'"},
        {.name = {"blk.0.attn_q.weight.lora_b"},
         .message = "there is no 'blk.0.attn_q.weight.lora_a'"},
        {.name = {"blk.0.attn_norm.weight"}, .message = "is no half of a matrix"},
        {.name = PAIR("blk.0.attn_norm.weight"),
         .message = "'blk.0.attn_norm.weight' are not supp"},
        {.name = PAIR("blk.7.attn_q.weight"), .message = "the model has no 'blk.7.attn_q.weight'"},
        {.name = PAIR("token_embd.weight"), .wide = 300,
         .message = "adapters of 'token_embd.weight' are not supported"},
        {.name = PAIR("blk.0.attn_q.weight"), .wide = 62,
         .message = "shapes [64, 2] and [2, 62] do not belong to a matrix [64, 64]"},
        {.name = PAIR("blk.0.ffn_down.weight"), .message = "do not belong to a matrix ["},
    };
    file model;
    make_model(TEST_LLAMA, DTYPE_F32, &model);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fixture f;
        gguf *g;
        hearth_err err = ERR_INIT;
        fixture_options o = fixture_default();
        make_bad(&cases[i], &g);
        o.adapter = g;
        o.adapter_scale = 1;
        hearth_status s = fixture_open(&f, model.bytes.p, model.bytes.n, &o, &err);
        if (s == HEARTH_OK || !strstr(err.msg, cases[i].message))
            fail_msg("%d '%s', expected '%s'", s, err.msg, cases[i].message);
        gguf_close(g);
    }
    close_file(&model);
}

// Bits anywhere in the file changed: an error in one line or an adapter, and no harm.
static void test_random_damage(void **state)
{
    (void)state;
    const adapter_spec spec = {.seed = 1, .rank = 1, .alpha = 6};
    file model, a;
    rng r;
    rng_seed(&r, 1);
    make_model(TEST_LLAMA, DTYPE_F32, &model);
    make_adapter(model.g, &spec, &a);
    for (int i = 0; i < 300; i++) {
        fixture f;
        hearth_err err = ERR_INIT;
        fixture_options o = fixture_default();
        file hurt = {0};
        buf_init(&hurt.bytes, MEM_TEST, 1u << 28);
        assert_int_equal(buf_append(&hurt.bytes, a.bytes.p, a.bytes.n), HEARTH_OK);
        for (int n = 0; n < 1 + i % 4; n++) {
            uint32_t at = rng_below(&r, i % 2 ? 2000 : (uint32_t)a.bytes.n);
            hurt.bytes.p[at] = (char)(hurt.bytes.p[at] ^ 1 << rng_below(&r, 7));
        }
        const gguf_bytes part = {"file", (const uint8_t *)hurt.bytes.p, hurt.bytes.n};
        if (gguf_open(&part, 1, &hurt.g, &err) == HEARTH_OK) {
            o.adapter = hurt.g;
            o.ctx.n_ctx = 0;
            if (fixture_open(&f, model.bytes.p, model.bytes.n, &o, &err) == HEARTH_OK)
                fixture_close(&f);
        }
        assert_null(strchr(err.msg, '\n'));
        close_file(&hurt);
    }
    close_file(&model);
    close_file(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merged),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
