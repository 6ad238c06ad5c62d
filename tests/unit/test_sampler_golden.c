// Each sampling stage against the numpy implementation in tests/golden/sampler/gen_sampler.py:
// the surviving candidates and their probabilities.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llm/sampler_int.h"
#include "support/test_data.h"

typedef struct golden_case {
    sampler_params p;
    uint32_t seed;
    int32_t n_vocab, n_history, alphabet, breaker;
} golden_case;

static uint32_t lcg_next(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

static bool set_float(sampler_params *p, str key, float v)
{
    const struct { const char *name; float *to; } table[] = {
        {"temperature", &p->temperature}, {"dynatemp_range", &p->dynatemp_range},
        {"dynatemp_exponent", &p->dynatemp_exponent}, {"top_p", &p->top_p}, {"min_p", &p->min_p},
        {"typical_p", &p->typical_p}, {"top_n_sigma", &p->top_n_sigma},
        {"xtc_probability", &p->xtc_probability}, {"xtc_threshold", &p->xtc_threshold},
        {"repeat_penalty", &p->repeat_penalty}, {"presence_penalty", &p->presence_penalty},
        {"frequency_penalty", &p->frequency_penalty}, {"dry_multiplier", &p->dry_multiplier},
        {"dry_base", &p->dry_base}, {"mirostat_tau", &p->mirostat_tau},
        {"mirostat_eta", &p->mirostat_eta},
    };
    for (size_t i = 0; i < COUNTOF(table); i++) {
        if (!str_eq_z(key, table[i].name)) continue;
        *table[i].to = v;
        return true;
    }
    return false;
}

static bool set_int(golden_case *c, str key, int32_t v)
{
    const struct { const char *name; int32_t *to; } table[] = {
        {"top_k", &c->p.top_k}, {"repeat_last_n", &c->p.repeat_last_n},
        {"dry_allowed_length", &c->p.dry_allowed_length}, {"dry_last_n", &c->p.dry_last_n},
        {"mirostat", &c->p.mirostat}, {"min_keep", &c->p.min_keep}, {"breaker", &c->breaker},
        {"alphabet", &c->alphabet},
    };
    for (size_t i = 0; i < COUNTOF(table); i++) {
        if (!str_eq_z(key, table[i].name)) continue;
        *table[i].to = v;
        return true;
    }
    return false;
}

static golden_case neutral_case(void)
{
    golden_case c = {.breaker = -1};
    sampler_params_default(&c.p);
    c.p.temperature = 1;
    c.p.top_k = 0;
    c.p.top_p = 1;
    c.p.min_p = 0;
    return c;
}

static golden_case parse_case(str line)
{
    golden_case c = neutral_case();
    int64_t head[3];
    str_cut(&line, ' ');
    for (int i = 0; i < 3; i++) assert_true(str_parse_i64(str_cut(&line, ' '), &head[i]));
    c.seed = (uint32_t)head[0];
    c.n_vocab = (int32_t)head[1];
    c.n_history = (int32_t)head[2];
    while (line.n > 0) {
        str value = str_cut(&line, ' '), key = str_cut(&value, '=');
        double v = 0;
        if (str_eq_z(key, "order")) {
            assert_int_equal(sampler_parse_order(value, &c.p, NULL), HEARTH_OK);
            continue;
        }
        assert_true(str_parse_f64(value, &v));
        assert_true(set_int(&c, key, (int32_t)v) || set_float(&c.p, key, (float)v));
    }
    return c;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = ((const cand *)a)->id, y = ((const cand *)b)->id;
    return (x > y) - (x < y);
}

static void check_survivors(cand_set *set, str expected, const char *what)
{
    cand_softmax(set);
    qsort(set->c, (size_t)set->n, sizeof *set->c, compare_ids);
    int32_t n = 0;
    for (; expected.n > 0; n++) {
        str p_text = str_cut(&expected, ' '), id_text = str_cut(&p_text, ':');
        int64_t id = 0;
        double p = 0;
        assert_true(str_parse_i64(id_text, &id) && str_parse_f64(p_text, &p));
        if (n >= set->n || set->c[n].id != id || fabs((double)set->c[n].p - p) > 1e-6 + 1e-5 * p)
            fail_msg("%s: expected %lld:%g at %d of %d", what, (long long)id, p, n, set->n);
    }
    if (n != set->n) fail_msg("%s: %d candidates, expected %d", what, set->n, n);
}

static void run_case(str line, str expected)
{
    char what[256];
    snprintf(what, sizeof what, "%.*s", STR_ARG(line));
    golden_case c = parse_case(line);
    float *logits = malloc((size_t)c.n_vocab * sizeof *logits);
    uint32_t x = c.seed;
    for (int32_t i = 0; i < c.n_vocab; i++)
        logits[i] = (float)(lcg_next(&x) * (16 / 16777216.0) - 8);
    sampler *s = NULL;
    hearth_err err = ERR_INIT;
    if (sampler_create(&c.p, c.n_vocab, &c.breaker, c.breaker >= 0, &s, &err) != HEARTH_OK)
        fail_msg("%s: %s", what, err.msg);
    uint32_t below = (uint32_t)(c.alphabet ? c.alphabet : c.n_vocab);
    for (int32_t i = 0; i < c.n_history; i++) sampler_accept(s, (int32_t)(lcg_next(&x) % below));
    assert_int_equal(sampler_fill(s, logits, NULL, NULL), HEARTH_OK);
    sampler_run_stages(s);
    check_survivors(&s->set, expected, what);
    sampler_free(s);
    free(logits);
}

static void test_cases(void **state)
{
    (void)state;
    char path[1024];
    size_t n = 0;
    test_source_path("golden/sampler/cases.txt", path, sizeof path);
    unsigned char *text = test_read_file(path, &n);
    assert_non_null(text);
    str rest = {(const char *)text, n};
    int n_cases = 0;
    while (rest.n > 0) {
        str line = str_cut(&rest, '\n');
        run_case(str_trim(line), str_cut(&rest, '\n'));
        n_cases++;
    }
    assert_true(n_cases >= 50);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
