// The GGUF reader on good files: what the index says, typed reads, splits, real models.
// Damaged ones are in test_gguf_damage.c.
#include "fmt/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gguf_raw.h"
#include "support/gguf_walk.h"
#include "support/test_data.h"

enum { U8 = GGUF_U8, U32 = GGUF_U32, F32 = GGUF_F32 };

static void begin(buf *b) { buf_init(b, MEM_TEST, 1 << 24); }

static gguf *open_all(const buf *parts, int n)
{
    gguf_bytes bytes[4];
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    assert_in_range(n, 1, 4);
    for (int i = 0; i < n; i++) bytes[i] = (gguf_bytes){"m", (uint8_t *)parts[i].p, parts[i].n};
    if (gguf_open(bytes, n, &g, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    gguf_walk(g);
    return g;
}

static void test_empty(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        buf b;
        begin(&b);
        raw_head(&b, version, 0, 0);
        gguf *g = open_all(&b, 1);
        assert_int_equal(gguf_version(g), version);
        assert_int_equal(gguf_kv_count(g), 0);
        assert_int_equal(gguf_tensor_count(g), 0);
        assert_null(gguf_find(g, "general.name"));
        assert_null(gguf_find_tensor(g, "output.weight"));
        gguf_close(g);
        buf_release(&b);
    }
    gguf_close(NULL);
}

// One key per integer type, each with its smallest value (all ones for unsigned types).
static void test_integers(void **state)
{
    (void)state;
    static const struct row {
        const char *key;
        uint32_t type;
        int width;
        uint64_t bits;
        int64_t is;
    } k[] = {
        {"u8", GGUF_U8, 1, 0xFF, 255},
        {"i8", GGUF_I8, 1, 0x80, -128},
        {"u16", GGUF_U16, 2, 0xFFFF, 65535},
        {"i16", GGUF_I16, 2, 0x8000, -32768},
        {"u32", GGUF_U32, 4, 0xFFFFFFFF, 4294967295},
        {"i32", GGUF_I32, 4, 0x80000000, -2147483648LL},
        {"i64", GGUF_I64, 8, 0x8000000000000000, INT64_MIN},
        {"u64", GGUF_U64, 8, 0x7FFFFFFFFFFFFFFF, INT64_MAX},
    };
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, COUNTOF(k));
    for (size_t i = 0; i < COUNTOF(k); i++) raw_kv(&b, k[i].key, k[i].type, k[i].bits, k[i].width);
    gguf *g = open_all(&b, 1);
    for (size_t i = 0; i < COUNTOF(k); i++) {
        int64_t v = 0;
        uint64_t u = 42;
        double d = 0;
        assert_true(gguf_item_i64(gguf_find(g, k[i].key), 0, &v));
        assert_true(v == k[i].is);
        assert_true(gguf_item_f64(gguf_find(g, k[i].key), 0, &d));
        assert_true(d == (double)k[i].is);
        hearth_status s = gguf_get_u64(g, k[i].key, UINT64_MAX, &u, NULL, NULL);
        assert_int_equal(s, k[i].is < 0 ? HEARTH_E_FORMAT : HEARTH_OK);
        assert_true(u == (k[i].is < 0 ? 42 : (uint64_t)k[i].is));
    }
    gguf_close(g);
    buf_release(&b);
}

// A u64 that no int64_t holds is refused as such, and exact as u64.
static void test_large_u64(void **state)
{
    (void)state;
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_kv(&b, "large", GGUF_U64, UINT64_MAX, 8);
    gguf *g = open_all(&b, 1);
    int64_t v = 3;
    uint64_t u = 0;
    double d = 0;
    assert_false(gguf_item_i64(gguf_find(g, "large"), 0, &v));
    assert_int_equal(v, 3);
    assert_true(gguf_item_f64(gguf_find(g, "large"), 0, &d) && d == 18446744073709551616.0);
    assert_int_equal(gguf_get_u64(g, "large", UINT64_MAX, &u, NULL, NULL), HEARTH_OK);
    assert_true(u == UINT64_MAX);
    gguf_close(g);
    buf_release(&b);
}

static void expect_message(const hearth_err *err, const char *text)
{
    if (!strstr(err->msg, text)) fail_msg("'%s' lacks '%s'", err->msg, text);
}

