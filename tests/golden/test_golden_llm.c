// Logits of the seeded models of every family against Hugging Face transformers.
//
// For each case: on the reference kernels and on each stronger instruction set of this processor,
// in one batch and in uneven ones. Bounds (of the range of all golden logits of the case):
//   every type      1e-4 against a network with the same weights and the same activation
//                   quantisation (quantised types: on tokens that stay clear of rounding ties, see
//                   gen_llm_goldens.py)
//   quantised types mean KL <= 1e-3 against float activations, and the same most likely token
//                   wherever the float network's lead exceeds 3 % of the range
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


typedef struct logit_table { // rows x cols
    unsigned char *file;
    const float *at;
    int64_t rows, cols;
    double range;
} logit_table;

static logit_table load_table(const char *name, const char *suffix)
{
    char file[128], path[512];
    snprintf(file, sizeof file, "golden/llm/%s%s", name, suffix);
    test_source_path(file, path, sizeof path);
    logit_table t = {0};
    size_t n = 0;
    t.file = test_read_file(path, &n);
    assert_non_null(t.file);
    npy a;
    hearth_err err = ERR_INIT;
    assert_int_equal(npy_parse(t.file, n, &a, &err), HEARTH_OK);
    assert_int_equal(a.type, NPY_F32);
    assert_int_equal(a.n_dims, 2);
    t.at = (const float *)(const void *)a.data;
    t.rows = a.dim[0];
    t.cols = a.dim[1];
    float low = t.at[0], high = t.at[0];
    for (int64_t i = 0; i < t.rows * t.cols; i++) {
        low = f32_min(low, t.at[i]);
        high = f32_max(high, t.at[i]);
    }
    t.range = (double)(high - low);
    return t;
}

typedef hearth_status (*open_device)(int n_threads, unsigned cpu, dev **out, hearth_err *err);

// Runs all tokens in steps of n_batch rows; out: [n_tokens][n_vocab].
static void run_model(const golden_case *c, open_device open, unsigned cpu, int n_batch, float *out)
{
    hearth_err err = ERR_INIT;
    gguf *g = NULL;
    dev *d = NULL;
    llm_model *m = NULL;
    llm_ctx *ctx = NULL;
    gguf_bytes bytes = {c->name, c->gguf, c->gguf_bytes};
    llm_ctx_options o;
    llm_ctx_options_default(&o);
    o.n_ctx = c->n_tokens;
    o.n_batch = o.n_logits = n_batch;
    o.type_k = o.type_v = DTYPE_F32;
    llm_seq seq = 0;
    if (gguf_open(&bytes, 1, &g, &err) || open(2, cpu, &d, &err) ||
        llm_model_open(g, d, &(llm_model_options){0, 0}, &m, &err) ||
        llm_ctx_create(m, &o, &ctx, &err) || llm_seq_new(ctx, &seq, &err))
        fail_msg("%s: %s", c->name, err.msg);
    int64_t n_vocab = llm_model_config(m)->n_vocab;
    for (int at = 0; at < c->n_tokens; at += n_batch) {
        int n = int_min(n_batch, c->n_tokens - at);
        llm_row rows[GOLDEN_MAX_TOKENS];
        for (int i = 0; i < n; i++)
            rows[i] = (llm_row){.seq = seq, .pos = at + i, .token = c->tokens[at + i],
                                .want = LLM_WANT_LOGITS};
        if (llm_step(ctx, rows, n, &err)) fail_msg("%s: %s", c->name, err.msg);
        for (int i = 0; i < n; i++)
            memcpy(out + (at + i) * n_vocab, llm_logits(ctx, i), (size_t)n_vocab * sizeof *out);
    }
    llm_ctx_free(ctx);
    llm_model_close(m);
    dev_close(d);
    gguf_close(g);
}

static double worst_difference(const logit_table *t, const float *ours)
{
    double worst = 0;
    for (int64_t i = 0; i < t->rows * t->cols; i++) {
        double d = fabs((double)ours[i] - (double)t->at[i]);
        if (!(d <= worst)) worst = d; // a NaN stays
    }
    return worst / t->range;
}

static double log_sum_exp(const float *x, int64_t n)
{
    double top = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) top = fmax(top, (double)x[i]);
    for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - top);
    return top + log(sum);
}

static int64_t best_of(const float *x, int64_t n, double *lead)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    *lead = (double)INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (i != best) *lead = fmin(*lead, (double)x[best] - (double)x[i]);
    return best;
}

