// What a model file may say: defaults, ranges, refusals that name the key or the tensor.
//
// Each case takes a small good model and changes one thing in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fmt/gguf_write.h"
#include "support/llm_fixture.h"
#include "support/model_file.h"

typedef enum change_kind {
    DROP_KEY, SET_U32, SET_F32, SET_STR, // of keys
    DROP_TENSOR, RENAME_TENSOR, FLATTEN
} change_kind;
typedef struct change {
    change_kind kind;
    const char *name; // of the key or tensor
    double number;
    const char *text;
} change;

static hearth_status put_bytes(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

static bool is_on_key(const change *c) { return c->kind <= SET_STR; }

static void set_key(gguf_writer *w, const change *c)
{
    if (c->kind == SET_U32) gguf_write_u32(w, c->name, (uint32_t)c->number, NULL);
    if (c->kind == SET_F32) gguf_write_f32(w, c->name, (float)c->number, NULL);
    if (c->kind == SET_STR) gguf_write_str(w, c->name, str_from(c->text), NULL);
}

static void declare_tensor(gguf_writer *w, const gguf_tensor *t, const change *c)
{
    char name[64] = "";
    int64_t dim[4];
    int n_dims = t->n_dims;
    memcpy(dim, t->dim, sizeof dim);
    memcpy(name, t->name.p, t->name.n);
    bool is_it = !is_on_key(c) && str_eq_z(t->name, c->name);
    if (is_it && c->kind == FLATTEN) {
        dim[0] *= dim[1];
        n_dims = 1;
    }
    const char *shown = is_it && c->kind == RENAME_TENSOR ? c->text : name;
    assert_int_equal(gguf_write_tensor(w, shown, t->type, n_dims, dim, NULL), HEARTH_OK);
}

static bool is_dropped(const gguf_tensor *t, const change *c)
{
    return c->kind == DROP_TENSOR && str_eq_z(t->name, c->name);
}

static void rewrite(const gguf *g, const change *c, buf *out)
{
    gguf_writer *w;
    buf_init(out, MEM_TEST, 1u << 28);
    assert_int_equal(gguf_writer_create(put_bytes, out, &w, NULL), HEARTH_OK);
    for (size_t i = 0; i < gguf_kv_count(g); i++)
        if (!is_on_key(c) || !str_eq_z(gguf_kv_at(g, i)->key, c->name))
            assert_int_equal(gguf_write_copy(w, gguf_kv_at(g, i), NULL), HEARTH_OK);
    set_key(w, c);
    for (size_t i = 0; i < gguf_tensor_count(g); i++)
        if (!is_dropped(gguf_tensor_at(g, i), c)) declare_tensor(w, gguf_tensor_at(g, i), c);
    assert_int_equal(gguf_write_header(w, NULL), HEARTH_OK);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        size_t row;
        assert_true(dtype_bytes(t->type, t->dim[0], &row));
        if (!is_dropped(t, c))
            assert_int_equal(gguf_write_data(w, t->data, row * (size_t)t->dim[1], NULL), HEARTH_OK);
    }
    assert_int_equal(gguf_write_end(w, NULL), HEARTH_OK);
    gguf_writer_free(w);
}

static void make_changed(test_arch arch, const change *c, buf *out)
{
    test_model_spec spec = test_model_default(arch, DTYPE_F32);
    buf whole;
    gguf *g;
    buf_init(&whole, MEM_TEST, 1u << 28);
    assert_true(test_model_make(&spec, &whole));
    const gguf_bytes part = {"model", (const uint8_t *)whole.p, whole.n};
    assert_int_equal(gguf_open(&part, 1, &g, NULL), HEARTH_OK);
    rewrite(g, c, out);
    gguf_close(g);
    buf_release(&whole);
}

// Opening fails with this status, and the message holds the word.
static void expect_refused(test_arch arch, change c, hearth_status status, const char *word)
{
    buf changed;
    fixture f;
    fixture_options o = fixture_default();
    hearth_err err = ERR_INIT;
    make_changed(arch, &c, &changed);
    hearth_status got = fixture_open(&f, changed.p, changed.n, &o, &err);
    if (got == HEARTH_OK) fixture_close(&f);
    if (got != status || !strstr(err.msg, word))
        fail_msg("%s: status %d '%s', expected %d with '%s'", c.name, got, err.msg, status, word);
    buf_release(&changed);
}