static void test_typed_reads(void **state)
{
    (void)state;
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, 4);
    raw_kv(&b, "count", U32, 70000, 4);
    raw_kv(&b, "nan", F32, 0x7FC00000, 4);
    raw_kv(&b, "huge", GGUF_F64, 0x7FE0000000000000, 8);
    raw_kv(&b, "flag", GGUF_BOOL, 1, 1);
    gguf *g = open_all(&b, 1);
    uint64_t u = 5;
    float f = 5;
    bool flag = false, found = true;
    str s = STR("kept");
    hearth_err err = ERR_INIT;
    assert_int_equal(gguf_get_u64(g, "absent", 9, &u, &found, NULL), HEARTH_OK);
    assert_false(found);
    assert_int_equal(gguf_get_u64(g, "absent", 9, &u, NULL, &err), HEARTH_E_FORMAT);
    expect_message(&err, "key 'absent': is missing");
    err_clear(&err);
    assert_int_equal(gguf_get_u64(g, "count", 69999, &u, &found, &err), HEARTH_E_FORMAT);
    expect_message(&err, "key 'count': is 70000, expected at most 69999");
    err_clear(&err);
    assert_int_equal(gguf_get_u64(g, "nan", 9, &u, &found, &err), HEARTH_E_FORMAT);
    expect_message(&err, "key 'nan': is of type f32, expected an integer");
    assert_int_equal(gguf_get_u64(g, "flag", 9, &u, &found, NULL), HEARTH_E_FORMAT);
    assert_int_equal(gguf_get_f32(g, "nan", &f, &found, NULL), HEARTH_E_FORMAT);
    assert_int_equal(gguf_get_f32(g, "huge", &f, &found, NULL), HEARTH_E_FORMAT);
    assert_int_equal(gguf_get_bool(g, "count", &flag, &found, NULL), HEARTH_E_FORMAT);
    assert_int_equal(gguf_get_str(g, "count", &s, &found, NULL), HEARTH_E_FORMAT);
    assert_true(u == 5 && f == 5 && !flag && str_eq_z(s, "kept"));
    assert_int_equal(gguf_get_f32(g, "count", &f, NULL, NULL), HEARTH_OK);
    assert_true(f == 70000);
    assert_int_equal(gguf_get_bool(g, "flag", &flag, NULL, NULL), HEARTH_OK);
    assert_true(flag);
    gguf_close(g);
    buf_release(&b);
}

// Out of order, with gaps, no dimension at all, alignment 1 and 64: all legal.
static void test_tensor_places(void **state)
{
    (void)state;
    for (unsigned alignment = 1; alignment <= 64; alignment *= 64) {
        buf b;
        begin(&b);
        raw_head(&b, 3, 3, 1);
        raw_kv(&b, "general.alignment", U32, alignment, 4);
        raw_tensor(&b, "late", DTYPE_F32, 2, 3, 192);
        raw_tensor(&b, "early", DTYPE_I8, 5, 0, 64);
        raw_str(&b, "scalar");
        raw_uint(&b, 0, 4);
        raw_uint(&b, DTYPE_I16, 4);
        raw_uint(&b, 0, 8);
        raw_pad(&b, alignment);
        size_t start = b.n;
        raw_zeros(&b, 192 + 24);
        gguf *g = open_all(&b, 1);
        const gguf_tensor *late = gguf_find_tensor(g, "late"), *s = gguf_find_tensor(g, "scalar");
        assert_ptr_equal(late->data, b.p + start + 192);
        assert_int_equal(late->bytes, 24);
        assert_int_equal(late->dim[1], 3);
        assert_int_equal(gguf_find_tensor(g, "early")->bytes, 5);
        assert_int_equal(s->n_dims, 1);
        assert_int_equal(s->bytes, 2);
        gguf_close(g);
        buf_release(&b);
    }
}

// Many tensors in a shuffled order find their places; one that overlaps is found.
static void test_many_shuffled(void **state)
{
    (void)state;
    enum { N = 1009 }; // prime, so that i * 400 % N meets every place once
    for (int spoil = 0; spoil < 2; spoil++) {
        buf b;
        begin(&b);
        raw_head(&b, 3, N, 0);
        for (unsigned i = 0; i < N; i++) {
            char name[16];
            snprintf(name, sizeof name, "t%u", i);
            unsigned place = spoil && i == 700 ? 3 : i * 400 % N;
            raw_tensor(&b, name, DTYPE_I8, 32, 0, place * 32);
        }
        raw_pad(&b, 32);
        raw_zeros(&b, N * 32);
        gguf_bytes part = {"m", (uint8_t *)b.p, b.n};
        gguf *g = NULL;
        hearth_err err = ERR_INIT;
        assert_int_equal(gguf_open(&part, 1, &g, &err), spoil ? HEARTH_E_FORMAT : HEARTH_OK);
        if (spoil) expect_message(&err, "overlaps tensor");
        gguf_close(g);
        buf_release(&b);
    }
}