static void check_against_float(const golden_case *c, const float *ours)
{
    logit_table t = load_table(c->name, ".float.npy");
    double kl = 0;
    for (int64_t r = 0; r < t.rows; r++) {
        const float *p = t.at + r * t.cols, *q = ours + r * t.cols;
        double p_norm = log_sum_exp(p, t.cols), q_norm = log_sum_exp(q, t.cols), lead, ignored;
        for (int64_t i = 0; i < t.cols; i++) {
            double log_p = (double)p[i] - p_norm;
            kl += exp(log_p) * (log_p - ((double)q[i] - q_norm));
        }
        int64_t theirs = best_of(p, t.cols, &lead);
        if (lead > 0.03 * t.range) assert_int_equal(best_of(q, t.cols, &ignored), theirs);
    }
    kl /= (double)t.rows;
    printf("  %-20s KL to float activations %.2e\n", c->name, kl);
    if (!(kl <= 1e-3)) fail_msg("%s: KL %.3e to float activations, at most 1e-3", c->name, kl);
    free(t.file);
}

// A device that ends the program when anybody looks into its buffers from outside.
static hearth_status open_closed(int n_threads, unsigned cpu, dev **out, hearth_err *err)
{
    dev *inner = NULL;
    hearth_status status = dev_cpu_open(n_threads, cpu, &inner, err);
    if (status != HEARTH_OK) return status;
    status = closed_dev_open(inner, out, err);
    if (status != HEARTH_OK) dev_close(inner);
    return status;
}

// One row at a time: the same bits as `ours`, the result of larger batches.
static void check_bits(const golden_case *c, const logit_table *t, const float *ours)
{
    if (t->rows != c->n_tokens) return; // only the first tokens have goldens
    int64_t n_logits = t->rows * t->cols;
    float *alone = calloc((size_t)n_logits, sizeof *alone);
    assert_non_null(alone);
    run_model(c, dev_cpu_open, CPU_ALL, 1, alone);
    assert_memory_equal(alone, ours, (size_t)n_logits * sizeof *alone);
    free(alone);
}

static void check_case(const golden_case *c)
{
    static const struct {
        const char *name;
        open_device open;
        unsigned cpu;
    } runs[] = {
        {"reference", dev_cpu_open, 0},
        {"AVX2 at most", dev_cpu_open, CPU_AVX2},
        {"AVX-512 without VNNI", dev_cpu_open, CPU_AVX2 | CPU_AVX512},
        {"all of this processor", dev_cpu_open, CPU_ALL},
        {"closed device", open_closed, CPU_ALL},
    };
    logit_table t = load_table(c->name, ".npy");
    assert_true(t.rows <= c->n_tokens);
    float *ours = calloc((size_t)(c->n_tokens * t.cols), sizeof *ours);
    assert_non_null(ours);
    for (size_t i = 0; i < COUNTOF(runs); i++) {
        run_model(c, runs[i].open, runs[i].cpu, i % 2 ? c->n_tokens : 7, ours);
        double worst = worst_difference(&t, ours);
        printf("  %-20s %-22s %.2e of the range\n", c->name, runs[i].name, worst);
        if (!(worst <= 1e-4)) fail_msg("%s: %.3e of the range, at most 1e-4", c->name, worst);
    }
    check_bits(c, &t, ours);
    dtype type;
    if (dtype_from_name(c->type, &type) && kern_act_kind(type) != ACT_F32) {
        check_against_float(c, ours);
    }
    free(ours);
    free(t.file);
}

// One file of cases by its generator each. How many there are guards against a list cut short.
static const struct {
    const char *file;
    int n;
} sets[] = {
    {"golden/llm/cases.json", 23},      // gen_llm_goldens.py
    {"golden/llm/type_cases.json", 23}, // gen_type_goldens.py: types multiplied as floats
    {"golden/llm/arch_cases.json", 19}, // gen_arch_goldens.py: more than a plain layer
    {"golden/llm/plain_cases.json", 19}, // gen_plain_goldens.py: close to it, YaRN
    {"golden/llm/gemma3n_cases.json", 3}, // gen_gemma3n_goldens.py: several residual streams
    {"golden/llm/gemma4_cases.json", 5}, // gen_gemma4_goldens.py: layers of two shapes
    {"golden/llm/latent_cases.json", 6}, // gen_latent_goldens.py: attention over latent vectors
    {"golden/llm/recurrent_cases.json", 7}, // gen_recurrent_goldens.py: layers with a state
    {"golden/llm/hybrid_cases.json", 5}, // gen_hybrid_goldens.py: delta nets and attention
};

// HEARTH_GOLDEN_CASE names one case, for looking closer.
static void check_set(const char *file, int n)
{
    char path[512];
    hearth_err err = ERR_INIT;
    const char *only = getenv("HEARTH_GOLDEN_CASE");
    golden_set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    test_source_path(file, path, sizeof path);
    if (golden_load(path, set, &err)) fail_msg("%s", err.msg);
    assert_int_equal(set->n, n);
    for (int i = 0; i < set->n; i++)
        if (!only || !strcmp(only, set->cases[i].name)) check_case(&set->cases[i]);
    golden_release(set);
    free(set);
}

static void test_all_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(sets); i++) check_set(sets[i].file, sets[i].n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_sets)};
    return cmocka_run_group_tests_name("golden_llm", tests, NULL, NULL);
}
