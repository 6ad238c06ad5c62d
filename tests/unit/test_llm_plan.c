// The plan of a context's memory is what the tagged allocator sees at its peak, to the byte; and a
// step allocates nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "llm/synth.h"
#include "support/golden_model.h"
#include "support/llm_fixture.h"
#include "support/model_file.h"
#include "support/test_data.h"

static const test_arch arches[] = {TEST_LLAMA, TEST_QWEN2, TEST_QWEN3, TEST_GEMMA2, TEST_GEMMA3,
                                   TEST_QWEN35};

static void make_model(test_arch arch, dtype type, buf *file)
{
    test_model_spec spec = test_model_default(arch, type);
    buf_init(file, MEM_TEST, 1u << 28);
    assert_true(test_model_make(&spec, file));
}

// A step that uses all of its batch, twice, in as many sequences as there are.
static void step_full_batches(fixture *f)
{
    const llm_ctx_options *o = llm_ctx_get_options(f->c);
    llm_row rows[64];
    llm_seq seq[8];
    int n = int_min(o->n_batch, (int)COUNTOF(rows));
    int64_t pages = o->n_ctx / LLM_PAGE;
    int n_seq = (int)i64_min(o->n_seq, pages), at[8] = {0};
    for (int i = 0; i < n_seq; i++) assert_int_equal(llm_seq_new(f->c, &seq[i], NULL), HEARTH_OK);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < n; i++) {
            int which = i % n_seq;
            if (at[which] == LLM_PAGE) return;
            rows[i] = (llm_row){.seq = seq[which], .pos = at[which]++, .token = i,
                                .want = i < o->n_logits ? LLM_WANT_LOGITS : 0};
        }
        assert_int_equal(llm_step(f->c, rows, n, NULL), HEARTH_OK);
    }
}

static void check_plan(fixture *f, const llm_ctx_options *o)
{
    hearth_err err = ERR_INIT;
    llm_plan plan;
    assert_int_equal(llm_make_plan(f->m, o, &plan, &err), HEARTH_OK);
    mem_reset_peaks();
    assert_int_equal(mem_get_usage(MEM_CACHE).now_bytes, 0);
    assert_int_equal(mem_get_usage(MEM_SCRATCH).now_bytes, 0);
    assert_int_equal(llm_ctx_create(f->m, o, &f->c, &err), HEARTH_OK);
    step_full_batches(f);
    assert_int_equal(mem_get_usage(MEM_CACHE).peak_bytes, plan.cache_bytes);
    assert_int_equal(mem_get_usage(MEM_SCRATCH).peak_bytes, plan.scratch_bytes);
    assert_int_equal(plan.total_bytes, plan.weights_bytes + plan.model_bytes + plan.cache_bytes +
                                           plan.scratch_bytes);
    llm_ctx_free(f->c);
    f->c = NULL;
    assert_int_equal(mem_get_usage(MEM_CACHE).now_bytes, 0);
    assert_int_equal(mem_get_usage(MEM_SCRATCH).now_bytes, 0);
}

static void check_matrix(fixture *f)
{
    static const int64_t contexts[] = {1, 64, 100, 4096};
    static const dtype types[] = {DTYPE_F32, DTYPE_F16};
    static const int seqs[] = {1, 8};
    for (size_t i = 0; i < COUNTOF(contexts) * COUNTOF(types) * COUNTOF(seqs); i++) {
        dtype t = types[i / 2 % 2];
        llm_ctx_options o = {.n_ctx = contexts[i / 4], .n_seq = seqs[i % 2], .n_batch = 48,
                             .n_logits = (int)(i % 3) + 1, .type_k = t, .type_v = t};
        check_plan(f, &o);
    }
}

static void test_plan_is_peak(void **state)
{
    (void)state;
    static const dtype types[] = {DTYPE_F32, DTYPE_Q4_0, DTYPE_Q6_K};
    for (size_t i = 0; i < COUNTOF(arches) * COUNTOF(types); i++) {
        buf file;
        fixture f;
        fixture_options o = fixture_default();
        make_model(arches[i / 3], types[i % 3], &file);
        o.ctx.n_ctx = 0;
        o.n_threads = 1 + (int)i % 2;
        assert_int_equal(fixture_open(&f, file.p, file.n, &o, NULL), HEARTH_OK);
        check_matrix(&f);
        fixture_close(&f);
        buf_release(&file);
    }
}