static llm_config read_changed(test_arch arch, change c)
{
    buf changed;
    fixture f;
    fixture_options o = fixture_default();
    hearth_err err = ERR_INIT;
    make_changed(arch, &c, &changed);
    if (fixture_open(&f, changed.p, changed.n, &o, &err) != HEARTH_OK)
        fail_msg("%s: %s", c.name, err.msg);
    llm_config config = *llm_model_config(f.m);
    fixture_close(&f);
    buf_release(&changed);
    return config;
}

static void test_families(void **state)
{
    (void)state;
    static const struct { test_arch arch; const char *name; bool neox, bias, norm; } want[] = {
        {TEST_LLAMA, "llama", false, false, false},
        {TEST_QWEN2, "qwen2", true, true, false},
        {TEST_QWEN3, "qwen3", true, false, true},
    };
    for (size_t i = 0; i < COUNTOF(want); i++) {
        llm_config c = read_changed(want[i].arch, (change){DROP_KEY, "none", 0, NULL});
        assert_string_equal(c.arch, want[i].name);
        assert_int_equal(c.rope_neox, want[i].neox);
        assert_int_equal(c.has_qkv_bias, want[i].bias);
        assert_int_equal(c.has_qk_norm, want[i].norm);
        assert_int_equal(c.n_vocab, 300);
        assert_int_equal(c.n_embd, 64);
        assert_int_equal(c.n_head, 4);
        assert_int_equal(c.n_head_kv, 2);
        assert_int_equal(c.d_k, 16);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    llm_config c = read_changed(TEST_LLAMA, (change){DROP_KEY, "llama.rope.freq_base", 0, NULL});
    assert_true(c.rope_base == 10000 && c.rope_linear == 1);
    c = read_changed(TEST_LLAMA, (change){DROP_KEY, "llama.attention.key_length", 0, NULL});
    assert_int_equal(c.d_k, 16);
    c = read_changed(TEST_LLAMA, (change){DROP_KEY, "llama.rope.dimension_count", 0, NULL});
    assert_int_equal(c.n_rot, 16);
    c = read_changed(TEST_LLAMA, (change){SET_F32, "llama.rope.scale_linear", 4, NULL});
    assert_true(c.rope_linear == 4);
    c = read_changed(TEST_LLAMA, (change){SET_STR, "llama.rope.scaling.type", 0, "none"});
    assert_true(c.rope_linear == 1);
    // Without head_count_kv all heads have their own keys, which these tensors do not fit.
    expect_refused(TEST_LLAMA, (change){DROP_KEY, "llama.attention.head_count_kv", 0, NULL},
                   HEARTH_E_FORMAT, "attn_k.weight");
}

static void test_refused_keys(void **state)
{
    (void)state;
    static const struct { change c; hearth_status status; const char *word; } cases[] = {
        {{SET_STR, "general.architecture", 0, "unheard-of"}, HEARTH_E_UNSUPPORTED, ", llama, "},
        {{DROP_KEY, "general.architecture", 0, NULL}, HEARTH_E_FORMAT, "general.architecture"},
        {{DROP_KEY, "llama.attention.layer_norm_rms_epsilon", 0, NULL}, HEARTH_E_FORMAT, "epsilon"},
        {{SET_F32, "llama.attention.layer_norm_rms_epsilon", -1, NULL}, HEARTH_E_FORMAT, "-1"},
        {{DROP_KEY, "llama.block_count", 0, NULL}, HEARTH_E_FORMAT, "llama.block_count"},
        {{SET_U32, "llama.block_count", 0, NULL}, HEARTH_E_FORMAT, "1..1024"},
        {{SET_U32, "llama.block_count", 1025, NULL}, HEARTH_E_FORMAT, "1..1024"},
        {{SET_U32, "llama.block_count", 3, NULL}, HEARTH_E_FORMAT, "blk.2."},
        {{SET_STR, "llama.block_count", 0, "2"}, HEARTH_E_FORMAT, "llama.block_count"},
        {{SET_U32, "llama.embedding_length", 4294967295.0, NULL}, HEARTH_E_FORMAT, "4294967295"},
        {{SET_U32, "llama.embedding_length", 65, NULL}, HEARTH_E_FORMAT, "token_embd.weight"},
        {{SET_U32, "llama.attention.head_count", 0, NULL}, HEARTH_E_FORMAT, "head_count"},
        {{SET_U32, "llama.attention.head_count_kv", 3, NULL}, HEARTH_E_FORMAT, "3 key/value"},
        {{SET_U32, "llama.attention.key_length", 24, NULL}, HEARTH_E_FORMAT, "attn_q.weight"},
        {{SET_U32, "llama.rope.dimension_count", 15, NULL}, HEARTH_E_FORMAT, "odd"},
        {{SET_U32, "llama.rope.dimension_count", 18, NULL}, HEARTH_E_FORMAT, "1..16"},
        {{SET_F32, "llama.rope.freq_base", 0, NULL}, HEARTH_E_FORMAT, "freq_base"},
        {{SET_STR, "llama.rope.scaling.type", 0, "yarn"}, HEARTH_E_FORMAT, "rope.scaling.factor"},
        {{SET_STR, "llama.rope.scaling.type", 0, "su"}, HEARTH_E_UNSUPPORTED, "su"},
        {{SET_U32, "llama.expert_count", 8, NULL}, HEARTH_E_FORMAT, "expert_used_count"},
        {{SET_U32, "llama.expert_count", 5000, NULL}, HEARTH_E_FORMAT, "1..4096"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        expect_refused(TEST_LLAMA, cases[i].c, cases[i].status, cases[i].word);
}

static void test_refused_tensors(void **state)
{
    (void)state;
    static const struct {
        test_arch arch;
        change c;
        hearth_status status;
        const char *word;
    } cases[] = {
        {TEST_LLAMA, {DROP_TENSOR, "token_embd.weight", 0, NULL}, HEARTH_E_FORMAT, "token_embd"},
        {TEST_LLAMA, {DROP_TENSOR, "output_norm.weight", 0, NULL}, HEARTH_E_FORMAT, "output_norm"},
        {TEST_LLAMA, {DROP_TENSOR, "blk.1.ffn_up.weight", 0, NULL}, HEARTH_E_FORMAT, "1.ffn_up"},
        {TEST_QWEN2, {DROP_TENSOR, "blk.0.attn_k.bias", 0, NULL}, HEARTH_E_FORMAT, "attn_k.bias"},
        {TEST_QWEN3, {DROP_TENSOR, "blk.1.attn_q_norm.weight", 0, NULL}, HEARTH_E_FORMAT, "q_norm"},
        // A tensor of another family must not be ignored in silence.
        {TEST_QWEN2, {SET_STR, "general.architecture", 0, "qwen3"}, HEARTH_E_FORMAT, "qwen3."},
        {TEST_LLAMA, {RENAME_TENSOR, "output.weight", 0, "blk.1.attn_output.bias"},
         HEARTH_E_UNSUPPORTED, "blk.1.attn_output.bias"},
        {TEST_LLAMA, {FLATTEN, "blk.0.attn_q.weight", 0, NULL}, HEARTH_E_FORMAT, "[64, 64]"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        expect_refused(cases[i].arch, cases[i].c, cases[i].status, cases[i].word);
}

static void test_types_that_do_not_compute(void **state)
{
    (void)state;
    test_model_spec spec = test_model_default(TEST_LLAMA, DTYPE_I32);
    buf file;
    fixture f;
    fixture_options o = fixture_default();
    hearth_err err = ERR_INIT;
    buf_init(&file, MEM_TEST, 1u << 28);
    assert_true(test_model_make(&spec, &file));
    assert_int_equal(fixture_open(&f, file.p, file.n, &o, &err), HEARTH_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "I32"));
    buf_release(&file);
}

static void test_refused_ranges(void **state)
{
    (void)state;
    static const llm_model_options bad[] = {{-1, 0}, {2, 0}, {0, 3}, {1, 2}, {0, -1}};
    test_model_spec spec = test_model_default(TEST_LLAMA, DTYPE_F32);
    buf file;
    buf_init(&file, MEM_TEST, 1u << 28);
    assert_true(test_model_make(&spec, &file));
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        fixture f;
        fixture_options o = fixture_default();
        o.part = bad[i];
        assert_int_equal(fixture_open(&f, file.p, file.n, &o, NULL), HEARTH_E_ARG);
    }
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refused_keys), cmocka_unit_test(test_refused_tensors),
        cmocka_unit_test(test_types_that_do_not_compute), cmocka_unit_test(test_refused_ranges),
    };
    return cmocka_run_group_tests_name("llm config", tests, NULL, NULL);
}
