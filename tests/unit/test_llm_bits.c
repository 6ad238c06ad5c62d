// The promise that makes everything else testable: a row's logits are the same bits whatever the
// threads, the batches, the neighbours, and however the cache came to be.
//
// One list of ways to run a model, each compared byte for byte with the plainest one (one thread,
// all tokens in one step, alone), for each architecture and each type that computes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "llm/synth.h"
#include "support/adapter_file.h"
#include "support/golden_model.h"
#include "support/llm_fixture.h"
#include "support/model_file.h"
#include "support/test_data.h"

// Two full pages and a part of a third; the split lies inside the second page.
enum { N = 133, SPLIT = 77, N_OTHERS = 8 };

typedef struct subject {
    const void *bytes;
    size_t n_bytes;
    const char *name;
    bool is_quantized;
    bool is_mixture;
    bool is_whole; // its layers cannot be parted
    int64_t n_vocab;
    int32_t ids[N];
    fixture_options base;
    float *expected, *got; // [N][n_vocab]
} subject;

static size_t logits_bytes(const subject *s, int n)
{
    return (size_t)n * (size_t)s->n_vocab * sizeof(float);
}

static void open_subject(const subject *s, const fixture_options *o, fixture *f)
{
    hearth_err err = ERR_INIT;
    if (fixture_open(f, s->bytes, s->n_bytes, o, &err) != HEARTH_OK)
        fail_msg("%s: %s", s->name, err.msg);
}

static void expect_same(const subject *s, const float *got, int from, int n, const char *way)
{
    const float *want = s->expected + (size_t)from * (size_t)s->n_vocab;
    if (memcmp(want, got, logits_bytes(s, n)) != 0) fail_msg("%s: %s: other bits", s->name, way);
}

static llm_seq new_seq(fixture *f)
{
    llm_seq seq;
    assert_int_equal(llm_seq_new(f->c, &seq, NULL), HEARTH_OK);
    return seq;
}

static void compute(fixture *f, const subject *s, llm_seq seq, int from, int n, int batch,
                    float *out)
{
    hearth_err err = ERR_INIT;
    if (fixture_logits(f, seq, s->ids, from, n, batch, out, &err) != HEARTH_OK)
        fail_msg("%s: %s", s->name, err.msg);
}

static void run_plain(const subject *s, const fixture_options *o, int batch, float *out)
{
    fixture f;
    open_subject(s, o, &f);
    compute(&f, s, new_seq(&f), 0, N, batch, out);
    fixture_close(&f);
}

// All 16 pairs with HEARTH_TEST_LONG in the environment, otherwise each number in one at least.
static void check_threads_and_batches(const subject *s)
{
    static const int batches[] = {1, 7, 64, N};
    bool all = getenv("HEARTH_TEST_LONG") != NULL;
    for (int threads = 1; threads <= 4; threads++) {
        for (int b = 0; b < 4; b++) {
            if (!all && b != threads - 1 && !(threads == 4 && b == 0)) continue;
            fixture_options o = s->base;
            char way[64];
            snprintf(way, sizeof way, "%d threads, batches of %d", threads, batches[b]);
            o.n_threads = threads;
            run_plain(s, &o, batches[b], s->got);
            expect_same(s, s->got, 0, N, way);
        }
    }
}

static void check_closed(const subject *s)
{
    fixture_options o = s->base;
    o.is_closed = true;
    run_plain(s, &o, 64, s->got);
    expect_same(s, s->got, 0, N, "closed device");
}

// Each step has rows of nine sequences that go at different speeds; the subject's are in between.
static void check_among_others(const subject *s)
{
    fixture f;
    fixture_options o = s->base;
    o.ctx.n_seq = N_OTHERS + 1;
    o.ctx.n_ctx = (N_OTHERS + 1) * 192;
    o.n_threads = 2;
    open_subject(s, &o, &f);
    llm_seq seq[N_OTHERS + 1];
    int done[N_OTHERS + 1] = {0};
    for (int i = 0; i <= N_OTHERS; i++) seq[i] = new_seq(&f);
    while (done[4] < N) {
        llm_row rows[64];
        int n = 0, mine = 0;
        for (int i = 0; i <= N_OTHERS; i++) {
            for (int k = 0; k < 1 + (i * 3 + 1) % 5 && done[i] < N; k++, done[i]++) {
                int32_t token = i == 4 ? s->ids[done[i]] : s->ids[(done[i] * 7 + i) % N];
                rows[n++] = (llm_row){.seq = seq[i], .pos = done[i], .token = token,
                                      .want = i == 4 ? LLM_WANT_LOGITS : LLM_WANT_NOTHING};
                mine += i == 4;
            }
        }
        assert_int_equal(llm_step(f.c, rows, n, NULL), HEARTH_OK);
        for (int i = 0, at = done[4] - mine; i < n; i++)
            if (rows[i].seq == seq[4]) expect_same(s, llm_logits(f.c, i), at++, 1, "among others");
    }
    fixture_close(&f);
}

