// Files of rwkv.cpp: what becomes of a good one, one line for each bad one. The good ones are the
// seeds of its fuzzer (tests/fuzz/make_rwkv_corpus.py).
#include "fmt/rwkv_bin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_data.h"

typedef struct file { unsigned char *p; size_t n; } file;

static file load(const char *name)
{
    char relative[128], path[512];
    file f;
    snprintf(relative, sizeof relative, "fuzz/corpus/fuzz_rwkv/%s", name);
    test_source_path(relative, path, sizeof path);
    f.p = test_read_file(path, &f.n);
    assert_non_null(f.p);
    return f;
}

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

// The bytes lie in a block of exactly their size, so that a sanitizer sees a read past them.
static hearth_status convert(const unsigned char *p, size_t n, buf *out, hearth_err *err)
{
    unsigned char *copy = malloc(n ? n : 1);
    if (n) memcpy(copy, p, n);
    buf_init(out, MEM_TEST, 1 << 24);
    hearth_status s = rwkv_bin_to_gguf(copy, n, append, out, err);
    free(copy);
    if (s != HEARTH_OK) assert_true(err->msg[0] && !strchr(err->msg, '\n'));
    return s;
}

static void open_good(const char *name, buf *made, gguf **g)
{
    hearth_err err = ERR_INIT;
    file f = load(name);
    assert_true(rwkv_bin_is(f.p, f.n));
    if (convert(f.p, f.n, made, &err) != HEARTH_OK) fail_msg("%s: %s", name, err.msg);
    const gguf_bytes part = {name, (const uint8_t *)made->p, made->n};
    if (gguf_open(&part, 1, g, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    free(f.p);
}

static void expect_number(const gguf *g, const char *key, uint64_t want)
{
    uint64_t got = ~want;
    assert_int_equal(gguf_get_u64(g, key, UINT64_MAX, &got, NULL, NULL), HEARTH_OK);
    if (got != want) fail_msg("%s is %llu", key, (unsigned long long)got);
}

static void expect_tensor(const gguf *g, const char *name, dtype type, int n_dims,
                          const int64_t *dim)
{
    const gguf_tensor *t = gguf_find_tensor(g, name);
    if (!t) fail_msg("%s is not there", name);
    assert_int_equal(t->type, type);
    assert_int_equal(t->n_dims, n_dims);
    for (int i = 0; i < n_dims; i++) assert_int_equal(t->dim[i], dim[i]);
    if (dtype_get(type)->is_quantized || type == DTYPE_F16) return;
    for (size_t i = 0; i < t->bytes; i++) assert_int_equal(t->data[i], i % 251); // as they were
}

static void test_good(void **state)
{
    (void)state;
    buf made;
    gguf *g;
    open_good("two_layers", &made, &g);
    expect_number(g, "rwkv7.block_count", 2);
    expect_number(g, "rwkv7.embedding_length", 4);
    expect_number(g, "rwkv7.feed_forward_length", 4);
    expect_number(g, "rwkv7.wkv.head_size", 2);
    expect_number(g, "rwkv7.attention.decay_lora_rank", 2);
    expect_number(g, "rwkv7.attention.value_residual_mix_lora_rank", 2);
    expect_tensor(g, "token_embd.weight", DTYPE_F32, 2, (int64_t[]){4, 8});
    expect_tensor(g, "token_embd_norm.bias", DTYPE_F32, 1, (int64_t[]){4});
    expect_tensor(g, "output.weight", DTYPE_F32, 2, (int64_t[]){4, 8});
    expect_tensor(g, "blk.0.time_mix_lerp_fused.weight", DTYPE_F32, 4, (int64_t[]){4, 1, 1, 6});
    expect_tensor(g, "blk.1.time_mix_r_k.weight", DTYPE_F32, 1, (int64_t[]){4});
    expect_tensor(g, "blk.1.time_mix_v0.weight", DTYPE_F32, 1, (int64_t[]){4});
    expect_tensor(g, "blk.1.time_mix_w2.weight", DTYPE_F32, 2, (int64_t[]){2, 4});
    expect_tensor(g, "blk.1.attn_norm_2.weight", DTYPE_F32, 1, (int64_t[]){4});
    assert_null(gguf_find(g, "tokenizer.ggml.model"));
    gguf_close(g);
    buf_release(&made);
}

static void test_types_and_bytes(void **state)
{
    (void)state;
    buf made;
    gguf *g;
    open_good("q5_0", &made, &g);
    expect_tensor(g, "blk.0.channel_mix_key.weight", DTYPE_Q5_0, 2, (int64_t[]){32, 32});
    gguf_close(g);
    buf_release(&made);
    open_good("one_layer_f16", &made, &g);
    expect_tensor(g, "blk.0.time_mix_key.weight", DTYPE_F16, 2, (int64_t[]){4, 4});
    gguf_close(g);
    buf_release(&made);
    open_good("bytes", &made, &g);
    const gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    assert_non_null(tokens);
    assert_int_equal(tokens->n, 256);
    gguf_close(g);
    buf_release(&made);
}

static void expect_bad(const unsigned char *p, size_t n, hearth_status want, const char *word)
{
    buf made;
    hearth_err err = ERR_INIT;
    assert_int_equal(convert(p, n, &made, &err), want);
    if (!strstr(err.msg, word)) fail_msg("'%s' has no '%s'", err.msg, word);
    buf_release(&made);
}

static size_t find(const file *f, const char *text)
{
    for (size_t i = 0; i + strlen(text) <= f->n; i++)
        if (!memcmp(f->p + i, text, strlen(text))) return i;
    fail();
    return 0;
}

static void test_bad(void **state)
{
    (void)state;
    file f = load("two_layers"), old = load("version_4"), none = load("no_parameter");
    expect_bad(old.p, old.n, HEARTH_E_UNSUPPORTED, "RWKV version 4 is not supported");
    expect_bad(none.p, none.n, HEARTH_E_FORMAT, "'blocks.0.att.r_k': not in the file");
    file q = load("q5_0");
    q.p[4] = 100;
    expect_bad(q.p, q.n, HEARTH_E_UNSUPPORTED, "Q5_0 of file version 100");
    q.p[4] = 99;
    expect_bad(q.p, q.n, HEARTH_E_UNSUPPORTED, "file version 99");
    static const struct { const char *name; int back, value; const char *word; } changes[] = {
        {"ln_out.weight", -4, 0, "'ln_out.weight': dimension 0 is 0"},
        {"ln_out.weight", -4, 200, "the file has"},
        {"ln_out.weight", -8, 5, "type 5 is not supported"},
        {"ln_out.weight", -16, 4, "4 dimensions"},
        {"ln_out.weight", -12, 99, "a name of 99 bytes"},
        {"ln_out.weight", 0, 'x', "'ln_out.weight': not in the file"},
        {"blocks.1.att.w0", 14, '1', "is there twice"}, // w1 now, which follows
        {"blocks.1.ln1.weight", 7, '2', "not known"},
    };
    for (size_t i = 0; i < COUNTOF(changes); i++) {
        unsigned char *at = f.p + find(&f, changes[i].name) + changes[i].back, before = *at;
        buf made;
        hearth_err err = ERR_INIT;
        *at = (unsigned char)changes[i].value;
        assert_int_not_equal(convert(f.p, f.n, &made, &err), HEARTH_OK);
        if (!strstr(err.msg, changes[i].word)) fail_msg("'%s', not '%s'", err.msg, changes[i].word);
        *at = before;
        buf_release(&made);
    }
    free(f.p);
    free(old.p);
    free(none.p);
    free(q.p);
}

// Cut anywhere, it is refused; with any byte of it changed, it is refused or still a GGUF.
static void test_damage(void **state)
{
    (void)state;
    file f = load("bytes");
    for (size_t n = 0; n < f.n; n++) {
        buf made;
        hearth_err err = ERR_INIT;
        assert_int_not_equal(convert(f.p, n, &made, &err), HEARTH_OK);
        buf_release(&made);
    }
    for (size_t i = 0; i < f.n; i++) {
        buf made;
        gguf *g = NULL;
        hearth_err err = ERR_INIT;
        f.p[i] ^= (unsigned char)(1 + i % 255);
        if (convert(f.p, f.n, &made, &err) == HEARTH_OK) {
            const gguf_bytes part = {NULL, (const uint8_t *)made.p, made.n};
            if (gguf_open(&part, 1, &g, &err) != HEARTH_OK) fail_msg("byte %zu: %s", i, err.msg);
            gguf_close(g);
        }
        f.p[i] ^= (unsigned char)(1 + i % 255);
        buf_release(&made);
    }
    free(f.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_types_and_bytes),
        cmocka_unit_test(test_bad), cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests_name("rwkv_bin", tests, NULL, NULL);
}
