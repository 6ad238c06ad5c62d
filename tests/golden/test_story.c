// The story model: 260,000 parameters that write English, so wrong arithmetic shows at once.
//
// expected_stdout_temp0_n200.txt is what another program (llama2.c) prints at temperature 0.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "support/llm_fixture.h"
#include "tok/tok.h"

static unsigned char *model, *expected;
static size_t model_bytes, expected_bytes;

static int load_data(void **state)
{
    (void)state;
    model = fixture_data("llm-stories260k/stories260K.gguf", &model_bytes);
    expected = fixture_data("llm-stories260k/expected_stdout_temp0_n200.txt", &expected_bytes);
    return 0;
}

static int free_data(void **state)
{
    (void)state;
    free(model);
    free(expected);
    return 0;
}

static int32_t best_of(const float *logits, int64_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

// Greedy text from the beginning-of-text token alone.
static void write_story(const fixture_options *o, int n_tokens, buf *out)
{
    hearth_err err = ERR_INIT;
    fixture f;
    tok *t;
    llm_session *s;
    tok_stream stream;
    int32_t ids[256];
    assert_in_range(n_tokens, 1, COUNTOF(ids) - 1);
    fixture_options readable = *o;
    readable.is_closed = false;
    assert_int_equal(fixture_open(&f, model, model_bytes, o, &err), HEARTH_OK);
    fixture g; // the tokenizer reads the file's strings, which a closed fixture hides
    readable.ctx.n_ctx = 0;
    assert_int_equal(fixture_open(&g, model, model_bytes, &readable, &err), HEARTH_OK);
    assert_int_equal(tok_open(g.g, &t, &err), HEARTH_OK);
    assert_int_equal(session_create(f.c, 0, &s, &err), HEARTH_OK);
    tok_stream_init(&stream);
    ids[0] = tok_specials(t)->bos;
    for (int i = 1; i <= n_tokens; i++) {
        assert_int_equal(session_sync(s, ids, i, NULL, NULL, &err), HEARTH_OK);
        ids[i] = best_of(session_logits(s), llm_model_config(f.m)->n_vocab);
        assert_int_equal(tok_stream_put(t, &stream, ids[i], false, out), HEARTH_OK);
    }
    session_free(s);
    tok_free(t);
    fixture_close(&g);
    fixture_close(&f);
}

static void check_story(const fixture_options *o, int n_tokens)
{
    buf text;
    if (!model || !expected) skip();
    buf_init(&text, MEM_TEST, 1 << 20);
    write_story(o, n_tokens, &text);
    assert_true(text.n > (size_t)n_tokens); // more than a letter a token
    assert_memory_equal(text.p, expected, size_min(text.n, expected_bytes));
    buf_release(&text);
}

static void test_text(void **state)
{
    (void)state;
    fixture_options o = fixture_default();
    check_story(&o, 200);
}

static void test_text_half_cache(void **state)
{
    (void)state;
    fixture_options o = fixture_default();
    o.ctx.type_k = o.ctx.type_v = DTYPE_F16;
    check_story(&o, 200);
}

static void test_text_reference_kernels(void **state)
{
    (void)state;
    fixture_options o = fixture_default();
    o.cpu = 0;
    check_story(&o, 200);
}

static void test_text_closed_device(void **state)
{
    (void)state;
    fixture_options o = fixture_default();
    o.is_closed = true;
    check_story(&o, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_half_cache),
        cmocka_unit_test(test_text_reference_kernels),
        cmocka_unit_test(test_text_closed_device),
    };
    return cmocka_run_group_tests_name("story", tests, load_data, free_data);
}