static void open_golden(fixture *f, const char *file, int i, const fixture_options *o)
{
    static golden_set set;
    char path[512];
    hearth_err err = ERR_INIT;
    test_source_path(file, path, sizeof path);
    if (golden_load(path, &set, &err)) fail_msg("%s", err.msg);
    const golden_case *c = &set.cases[i];
    if (fixture_open(f, c->gguf, c->gguf_bytes, o, &err)) fail_msg("%s: %s", c->name, err.msg);
    golden_release(&set);
}

// Layers of several shapes, and scratch that a family asks for itself.
static void test_plan_of_other_shapes(void **state)
{
    (void)state;
    static const char *const sets[] = {"golden/llm/latent_cases.json",
                                       "golden/llm/gemma3n_cases.json",
                                       "golden/llm/gemma4_cases.json"};
    for (int i = 0; i < 9; i++) {
        fixture f;
        fixture_options o = fixture_default();
        o.ctx.n_ctx = 0;
        open_golden(&f, sets[i % 3], i / 3, &o);
        check_matrix(&f);
        fixture_close(&f);
    }
}

// Of a position the cache holds the latent vector and the rotated key, nothing per head.
static void test_latent_cache(void **state)
{
    (void)state;
    hearth_err err = ERR_INIT;
    fixture f;
    fixture_options o = fixture_default();
    llm_plan small, large;
    open_golden(&f, "golden/llm/latent_cases.json", 0, &o);
    const llm_config *c = llm_model_config(f.m);
    llm_ctx_options at = {.n_ctx = 64, .n_seq = 1, .n_batch = 1, .n_logits = 1,
                          .type_k = DTYPE_F16, .type_v = DTYPE_F16};
    assert_int_equal(llm_make_plan(f.m, &at, &small, &err), HEARTH_OK);
    at.n_ctx = 64 * 1001;
    assert_int_equal(llm_make_plan(f.m, &at, &large, &err), HEARTH_OK);
    assert_int_equal(c->d_k, 24 + 8);
    // Beside 64 positions of all layers a page has a few numbers in tables on the host.
    uint64_t page = (large.cache_bytes - small.cache_bytes) / 1000;
    uint64_t keys = (uint64_t)(64 * c->n_layer * c->d_k * 2);
    assert_in_range(page, keys, keys + 64);
    fixture_close(&f);
}

static void test_plan_of_mixtures(void **state)
{
    (void)state;
    static const char *const names[] = {"tiny-moe", "tiny-gpt-oss"};
    static const char *const types[] = {"F32", "Q4_K"};
    for (size_t i = 0; i < COUNTOF(names) * COUNTOF(types); i++) {
        uint8_t *p;
        size_t n;
        fixture f;
        fixture_options o = fixture_default();
        assert_int_equal(synth_make(synth_find(names[i % 2]), types[i / 2], 1, &p, &n, NULL),
                         HEARTH_OK);
        o.ctx.n_ctx = 0;
        assert_int_equal(fixture_open(&f, p, n, &o, NULL), HEARTH_OK);
        check_matrix(&f);
        fixture_close(&f);
        mem_free(p);
    }
}

// Half of the plan's figures are the model's own: bytes of bound tensors, and MEM_MODEL.
static void test_plan_of_model(void **state)
{
    (void)state;
    buf file;
    gguf *g;
    dev *d;
    llm_model *m;
    llm_plan plan;
    llm_ctx_options o;
    make_model(TEST_QWEN3, DTYPE_Q4_0, &file);
    const gguf_bytes part = {"model", (const uint8_t *)file.p, file.n};
    assert_int_equal(gguf_open(&part, 1, &g, NULL), HEARTH_OK);
    assert_int_equal(dev_cpu_open(1, 0, &d, NULL), HEARTH_OK);
    size_t before = mem_get_usage(MEM_MODEL).now_bytes, tensors = 0;
    assert_int_equal(llm_model_open(g, d, NULL, &m, NULL), HEARTH_OK);
    llm_ctx_options_default(&o);
    assert_int_equal(llm_make_plan(m, &o, &plan, NULL), HEARTH_OK);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        size_t row;
        assert_true(dtype_bytes(t->type, t->dim[0], &row));
        tensors += row * (size_t)t->dim[1];
    }
    assert_int_equal(plan.weights_bytes, tensors);
    assert_int_equal(plan.model_bytes, mem_get_usage(MEM_MODEL).now_bytes - before);
    llm_model_close(m);
    dev_close(d);
    gguf_close(g);
    buf_release(&file);
}

