// Encoders, pooling and classifiers against Hugging Face transformers (gen_encoder_goldens.py).
//
// For each case: the hidden states of every token and the vector of the whole text, on the
// reference kernels, on each stronger instruction set of this processor and through a device whose
// buffers cannot be looked into: within 1e-5 of the range of the golden (gelu in its tanh form
// instead of the exact one is 5e-5 off). Then the promises of llm_embed(): the same bits for a text
// alone and between others, and for a decoder's text cut into steps.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "fmt/npy.h"
#include "kern/kern.h"
#include "llm/llm.h"
#include "support/closed_dev.h"
#include "support/golden_model.h"
#include "support/test_data.h"

enum { N_CASES = 12, MAX_VALUES = 1 << 16 };

static float ours[MAX_VALUES], again[MAX_VALUES];

// --- models -------------------------------------------------------------------------------------

typedef struct opened {
    gguf *g;
    dev *d;
    llm_model *m;
} opened;

static opened open_case(const golden_case *c, unsigned cpu, bool is_closed)
{
    opened o = {0};
    hearth_err err = ERR_INIT;
    gguf_bytes bytes = {c->name, c->gguf, c->gguf_bytes};
    dev *inner = NULL;
    if (dev_cpu_open(2, cpu, &inner, &err)) fail_msg("%s", err.msg);
    o.d = inner;
    if (is_closed && closed_dev_open(inner, &o.d, &err)) fail_msg("%s", err.msg);
    if (gguf_open(&bytes, 1, &o.g, &err) || llm_model_open(o.g, o.d, NULL, &o.m, &err))
        fail_msg("%s: %s", c->name, err.msg);
    return o;
}

static void close_case(opened *o)
{
    llm_model_close(o->m);
    dev_close(o->d);
    gguf_close(o->g);
}

static llm_text text_of(const golden_case *c)
{
    return (llm_text){c->tokens, c->n_tokens, c->n_tokens * 2 / 3};
}

// Hidden states of all tokens in one step; n_embd.
static int64_t run_hidden(const golden_case *c, const opened *o, float *out)
{
    hearth_err err = ERR_INIT;
    llm_ctx *ctx = NULL;
    llm_seq seq;
    llm_ctx_options co;
    const llm_config *config = llm_model_config(o->m);
    llm_row rows[GOLDEN_MAX_TOKENS];
    llm_text text = text_of(c);
    llm_ctx_options_default(&co);
    co.n_ctx = co.n_batch = co.n_logits = c->n_tokens;
    co.type_k = co.type_v = DTYPE_F32;
    if (llm_ctx_create(o->m, &co, &ctx, &err) || llm_seq_new(ctx, &seq, &err))
        fail_msg("%s: %s", c->name, err.msg);
    for (int i = 0; i < c->n_tokens; i++)
        rows[i] = (llm_row){.seq = seq, .pos = i, .token = c->tokens[i], .want = LLM_WANT_HIDDEN,
                            .part = config->n_parts > 1 && i >= text.n_first,
                            .hidden_layer = (int16_t)config->n_layer};
    if (llm_step(ctx, rows, c->n_tokens, &err)) fail_msg("%s: %s", c->name, err.msg);
    assert_true(c->n_tokens * config->n_embd <= MAX_VALUES);
    for (int i = 0; i < c->n_tokens; i++)
        memcpy(out + i * config->n_embd, llm_hidden(ctx, i), (size_t)config->n_embd * sizeof *out);
    llm_ctx_free(ctx);
    return config->n_embd;
}

static size_t bytes_in_use(void)
{
    return mem_get_usage(MEM_SCRATCH).now_bytes + mem_get_usage(MEM_CACHE).now_bytes;
}

// The vectors of texts in a context made for them, or with steps of n_batch rows; their width.
static int64_t run_texts(const opened *o, const llm_text *texts, int64_t n, int n_batch, float *out)
{
    hearth_err err = ERR_INIT;
    llm_ctx *ctx = NULL;
    llm_ctx_options co;
    int64_t longest = 0, total = 0;
    for (int64_t i = 0; i < n; i++) {
        longest = i64_max(longest, texts[i].n);
        total += texts[i].n;
    }
    if (llm_embed_options(o->m, LLM_POOL_NONE, longest, total, n, &co, &err))
        fail_msg("%s", err.msg);
    if (n_batch) co.n_batch = n_batch;
    llm_plan plan;
    if (llm_make_plan(o->m, &co, &plan, &err)) fail_msg("%s", err.msg);
    size_t before = bytes_in_use();
    if (llm_ctx_create(o->m, &co, &ctx, &err)) fail_msg("%s", err.msg);
    size_t taken = bytes_in_use() - before;
    assert_int_equal(taken, plan.scratch_bytes + plan.cache_bytes);
    if (llm_embed(ctx, texts, n, out, &err)) fail_msg("%s", err.msg);
    llm_ctx_free(ctx);
    return llm_model_pooled_width(o->m, co.pooling);
}

// --- goldens ------------------------------------------------------------------------------------

