// The tiny RWKV-7 of rwkv.cpp's tests: its logits after the bytes "in with a quote before, from
// files of four types, against those that rwkv.cpp stored for the FP32 file.
//
// FP32 and FP16, whose weights are the same numbers, must agree up to rounding. Q5_0 and Q5_1
// are other weights: their bound is what these weights make in float64, 0.1 % of the range, and a
// little more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "fmt/rwkv_bin.h"
#include "support/llm_fixture.h"
#include "tok/tok.h"

enum { N_VOCAB = 256, N_TEXT = 3 };
static const char text[N_TEXT] = {'"', 'i', 'n'};

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

static void check_tokens(const fixture *f, int32_t *ids)
{
    tok *t;
    hearth_err err = ERR_INIT;
    tok_ids got = {0};
    if (tok_open(f->g, &t, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    tok_options o = {.add_special = true};
    assert_int_equal(tok_encode(t, (str){text, N_TEXT}, o, &got, NULL), HEARTH_OK);
    assert_int_equal(got.n, N_TEXT);
    for (int i = 0; i < N_TEXT; i++) ids[i] = got.id[i];
    for (int i = 0; i < N_TEXT; i++) assert_int_equal(ids[i], text[i]);
    tok_ids_release(&got);
    tok_free(t);
}

static double worst_difference(const float *want, const float *got)
{
    double worst = 0, low = (double)want[0], high = low;
    for (int i = 0; i < N_VOCAB; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= worst)) worst = d; // a NaN stays
        low = fmin(low, (double)want[i]);
        high = fmax(high, (double)want[i]);
    }
    return worst / (high - low);
}

static void check_file(const char *type, double bound, int n_threads, int batch)
{
    char name[80];
    size_t n, n_want;
    int32_t ids[N_TEXT];
    float got[N_TEXT * N_VOCAB];
    fixture f;
    buf made;
    hearth_err err = ERR_INIT;
    snprintf(name, sizeof name, "llm-rwkv-tiny/tiny-rwkv-7v0-834K-%s.bin", type);
    unsigned char *file = fixture_data(name, &n);
    unsigned char *want = fixture_data("llm-rwkv-tiny/expected-logits-7v0-834K.bin", &n_want);
    if (!file || !want) {
        free(file);
        free(want);
        skip();
    }
    assert_int_equal(n_want, N_VOCAB * sizeof(float));
    buf_init(&made, MEM_TEST, (size_t)1 << 26);
    if (rwkv_bin_to_gguf(file, n, append, &made, &err)) fail_msg("%s: %s", type, err.msg);
    fixture_options o = fixture_default();
    o.n_threads = n_threads;
    if (fixture_open(&f, made.p, made.n, &o, &err)) fail_msg("%s: %s", type, err.msg);
    check_tokens(&f, ids);
    llm_seq seq;
    assert_int_equal(llm_seq_new(f.c, &seq, NULL), HEARTH_OK);
    assert_int_equal(fixture_logits(&f, seq, ids, 0, N_TEXT, batch, got, NULL), HEARTH_OK);
    double worst = worst_difference((const float *)(const void *)want,
                                    got + (N_TEXT - 1) * N_VOCAB);
    printf("  %s: %.2e of the range\n", type, worst);
    if (!(worst <= bound)) fail_msg("%s: %g of the range, at most %g", type, worst, bound);
    fixture_close(&f);
    buf_release(&made);
    free(file);
    free(want);
}

static void test_stored_logits(void **state)
{
    (void)state;
    check_file("FP32", 1e-6, 1, N_TEXT);
    check_file("FP32", 1e-6, 3, 1);
    check_file("FP16", 1e-6, 2, 2);
    check_file("Q5_0", 1.2e-3, 1, N_TEXT);
    check_file("Q5_1", 1.2e-3, 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stored_logits)};
    return cmocka_run_group_tests_name("rwkv", tests, NULL, NULL);
}