static void check_export_import(const subject *s)
{
    fixture a, b;
    open_subject(s, &s->base, &a);
    open_subject(s, &s->base, &b);
    llm_seq from = new_seq(&a), to;
    compute(&a, s, from, 0, SPLIT, N, s->got);
    size_t n = llm_seq_export_bytes(a.c, from);
    void *blob = malloc(n);
    assert_non_null(blob);
    assert_int_equal(llm_seq_export(a.c, from, blob, n, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_import(b.c, blob, n, &to, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_length(b.c, to), SPLIT);
    void *again = malloc(n);
    assert_non_null(again);
    assert_int_equal(llm_seq_export(b.c, to, again, n, NULL), HEARTH_OK);
    assert_memory_equal(blob, again, n);
    compute(&b, s, to, SPLIT, N, N, s->got);
    expect_same(s, s->got, SPLIT, N - SPLIT, "export and import");
    if (llm_seq_nearest(b.c, to, SPLIT) == SPLIT) {
        assert_int_equal(llm_seq_rewind(b.c, to, SPLIT, NULL), HEARTH_OK);
        assert_int_equal(llm_seq_export(b.c, to, again, n, NULL), HEARTH_OK);
        assert_memory_equal(blob, again, n);
    }
    free(again);
    free(blob);
    fixture_close(&a);
    fixture_close(&b);
}

// Goes back to n, or as near before it as the model can; returns where that is.
static int go_back(fixture *f, llm_seq seq, int n)
{
    int near = (int)llm_seq_nearest(f->c, seq, n);
    assert_in_range(near, 0, n);
    if (near < n) assert_int_equal(llm_seq_rewind(f->c, seq, n, NULL), HEARTH_E_STATE);
    assert_int_equal(llm_seq_rewind(f->c, seq, near, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_length(f->c, seq), near);
    return near;
}

// A fork goes its own way; then the original is rewound and computed again.
static void check_fork_and_rewind(const subject *s)
{
    fixture f;
    fixture_options o = s->base;
    llm_seq fork;
    o.ctx.n_seq = 2;
    open_subject(s, &o, &f);
    llm_seq seq = new_seq(&f);
    compute(&f, s, seq, 0, SPLIT + 20, N, s->got);
    int split = (int)llm_seq_nearest(f.c, seq, SPLIT); // a recurrent state has a checkpoint there
    assert_in_range(split, LLM_PAGE, SPLIT);
    assert_int_equal(llm_seq_fork(f.c, seq, split, &fork, NULL), HEARTH_OK);
    llm_row row = {.seq = fork, .pos = split, .token = (s->ids[split] + 1) % (int32_t)s->n_vocab};
    assert_int_equal(llm_step(f.c, &row, 1, NULL), HEARTH_OK);
    compute(&f, s, seq, SPLIT + 20, N, N, s->got);
    expect_same(s, s->got, SPLIT + 20, N - SPLIT - 20, "beside a fork");
    int at = go_back(&f, fork, split);
    compute(&f, s, fork, at, N, 7, s->got);
    expect_same(s, s->got, at, N - at, "fork");
    at = go_back(&f, seq, 3);
    compute(&f, s, seq, at, N, N, s->got);
    expect_same(s, s->got, at, N - at, "rewound");
    fixture_close(&f);
}

// Layer 0 in one part, the rest in another; the hidden rows are carried over by hand.
static void check_two_parts(const subject *s)
{
    fixture a, b;
    fixture_options o = s->base;
    o.part = (llm_model_options){0, 1};
    if (s->is_whole) {
        assert_int_equal(fixture_open(&a, s->bytes, s->n_bytes, &o, NULL), HEARTH_E_UNSUPPORTED);
        return;
    }
    open_subject(s, &o, &a);
    if (llm_model_config(a.m)->n_layer < 2) {
        fixture_close(&a);
        return;
    }
    o.part = (llm_model_options){1, 0};
    open_subject(s, &o, &b);
    llm_row rows[N];
    llm_seq seq = new_seq(&a);
    for (int i = 0; i < N; i++)
        rows[i] = (llm_row){.seq = seq, .pos = i, .token = s->ids[i], .want = LLM_WANT_HIDDEN};
    assert_int_equal(llm_step(a.c, rows, N, NULL), HEARTH_OK);
    seq = new_seq(&b);
    for (int i = 0; i < N; i++)
        rows[i] = (llm_row){.seq = seq, .pos = i, .token = -1, .embd = llm_hidden(a.c, i),
                            .want = LLM_WANT_LOGITS};
    assert_int_equal(llm_step(b.c, rows, N, NULL), HEARTH_OK);
    for (int i = 0; i < N; i++) expect_same(s, llm_logits(b.c, i), i, 1, "two parts");
    fixture_close(&a);
    fixture_close(&b);
}

// Not the same bits: another instruction set rounds differently, but not by much. With quantised
// activations a last bit can move a value over a rounding boundary, which is then a whole step,
// 1/127 of its group's largest value; in a mixture that can choose another expert: no bound.
static void check_reference(const subject *s)
{
    fixture_options o = s->base;
    if (s->is_quantized && s->is_mixture) return;
    o.cpu = 0;
    run_plain(s, &o, 64, s->got);
    double most = 0, low = 0, high = 0;
    for (size_t i = 0; i < (size_t)N * (size_t)s->n_vocab; i++) {
        double want = (double)s->expected[i];
        most = fmax(most, fabs((double)s->got[i] - want));
        low = fmin(low, want);
        high = fmax(high, want);
    }
    if (!(most <= (s->is_quantized ? 2e-2 : 1e-4) * (high - low)))
        fail_msg("%s: reference kernels differ by %g of the range %g", s->name, most, high - low);
}

static void check_subject(subject *s)
{
    s->expected = malloc(logits_bytes(s, N));
    s->got = malloc(logits_bytes(s, N));
    assert_non_null(s->expected);
    assert_non_null(s->got);
    for (int i = 0; i < N; i++) s->ids[i] = (int32_t)((i * 7919 + 13) % s->n_vocab);
    run_plain(s, &s->base, N, s->expected);
    check_threads_and_batches(s);
    check_closed(s);
    check_among_others(s);
    check_export_import(s);
    check_fork_and_rewind(s);
    if (!s->is_whole) check_two_parts(s);
    check_reference(s);
    free(s->expected);
    free(s->got);
}

static void check_arch(test_arch arch, dtype cache)
{
    static const dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_Q4_0,
                                  DTYPE_Q8_0, DTYPE_Q4_K, DTYPE_Q6_K, DTYPE_Q5_1,
                                  DTYPE_IQ3_S, DTYPE_MXFP4};
    for (size_t i = 0; i < COUNTOF(types); i++) {
        test_model_spec spec = test_model_default(arch, types[i]);
        buf file;
        buf_init(&file, MEM_TEST, 1u << 28);
        assert_true(test_model_make(&spec, &file));
        subject s = {.bytes = file.p, .n_bytes = file.n, .name = dtype_get(types[i])->name,
                     .is_quantized = dtype_get(types[i])->is_quantized,
                     .n_vocab = spec.n_vocab, .base = fixture_default()};
        s.base.ctx.type_k = s.base.ctx.type_v = cache;
        check_subject(&s);
        buf_release(&file);
    }
}

static void test_llama(void **state)
{
    (void)state;
    check_arch(TEST_LLAMA, DTYPE_F32);
}

static void test_qwen2(void **state)
{
    (void)state;
    check_arch(TEST_QWEN2, DTYPE_F16);
}

static void test_qwen3(void **state)
{
    (void)state;
    check_arch(TEST_QWEN3, DTYPE_F32);
}

static void test_gemma2(void **state)
{
    (void)state;
    check_arch(TEST_GEMMA2, DTYPE_F16);
}

static void test_gemma3(void **state)
{
    (void)state;
    check_arch(TEST_GEMMA3, DTYPE_F32);
}

// Adapters with a rank that is no whole vector, on quantised matrices and others.
static void test_adapters(void **state)
{
    (void)state;
    static const dtype types[] = {DTYPE_F32, DTYPE_Q4_0};
    for (size_t i = 0; i < COUNTOF(types); i++) {
        const adapter_spec adapter = {.seed = 3, .rank = 5, .alpha = 5, .is_halves = i == 0};
        test_model_spec spec = test_model_default(TEST_LLAMA, types[i]);
        buf file, extra;
        gguf *g, *added;
        buf_init(&file, MEM_TEST, 1u << 28);
        buf_init(&extra, MEM_TEST, 1u << 28);
        assert_true(test_model_make(&spec, &file));
        gguf_bytes part = {"model", (const uint8_t *)file.p, file.n};
        assert_int_equal(gguf_open(&part, 1, &g, NULL), HEARTH_OK);
        assert_true(adapter_make(g, &adapter, &extra));
        part = (gguf_bytes){"adapter", (const uint8_t *)extra.p, extra.n};
        assert_int_equal(gguf_open(&part, 1, &added, NULL), HEARTH_OK);
        subject s = {.bytes = file.p, .n_bytes = file.n, .name = "adapted",
                     .is_quantized = dtype_get(types[i])->is_quantized,
                     .n_vocab = spec.n_vocab, .base = fixture_default()};
        s.base.adapter = added;
        s.base.adapter_scale = 0.75f;
        check_subject(&s);
        gguf_close(added);
        gguf_close(g);
        buf_release(&extra);
        buf_release(&file);
    }
}

// Experts are chosen per row, and their rows come together in one product.
static void test_mixtures(void **state)
{
    (void)state;
    static const char *const names[] = {"tiny-moe", "tiny-gpt-oss"};
    static const char *const types[] = {"F32", "BF16", "Q8_0", "Q4_K", "MXFP4"};
    for (size_t i = 0; i < COUNTOF(names) * COUNTOF(types); i++) {
        const char *type = types[i / 2];
        const synth_shape *shape = synth_find(names[i % 2]);
        uint8_t *p;
        size_t n;
        assert_int_equal(synth_make(shape, type, i, &p, &n, NULL), HEARTH_OK);
        subject s = {.bytes = p, .n_bytes = n, .name = names[i % 2], .is_quantized = i / 2 >= 2,
                     .is_mixture = true, .n_vocab = shape->n_vocab, .base = fixture_default()};
        check_subject(&s);
        mem_free(p);
    }
}

// The seeded models of the goldens whose layers have a recurrent state.
static void test_recurrent(void **state)
{
    (void)state;
    char path[512];
    hearth_err err = ERR_INIT;
    golden_set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    test_source_path("golden/llm/recurrent_cases.json", path, sizeof path);
    if (golden_load(path, set, &err)) fail_msg("%s", err.msg);
    for (int i = 0; i < set->n; i++) {
        const golden_case *c = &set->cases[i];
        subject s = {.bytes = c->gguf, .n_bytes = c->gguf_bytes, .name = c->name, .n_vocab = 96,
                     .is_whole = !strcmp(c->arch, "rwkv7"), .base = fixture_default()};
        check_subject(&s);
    }
    golden_release(set);
    free(set);
}

static void test_qwen35(void **state)
{
    (void)state;
    check_arch(TEST_QWEN35, DTYPE_F16);
}

// One model of a golden set.
static void check_golden(const char *file, const char *name, bool is_whole, dtype cache)
{
    static golden_set set;
    char path[512];
    hearth_err err = ERR_INIT;
    test_source_path(file, path, sizeof path);
    if (golden_load(path, &set, &err)) fail_msg("%s", err.msg);
    int i = 0;
    while (i < set.n && strcmp(set.cases[i].name, name)) i++;
    assert_in_range(i, 0, set.n - 1);
    subject s = {.bytes = set.cases[i].gguf, .n_bytes = set.cases[i].gguf_bytes, .name = name,
                 .is_whole = is_whole, .n_vocab = 96, .base = fixture_default()};
    s.base.ctx.type_k = s.base.ctx.type_v = cache;
    check_subject(&s);
    golden_release(&set);
}

// Latent vectors in place of keys; layers of two shapes, shared keys, inputs per layer,
// several residual streams.
static void test_layers_of_other_shapes(void **state)
{
    (void)state;
    check_golden("golden/llm/latent_cases.json", "deepseek3", false, DTYPE_F32);
    check_golden("golden/llm/latent_cases.json", "deepseek2_f16", false, DTYPE_F16);
    check_golden("golden/llm/gemma3n_cases.json", "gemma3n", true, DTYPE_F32);
    check_golden("golden/llm/gemma4_cases.json", "gemma4_e2b", true, DTYPE_F32);
    check_golden("golden/llm/gemma4_cases.json", "gemma4_moe", false, DTYPE_F32);
}

static void check_file(const char *name, int64_t n_vocab)
{
    size_t n;
    unsigned char *p = fixture_data(name, &n);
    if (!p) skip();
    subject s = {.bytes = p, .n_bytes = n, .name = name, .n_vocab = n_vocab,
                 .base = fixture_default()};
    check_subject(&s);
    free(p);
}

static void test_story_model(void **state)
{
    (void)state;
    check_file("llm-stories260k/stories260K.gguf", 512);
}

static void test_random_llama(void **state)
{
    (void)state;
    check_file("llm-gguf-random/llama-2-tiny-random.gguf", 32000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama), cmocka_unit_test(test_qwen2), cmocka_unit_test(test_qwen3),
        cmocka_unit_test(test_gemma2), cmocka_unit_test(test_gemma3),
        cmocka_unit_test(test_qwen35), cmocka_unit_test(test_mixtures),
        cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_recurrent), cmocka_unit_test(test_layers_of_other_shapes),
        cmocka_unit_test(test_story_model), cmocka_unit_test(test_random_llama),
    };
    return cmocka_run_group_tests_name("llm bits", tests, NULL, NULL);
}
