// Synthetic models: every shape's file opens, loads and gives finite logits; bytes follow the seed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "llm/synth.h"
#include "llm/synth_int.h"
#include "support/llm_fixture.h"
#include "tok/tok.h"

static const char *const mixes[] = {"F32", "F16", "BF16", "Q4_0", "Q8_0", "Q4_K", "Q6_K", "Q4_K_M",
                                    "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q5_K", "IQ2_XXS",
                                    "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ4_NL",
                                    "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4", "Q1_0", "Q2_0"};

static void run_shape(const synth_shape *s, const char *mix)
{
    hearth_err err = ERR_INIT;
    uint8_t *p;
    size_t n;
    assert_int_equal(synth_make(s, mix, 7, &p, &n, &err), HEARTH_OK);
    fixture f;
    fixture_options o = fixture_default();
    if (fixture_open(&f, p, n, &o, &err) != HEARTH_OK) fail_msg("%s %s: %s", s->name, mix, err.msg);
    llm_seq seq;
    assert_int_equal(llm_seq_new(f.c, &seq, &err), HEARTH_OK);
    int32_t ids[20];
    float logits[20 * 512];
    for (int i = 0; i < 20; i++) ids[i] = 3 + 11 * i;
    assert_int_equal(fixture_logits(&f, seq, ids, 0, 20, 20, logits, &err), HEARTH_OK);
    double sum = 0;
    for (int i = 0; i < 20 * 512; i++) {
        assert_true(isfinite(logits[i]));
        sum += (double)logits[i] * (double)logits[i];
    }
    double rms = sqrt(sum / (20 * 512));
    if (!(rms > 0.2 && rms < 5)) fail_msg("%s %s: rms %g", s->name, mix, rms);
    // weights of spread 1/sqrt(n_in) keep the scale of a norm
    fixture_close(&f);
    mem_free(p);
}

static void test_tiny_models_run(void **state)
{
    (void)state;
    for (size_t i = 0; synth_shape_at(i); i++)
        if (strncmp(synth_shape_at(i)->name, "tiny", 4) == 0)
            for (size_t k = 0; k < COUNTOF(mixes); k++) run_shape(synth_shape_at(i), mixes[k]);
}

static void test_seed_decides_bytes(void **state)
{
    (void)state;
    hearth_err err = ERR_INIT;
    uint8_t *p[3];
    size_t n[3];
    const uint64_t seeds[] = {5, 5, 6};
    for (int i = 0; i < 3; i++)
        assert_int_equal(synth_make(synth_find("tiny"), "Q4_K_M", seeds[i], &p[i], &n[i], &err),
                         HEARTH_OK);
    assert_int_equal(n[0], n[1]);
    assert_int_equal(n[0], n[2]);
    assert_memory_equal(p[0], p[1], n[0]);
    assert_memory_not_equal(p[0], p[2], n[0]);
    for (int i = 0; i < 3; i++) mem_free(p[i]);
}

static void test_any_text_encodes(void **state)
{
    (void)state;
    hearth_err err = ERR_INIT;
    uint8_t *p;
    size_t n;
    tok *t;
    gguf *g;
    assert_int_equal(synth_make(synth_find("tiny"), "Q4_0", 1, &p, &n, &err), HEARTH_OK);
    const gguf_bytes part = {"tiny", p, n};
    assert_int_equal(gguf_open(&part, 1, &g, &err), HEARTH_OK);
    assert_int_equal(tok_open(g, &t, &err), HEARTH_OK);
    const str text = STR("Two words, \xC3\xA4 and \xF0\x9F\x94\xA5\n[PAD0000001] <s>");
    tok_ids ids = {0};
    assert_int_equal(tok_encode(t, text, (tok_options){0}, &ids, &err), HEARTH_OK);
    buf back;
    buf_init(&back, MEM_TEST, 1 << 16);
    for (size_t i = 0; i < ids.n; i++)
        assert_int_equal(tok_decode_one(t, ids.id[i], false, i == 0, &back), HEARTH_OK);
    assert_int_equal(back.n, text.n);
    assert_memory_equal(back.p, text.p, text.n);
    buf_release(&back);
    tok_ids_release(&ids);
    tok_free(t);
    gguf_close(g);
    mem_free(p);
}

static void test_wrong_mix(void **state)
{
    (void)state;
    hearth_err err = ERR_INIT;
    uint8_t *p;
    size_t n;
    assert_int_equal(synth_make(synth_find("tiny"), "Q8_K", 1, &p, &n, &err), HEARTH_E_ARG);
    assert_null(p);
    assert_null(synth_find("huge"));
}

// Values of plain types have the mean and spread asked for, and are rounded to nearest.
static void test_plain_values(void **state)
{
    (void)state;
    static synth_source s;
    static uint8_t half[20000 * 2 + 8], real[20000 * 4 + 8];
    rng r;
    synth_source_init(&s, 3);
    rng_seed(&r, 4);
    synth_source_set(&s, DTYPE_F32, 1, 0.5);
    synth_source_fill(&s, &r, 20000, real);
    rng_seed(&r, 4);
    synth_source_set(&s, DTYPE_F16, 1, 0.5);
    synth_source_fill(&s, &r, 20000, half);
    double sum = 0, square = 0;
    for (int i = 0; i < 20000; i++) {
        float v;
        memcpy(&v, real + 4 * i, 4);
        unsigned h = (unsigned)(half[2 * i] | half[2 * i + 1] << 8), e = h >> 10 & 31;
        double back = e ? ldexp(1024 + (h & 1023), (int)e - 25) : ldexp(h & 1023, -24);
        if (h & 0x8000) back = -back;
        assert_true(fabs(back - (double)v) <= fmax(fabs((double)v) / 2048, ldexp(1, -25)));
        sum += (double)v;
        square += ((double)v - 1) * ((double)v - 1);
    }
    assert_true(fabs(sum / 20000 - 1) < 0.03);
    assert_true(fabs(sqrt(square / 20000) - 0.5) < 0.03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_models_run), cmocka_unit_test(test_seed_decides_bytes),
        cmocka_unit_test(test_any_text_encodes), cmocka_unit_test(test_wrong_mix),
        cmocka_unit_test(test_plain_values),
    };
    return cmocka_run_group_tests_name("synth", tests, NULL, NULL);
}