static void make_nested(buf *b, int most)
{
    begin(b);
    raw_head(b, 3, 0, 1);
    raw_str(b, "nested");
    for (int depth = 0; depth < most; depth++) {
        raw_uint(b, GGUF_ARRAY, 4); // type of the value, then of the items
        if (depth > 0) raw_uint(b, 1, 8);
    }
    raw_uint(b, GGUF_U8, 4);
    raw_uint(b, 1, 8);
    raw_uint(b, 7, 1);
}

static void test_nested_arrays(void **state)
{
    (void)state;
    buf b;
    make_nested(&b, LIMIT_GGUF_ARRAY_DEPTH + 1);
    gguf_bytes part = {"m", (uint8_t *)b.p, b.n};
    gguf *none = NULL;
    assert_int_equal(gguf_open(&part, 1, &none, NULL), HEARTH_E_LIMIT);
    buf_release(&b);
    make_nested(&b, LIMIT_GGUF_ARRAY_DEPTH);
    gguf *g = open_all(&b, 1);
    int64_t v;
    size_t offset = 0;
    const gguf_kv *kv = gguf_find(g, "nested");
    assert_int_equal(kv->item_type, GGUF_ARRAY);
    assert_false(gguf_item_i64(kv, 0, &v));
    assert_int_equal(gguf_next_string(kv, &offset).n, 0);
    gguf_close(g);
    buf_release(&b);
}

// --- splits -------------------------------------------------------------------------------------

static void make_part(buf *b, unsigned no, unsigned count, uint64_t total, const char *tensor)
{
    begin(b);
    raw_head(b, 3, 1, 3);
    raw_kv(b, "split.no", GGUF_U16, no, 2);
    raw_kv(b, "split.count", GGUF_U16, count, 2);
    raw_kv(b, "split.tensors.count", GGUF_I32, total, 4);
    raw_tensor(b, tensor, DTYPE_F32, 4, 0, 0);
    raw_pad(b, 32);
    raw_zeros(b, 16);
}

static hearth_status open_parts(const buf *p, int n, gguf **g, hearth_err *err)
{
    gguf_bytes bytes[3];
    for (int i = 0; i < n; i++) bytes[i] = (gguf_bytes){"part", (uint8_t *)p[i].p, p[i].n};
    return gguf_open(bytes, n, g, err);
}

static void test_split(void **state)
{
    (void)state;
    buf p[3];
    make_part(&p[0], 0, 3, 3, "a");
    make_part(&p[1], 1, 3, 3, "b");
    make_part(&p[2], 2, 3, 3, "c");
    gguf_bytes first = {"m", (uint8_t *)p[0].p, p[0].n}, second = {"m", (uint8_t *)p[1].p, p[1].n};
    int n = 0;
    hearth_err err = ERR_INIT;
    assert_int_equal(gguf_split_count(&first, &n, NULL), HEARTH_OK);
    assert_int_equal(n, 3);
    assert_int_equal(gguf_split_count(&second, &n, &err), HEARTH_E_FORMAT);
    expect_message(&err, "m: is part 2 of 3, expected part 1 of 3");
    gguf *g = open_all(p, 3);
    assert_int_equal(gguf_tensor_count(g), 3);
    assert_int_equal(gguf_kv_count(g), 3);
    assert_int_equal(gguf_find_tensor(g, "c")->part, 2);
    assert_in_range((uintptr_t)gguf_find_tensor(g, "b")->data, (uintptr_t)p[1].p,
                    (uintptr_t)p[1].p + p[1].n - 16);
    gguf_close(g);
    for (int i = 0; i < 3; i++) buf_release(&p[i]);
}