static double compare(const char *name, const char *suffix, const float *got, int64_t cols)
{
    char file[128], path[512];
    size_t n = 0;
    npy a;
    hearth_err err = ERR_INIT;
    snprintf(file, sizeof file, "golden/llm/%s%s", name, suffix);
    test_source_path(file, path, sizeof path);
    unsigned char *bytes = test_read_file(path, &n);
    assert_non_null(bytes);
    assert_int_equal(npy_parse(bytes, n, &a, &err), HEARTH_OK);
    assert_int_equal(a.type, NPY_F32);
    assert_int_equal(a.dim[1], cols);
    const float *want = (const float *)(const void *)a.data;
    double low = 0, high = 0, worst = 0; // of a single value, its distance from 0 is the range
    for (int64_t i = 0; i < a.dim[0] * cols; i++) {
        double difference = fabs((double)got[i] - (double)want[i]);
        low = fmin(low, (double)want[i]);
        high = fmax(high, (double)want[i]);
        if (!(difference <= worst)) worst = difference; // a NaN stays
    }
    free(bytes);
    return worst / (high - low);
}

static void check_goldens(const golden_case *c)
{
    static const struct { const char *name; unsigned cpu; bool is_closed; } runs[] = {
        {"reference", 0, false},
        {"AVX2 at most", CPU_AVX2, false},
        {"all of this processor", CPU_ALL, false},
        {"closed device", CPU_ALL, true},
    };
    for (size_t i = 0; i < COUNTOF(runs); i++) {
        opened o = open_case(c, runs[i].cpu, runs[i].is_closed);
        llm_text text = text_of(c);
        int64_t n_embd = run_hidden(c, &o, ours);
        double hidden = compare(c->name, ".npy", ours, n_embd);
        int64_t width = run_texts(&o, &text, 1, 0, ours);
        double pooled = compare(c->name, ".pooled.npy", ours, width);
        printf("  %-20s %-22s hidden %.2e, vector %.2e of the range\n", c->name, runs[i].name,
               hidden, pooled);
        if (!(hidden <= 1e-5 && pooled <= 1e-5)) fail_msg("%s: at most 1e-5", c->name);
        close_case(&o);
    }
}

// --- promises -----------------------------------------------------------------------------------

// Texts of several lengths, together and one by one.
static void check_company(const golden_case *c)
{
    opened o = open_case(c, CPU_ALL, false);
    llm_text texts[5];
    for (int i = 0; i < 5; i++) {
        texts[i] = text_of(c);
        texts[i].ids += i * 3;
        texts[i].n = i == 2 ? 1 : c->n_tokens - i * 7;
        texts[i].n_first = texts[i].n / 2;
    }
    int64_t width = run_texts(&o, texts, 5, 0, ours);
    for (int i = 0; i < 5; i++) {
        run_texts(&o, &texts[i], 1, 0, again);
        assert_memory_equal(again, ours + i * width, (size_t)width * sizeof *ours);
    }
    close_case(&o);
}

static hearth_status embed_in_batch(const opened *o, const llm_text *text, int n_batch,
                                    hearth_err *err)
{
    llm_ctx *ctx = NULL;
    llm_ctx_options co;
    hearth_status status = llm_embed_options(o->m, LLM_POOL_NONE, text->n, text->n, 1, &co, err);
    if (status != HEARTH_OK) return status;
    co.n_batch = n_batch;
    status = llm_ctx_create(o->m, &co, &ctx, err);
    if (status == HEARTH_OK) status = llm_embed(ctx, text, 1, again, err);
    llm_ctx_free(ctx);
    return status;
}

// A text longer than a step: cut where that changes nothing, refused in words elsewhere.
static void check_cut(const golden_case *c)
{
    opened o = open_case(c, CPU_ALL, false);
    const llm_config *config = llm_model_config(o.m);
    llm_text text = text_of(c);
    hearth_err err = ERR_INIT;
    int64_t width = run_texts(&o, &text, 1, 0, ours);
    bool may_cut = !config->is_encoder && config->pooling != LLM_POOL_MEAN;
    hearth_status status = embed_in_batch(&o, &text, 7, &err);
    assert_int_equal(status, may_cut ? HEARTH_OK : HEARTH_E_LIMIT);
    if (may_cut) assert_memory_equal(again, ours, (size_t)width * sizeof *ours);
    else assert_non_null(strstr(err.msg, "the context reads 7 at once"));
    close_case(&o);
}

static void test_goldens(void **state)
{
    char path[512];
    hearth_err err = ERR_INIT;
    const char *only = getenv("HEARTH_GOLDEN_CASE");
    golden_set *set = calloc(1, sizeof *set);
    (void)state;
    assert_non_null(set);
    test_source_path("golden/llm/encoder_cases.json", path, sizeof path);
    if (golden_load(path, set, &err)) fail_msg("%s", err.msg);
    assert_int_equal(set->n, N_CASES);
    for (int i = 0; i < set->n; i++) {
        if (only && strcmp(only, set->cases[i].name)) continue;
        check_goldens(&set->cases[i]);
        check_company(&set->cases[i]);
        check_cut(&set->cases[i]);
    }
    golden_release(set);
    free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens)};
    return cmocka_run_group_tests_name("golden_embed", tests, NULL, NULL);
}
