// The sampler as a whole: draws follow the distribution, seeds reproduce, hostile logits, windows.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llm/sampler_int.h"

enum { N_VOCAB = 50 };

static sampler *create(const sampler_params *p)
{
    sampler *s = NULL;
    hearth_err err = ERR_INIT;
    if (sampler_create(p, N_VOCAB, NULL, 0, &s, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return s;
}

static sampler_params plain(void)
{
    sampler_params p;
    sampler_params_default(&p);
    p.temperature = 1;
    p.top_k = 0;
    p.top_p = 1;
    p.min_p = 0;
    p.seed = 7;
    return p;
}

static void fill_logits(float *logits, uint64_t seed)
{
    rng r;
    rng_seed(&r, seed);
    for (int i = 0; i < N_VOCAB; i++) logits[i] = rng_normal(&r);
}

static int32_t draw(sampler *s, const float *logits)
{
    int32_t id = -1;
    assert_int_equal(sampler_sample(s, logits, NULL, &id, NULL), HEARTH_OK);
    assert_in_range(id, 0, N_VOCAB - 1);
    return id;
}

// Pearson's statistic over 50 classes has 49 degrees of freedom: above 85.4 once in 1000 seeds.
// The seed is fixed, so this cannot fail by chance.
static void check_distribution(const sampler_params *p)
{
    enum { N = 200000 };
    float logits[N_VOCAB];
    fill_logits(logits, 3);
    int seen[N_VOCAB] = {0};
    sampler *s = create(p);
    for (int i = 0; i < N; i++) seen[draw(s, logits)]++;
    sampler_free(s);
    double sum = 0, chi = 0;
    for (int i = 0; i < N_VOCAB; i++) sum += exp((double)logits[i] / (double)p->temperature);
    for (int i = 0; i < N_VOCAB; i++) {
        double expected = N * exp((double)logits[i] / (double)p->temperature) / sum;
        chi += (seen[i] - expected) * (seen[i] - expected) / expected;
    }
    if (chi > 85.4) fail_msg("chi square %g", chi);
}

static void test_distribution(void **state)
{
    (void)state;
    sampler_params p = plain();
    check_distribution(&p);
    p.temperature = 1.7f;
    p.top_k = N_VOCAB; // ranked: another order of the walk
    check_distribution(&p);
}

static void test_seed(void **state)
{
    (void)state;
    sampler_params p = plain();
    p.xtc_probability = 0.5f;
    float logits[N_VOCAB];
    fill_logits(logits, 4);
    sampler *a = create(&p), *b = create(&p);
    p.seed++;
    sampler *c = create(&p);
    int32_t first[64];
    int n_other = 0;
    for (int i = 0; i < 64; i++) {
        first[i] = draw(a, logits);
        assert_int_equal(draw(b, logits), first[i]);
        n_other += draw(c, logits) != first[i];
    }
    assert_true(n_other > 10);
    sampler_reset(a);
    for (int i = 0; i < 64; i++) assert_int_equal(draw(a, logits), first[i]);
    sampler_free(a);
    sampler_free(b);
    sampler_free(c);
}

static void test_no_allocation(void **state)
{
    (void)state;
    sampler_params p;
    sampler_params_default(&p);
    p.dry_multiplier = 1;
    p.repeat_penalty = 1.1f;
    float logits[N_VOCAB];
    fill_logits(logits, 5);
    sampler *s = create(&p);
    uint64_t before = mem_get_total().allocations;
    for (int i = 0; i < 1000; i++) sampler_accept(s, draw(s, logits));
    assert_int_equal(mem_get_total().allocations, before);
    sampler_free(s);
}

static void test_hostile_logits(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    sampler_params p;
    sampler_params_default(&p);
    p.repeat_penalty = 1e6f;
    p.dry_multiplier = 1e6f;
    p.top_n_sigma = 1;
    p.typical_p = 0.9f;
    for (int mirostat = 0; mirostat < 3; mirostat++) {
        p.mirostat = mirostat;
        sampler *s = create(&p);
        for (int i = 0; i < N_VOCAB; i++) logits[i] = i == 9 ? -FLT_MAX : (float)NAN;
        assert_int_equal(draw(s, logits), 9);
        sampler_accept(s, 9);
        assert_int_equal(draw(s, logits), 9);
        for (int i = 0; i < N_VOCAB; i++) logits[i] = i == 9 ? INFINITY : FLT_MAX;
        for (int i = 0; i < 100; i++) sampler_accept(s, draw(s, logits));
        for (int i = 0; i < N_VOCAB; i++) logits[i] = i % 2 ? -FLT_MAX : FLT_MAX;
        for (int i = 0; i < 100; i++) sampler_accept(s, draw(s, logits));
        for (int i = 0; i < N_VOCAB; i++) logits[i] = -INFINITY;
        int32_t id = 77;
        assert_int_equal(sampler_sample(s, logits, NULL, &id, NULL), HEARTH_E_INTERNAL);
        assert_int_equal(id, 77);
        for (int i = 0; i < N_VOCAB; i++) logits[i] = 0;
        for (int i = 0; i < 100; i++) draw(s, logits);
        sampler_free(s);
    }
}

static void test_greedy_ties(void **state)
{
    (void)state;
    sampler_params p = plain();
    p.temperature = 0;
    float logits[N_VOCAB] = {0};
    logits[20] = logits[31] = 5;
    sampler *s = create(&p);
    assert_int_equal(draw(s, logits), 20);
    logits[31] = nextafterf(5, 6);
    assert_int_equal(draw(s, logits), 31);
    sampler_free(s);
}

static void test_bans(void **state)
{
    (void)state;
    sampler_bias bias[N_VOCAB];
    for (int i = 0; i < N_VOCAB; i++) bias[i] = (sampler_bias){N_VOCAB - 1 - i, -INFINITY};
    sampler_params p = plain();
    p.bias = bias;
    p.n_bias = N_VOCAB - 1; // all but token 0
    float logits[N_VOCAB];
    fill_logits(logits, 6);
    sampler *s = create(&p);
    for (int i = 0; i < 20; i++) assert_int_equal(draw(s, logits), 0);
    uint64_t allowed = ~UINT64_C(1);
    int32_t id;
    assert_int_equal(sampler_sample(s, logits, &allowed, &id, NULL), HEARTH_E_ARG);
    sampler_free(s);

    sampler_bias twice[] = {{5, 10}, {3, INFINITY}, {5, -10}, {3, -INFINITY}, {4, 1000}};
    p.bias = twice;
    p.n_bias = COUNTOF(twice);
    s = create(&p);
    assert_int_equal(s->p.n_bias, 3);
    assert_int_equal(draw(s, logits), 4);
    sampler_free(s);
}

// Against a window counted by hand, with small windows so that the buffer moves often.
static void test_penalty_window(void **state)
{
    (void)state;
    rng r;
    rng_seed(&r, 8);
    for (int32_t last_n = 1; last_n < 6; last_n++) {
        sampler_params p = plain();
        p.frequency_penalty = 1;
        p.repeat_last_n = last_n;
        p.dry_multiplier = last_n == 3 ? 1 : 0; // shares the history, with another window
        sampler *s = create(&p);
        int32_t said[200];
        for (int n = 0; n < 200; n++) {
            sampler_accept(s, said[n] = (int32_t)rng_below(&r, 4));
            uint32_t count[4] = {0};
            for (int i = n; i >= 0 && i > n - last_n; i--) count[said[i]]++;
            assert_memory_equal(count, s->pen.count, sizeof count);
        }
        sampler_free(s);
    }
}

static void test_history_grows(void **state)
{
    (void)state;
    sampler_params p = plain();
    p.dry_multiplier = 1;
    p.dry_last_n = -1;
    sampler *s = create(&p);
    for (int i = 0; i < 5000; i++) sampler_accept(s, i % N_VOCAB);
    assert_int_equal(s->past.n, 5000);
    float logits[N_VOCAB] = {0};
    draw(s, logits);
    mem_fail_nth(1, true);
    for (int i = 0; i < 5000; i++) sampler_accept(s, i % N_VOCAB);
    mem_fail_nth(0, false);
    int32_t id;
    assert_int_equal(sampler_sample(s, logits, NULL, &id, NULL), HEARTH_E_NOMEM);
    sampler_reset(s);
    draw(s, logits);
    sampler_free(s);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    sampler_params p = plain();
    sampler_bias bias = {1, 1};
    p.bias = &bias;
    p.n_bias = 1;
    p.dry_multiplier = 1;
    p.presence_penalty = 1;
    for (uint64_t n = 1;; n++) {
        sampler *s = NULL;
        hearth_err err = ERR_INIT;
        size_t now = mem_get_total().now_bytes;
        mem_fail_nth(n, false);
        hearth_status status = sampler_create(&p, N_VOCAB, NULL, 0, &s, &err);
        mem_fail_nth(0, false);
        if (status == HEARTH_OK) {
            sampler_free(s);
            assert_true(n > 5);
            return;
        }
        assert_int_equal(status, HEARTH_E_NOMEM);
        assert_null(s);
        assert_int_equal(mem_get_total().now_bytes, now);
    }
}

static void test_ranges(void **state)
{
    (void)state;
    sampler_params good, p;
    sampler_params_default(&good);
    sampler *s = NULL;
    hearth_err err = ERR_INIT;
#define REFUSES(field, value)                                                          \
    do {                                                                               \
        p = good;                                                                      \
        p.field = (value);                                                             \
        err_clear(&err);                                                               \
        assert_int_equal(sampler_create(&p, N_VOCAB, NULL, 0, &s, &err), HEARTH_E_ARG); \
        assert_non_null(strstr(err.msg, #field));                                      \
        assert_null(s);                                                                \
    } while (0)
    REFUSES(temperature, (float)NAN);
    REFUSES(top_p, 1.1f);
    REFUSES(top_p, -0.1f);
    REFUSES(min_p, (float)NAN);
    REFUSES(typical_p, 2);
    REFUSES(repeat_penalty, 0);
    REFUSES(frequency_penalty, INFINITY);
    REFUSES(repeat_last_n, -2);
    REFUSES(dry_allowed_length, -1);
    REFUSES(mirostat, 3);
    REFUSES(min_keep, -1);
#undef REFUSES
    sampler_bias bias = {N_VOCAB, 0};
    p = good;
    p.bias = &bias;
    p.n_bias = 1;
    assert_int_equal(sampler_create(&p, N_VOCAB, NULL, 0, &s, NULL), HEARTH_E_ARG);
}

static void test_order(void **state)
{
    (void)state;
    sampler_params p, d;
    sampler_params_default(&d);
    p = d;
    hearth_err err = ERR_INIT;
    str all = STR("penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature");
    assert_int_equal(sampler_parse_order(all, &p, &err), HEARTH_OK);
    assert_int_equal(p.n_order, SAMPLER_STAGE_COUNT);
    assert_memory_equal(p.order, d.order, sizeof p.order);
    assert_int_equal(sampler_parse_order(STR("min_p; temperature"), &p, &err), HEARTH_OK);
    assert_int_equal(p.n_order, 2);
    assert_int_equal(p.order[0], SAMPLER_MIN_P);
    assert_int_equal(sampler_parse_order(STR("min_p;tempura"), &p, &err), HEARTH_E_ARG);
    assert_non_null(strstr(err.msg, "tempura"));
    assert_int_equal(p.n_order, 2);
}

static void test_logprobs(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    fill_logits(logits, 9);
    logits[7] = logits[8] = 4;
    logits[3] = (float)NAN;
    double sum = 0;
    for (int i = 0; i < N_VOCAB; i++) sum += i == 3 ? 0 : exp((double)logits[i]);
    sampler_logprob top[N_VOCAB];
    assert_int_equal(sampler_top_logprobs(logits, N_VOCAB, top, N_VOCAB), N_VOCAB - 1);
    assert_int_equal(top[0].id, 7);
    assert_int_equal(top[1].id, 8);
    double total = 0;
    for (int i = 0; i < N_VOCAB - 1; i++) {
        assert_true(fabs((double)top[i].logprob - (double)logits[top[i].id] + log(sum)) < 1e-5);
        assert_true(i == 0 || top[i].logprob <= top[i - 1].logprob);
        assert_true(top[i].logprob == sampler_logprob_of(logits, N_VOCAB, top[i].id));
        total += exp((double)top[i].logprob);
    }
    assert_true(fabs(total - 1) < 1e-5);
    assert_true(sampler_logprob_of(logits, N_VOCAB, 3) == -INFINITY);
    sampler_logprob few[3];
    assert_int_equal(sampler_top_logprobs(logits, N_VOCAB, few, 3), 3);
    for (int i = 0; i < 3; i++) assert_int_equal(few[i].id, top[i].id);
}

// The surprise of the draws settles near tau.
static void test_mirostat_settles(void **state)
{
    (void)state;
    enum { N = 4000 };
    for (int version = 1; version <= 2; version++) {
        sampler_params p = plain();
        p.mirostat = version;
        p.mirostat_tau = 2;
        float logits[N_VOCAB];
        for (int i = 0; i < N_VOCAB; i++) logits[i] = -1.2f * logf((float)(i + 1));
        sampler *s = create(&p);
        double surprise = 0;
        for (int i = 0; i < N; i++) {
            double before = s->mu;
            draw(s, logits);
            surprise += (before - s->mu) / (double)p.mirostat_eta + (double)p.mirostat_tau;
        }
        assert_true(fabs(surprise / N - 2) < 0.1);
        sampler_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribution),    cmocka_unit_test(test_seed),
        cmocka_unit_test(test_no_allocation),   cmocka_unit_test(test_hostile_logits),
        cmocka_unit_test(test_greedy_ties),     cmocka_unit_test(test_bans),
        cmocka_unit_test(test_penalty_window),  cmocka_unit_test(test_history_grows),
        cmocka_unit_test(test_out_of_memory),   cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_order),           cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_mirostat_settles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