static void expect_bad_parts(buf *p, int n, const char *text)
{
    gguf *g = (gguf *)&n; // must become NULL
    hearth_err err = ERR_INIT;
    assert_int_equal(open_parts(p, n, &g, &err), HEARTH_E_FORMAT);
    assert_null(g);
    expect_message(&err, text);
    for (int i = 0; i < n; i++) buf_release(&p[i]);
}

static void test_bad_splits(void **state)
{
    (void)state;
    buf p[2];
    make_part(&p[0], 0, 2, 2, "a");
    expect_bad_parts(p, 1, "part: is part 1 of 2, expected a whole model or all parts");
    make_part(&p[0], 0, 2, 2, "a");
    make_part(&p[1], 0, 2, 2, "b");
    expect_bad_parts(p, 2, "part: is part 1 of 2, expected part 2 of 2");
    make_part(&p[0], 0, 2, 2, "a");
    make_part(&p[1], 1, 2, 2, "a");
    expect_bad_parts(p, 2, "tensor 'a': is there twice");
    make_part(&p[0], 0, 2, 3, "a");
    make_part(&p[1], 1, 2, 3, "b");
    expect_bad_parts(p, 2, "'split.tensors.count': is 3, but the parts hold 2 tensors");
    make_part(&p[0], 0, 2, 2, "a");
    begin(&p[1]);
    raw_head(&p[1], 3, 0, 0);
    expect_bad_parts(p, 2, "not a part of a split model, expected part 2 of 2");
}

static void test_split_names(void **state)
{
    (void)state;
    buf b;
    begin(&b);
    assert_true(gguf_split_name("d/m-00001-of-00003.gguf", 1, 3, &b));
    assert_string_equal(b.p, "d/m-00002-of-00003.gguf");
    buf_reset(&b);
    assert_true(gguf_split_name("m-00001-of-09999.gguf", 9998, 9999, &b));
    assert_string_equal(b.p, "m-09999-of-09999.gguf");
    assert_false(gguf_split_name("m-00001-of-00003.gguf", 3, 3, &b));
    assert_false(gguf_split_name("m-00001-of-00003.gguf", 1, 4, &b));
    assert_false(gguf_split_name("m-00002-of-00003.gguf", 1, 3, &b));
    assert_false(gguf_split_name("m.gguf", 0, 1, &b));
    buf_release(&b);
}

// --- real files ---------------------------------------------------------------------------------

static void test_real_files(void **state)
{
    (void)state;
    static const struct { const char *name; size_t n_kv, n_tensors; } files[] = {
        {"llm-stories260k/stories260K.gguf", 19, 48},
        {"llm-gguf-random/llama-2-tiny-random.gguf", 18, 12},
        {"tokenizers/bert-bge.gguf", 20, 0},
        {"tokenizers/deepseek-llm.gguf", 23, 0},
        {"tokenizers/gpt-2.gguf", 16, 0},
        {"tokenizers/llama-bpe.gguf", 15, 0},
        {"tokenizers/llama-spm.gguf", 22, 0},
        {"tokenizers/mpt.gguf", 17, 0},
        {"tokenizers/phi-3.gguf", 26, 0},
        {"tokenizers/starcoder.gguf", 19, 0},
    };
    int found = 0;
    for (size_t i = 0; i < COUNTOF(files); i++) {
        char path[512];
        if (!test_data_path(files[i].name, path, sizeof path)) continue;
        gguf_bytes part = {path, NULL, 0};
        gguf *g = NULL;
        hearth_err err = ERR_INIT;
        int n_parts = 0;
        unsigned char *data = test_read_file(path, &part.size);
        part.data = data;
        if (gguf_open(&part, 1, &g, &err) != HEARTH_OK) fail_msg("%s", err.msg);
        assert_int_equal(gguf_kv_count(g), files[i].n_kv);
        assert_int_equal(gguf_tensor_count(g), files[i].n_tensors);
        assert_int_equal(gguf_split_count(&part, &n_parts, NULL), HEARTH_OK);
        assert_int_equal(n_parts, 1);
        gguf_walk(g);
        gguf_close(g);
        free(data);
        found++;
    }
    if (found == 0) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_large_u64), cmocka_unit_test(test_typed_reads),
        cmocka_unit_test(test_tensor_places),
        cmocka_unit_test(test_many_shuffled), cmocka_unit_test(test_nested_arrays),
        cmocka_unit_test(test_split), cmocka_unit_test(test_bad_splits),
        cmocka_unit_test(test_split_names), cmocka_unit_test(test_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