static uint64_t all_allocations(void)
{
    uint64_t n = 0;
    for (int t = 0; t < MEM_TAG_COUNT; t++) n += mem_get_usage((mem_tag)t).allocations;
    return n;
}

static void test_steps_allocate_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(arches); i++) {
        buf file;
        fixture f;
        fixture_options o = fixture_default();
        llm_session *s;
        int32_t ids[130];
        make_model(arches[i], DTYPE_Q8_0, &file);
        o.n_threads = 2;
        o.ctx.n_batch = 32;
        assert_int_equal(fixture_open(&f, file.p, file.n, &o, NULL), HEARTH_OK);
        assert_int_equal(session_create(f.c, 0, &s, NULL), HEARTH_OK);
        for (int k = 0; k < 130; k++) ids[k] = k;
        uint64_t before = all_allocations();
        for (int n = 66; n < 130; n++)
            assert_int_equal(session_sync(s, ids, n, NULL, NULL, NULL), HEARTH_OK);
        assert_int_equal(all_allocations(), before);
        session_free(s);
        fixture_close(&f);
        buf_release(&file);
    }
}

static void expect_refused(const fixture *f, llm_ctx_options o, hearth_status expected)
{
    llm_plan plan;
    llm_ctx *c;
    assert_int_equal(llm_make_plan(f->m, &o, &plan, NULL), expected);
    assert_int_equal(llm_ctx_create(f->m, &o, &c, NULL), expected);
    assert_null(c);
}

static void test_refused_options(void **state)
{
    (void)state;
    buf file;
    fixture f;
    fixture_options fo = fixture_default();
    const dtype half = DTYPE_F16, full = DTYPE_F32, q8 = DTYPE_Q8_0;
    const llm_pooling no = LLM_POOL_NONE;
    fo.ctx.n_ctx = 0;
    make_model(TEST_LLAMA, DTYPE_F32, &file);
    assert_int_equal(fixture_open(&f, file.p, file.n, &fo, NULL), HEARTH_OK);
    expect_refused(&f, (llm_ctx_options){0, 1, 8, 1, half, half, no}, HEARTH_E_ARG);
    expect_refused(&f, (llm_ctx_options){LIMIT_CONTEXT + 1, 1, 8, 1, half, half, no}, HEARTH_E_ARG);
    expect_refused(&f, (llm_ctx_options){64, 0, 8, 1, half, half, no}, HEARTH_E_ARG);
    expect_refused(&f, (llm_ctx_options){64, LIMIT_SEQUENCES + 1, 8, 1, half, half, no},
                   HEARTH_E_ARG);
    expect_refused(&f, (llm_ctx_options){64, 1, -1, 1, half, half, no}, HEARTH_E_ARG);
    expect_refused(&f, (llm_ctx_options){64, 1, 8, 0, half, half, no}, HEARTH_E_ARG);
    expect_refused(&f, (llm_ctx_options){64, 1, 8, 1, full, half, no}, HEARTH_E_UNSUPPORTED);
    expect_refused(&f, (llm_ctx_options){64, 1, 8, 1, q8, q8, no}, HEARTH_E_UNSUPPORTED);
    fixture_close(&f);
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_is_peak), cmocka_unit_test(test_plan_of_mixtures),
        cmocka_unit_test(test_plan_of_other_shapes), cmocka_unit_test(test_latent_cache),
        cmocka_unit_test(test_plan_of_model),
        cmocka_unit_test(test_steps_allocate_nothing), cmocka_unit_test(test_refused_options),
    };
    return cmocka_run_group_tests_name("llm plan", tests, NULL, NULL);
}
