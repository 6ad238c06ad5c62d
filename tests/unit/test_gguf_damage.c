// The GGUF reader on damaged and hostile files: always one clear error or a model that can be
// walked whole, bounded memory, nothing leaked. Inputs are exact-size heap blocks, so that the
// address sanitizer sees a read of one byte too many.
#include "fmt/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gguf_raw.h"
#include "support/gguf_walk.h"
#include "support/model_file.h"

static hearth_status open_copy(const void *p, size_t n, hearth_err *err)
{
    uint8_t *copy = n > 0 ? malloc(n) : NULL;
    if (n > 0) memcpy(copy, p, n);
    gguf_bytes part = {NULL, copy, n};
    gguf *g = NULL;
    int n_parts = 0;
    size_t before = mem_get_total().now_bytes;
    hearth_status s = gguf_open(&part, 1, &g, err);
    assert_true((s == HEARTH_OK) == (g != NULL));
    if (g) gguf_walk(g);
    gguf_close(g);
    gguf_split_count(&part, &n_parts, NULL);
    assert_int_equal(mem_get_total().now_bytes, before);
    free(copy);
    return s;
}

static void expect_error(buf *b, hearth_status status, const char *text)
{
    hearth_err err = ERR_INIT;
    hearth_status s = open_copy(b->p, b->n, &err);
    if (s != status || !strstr(err.msg, text)) fail_msg("%d '%s' lacks '%s'", s, err.msg, text);
    buf_release(b);
}

static void begin(buf *b) { buf_init(b, MEM_TEST, 1 << 24); }

// --- each check and its message -----------------------------------------------------------------

static void test_bad_heads(void **state)
{
    (void)state;
    static const struct row {
        const char *bytes;
        size_t n;
        hearth_status s;
        const char *text;
    } heads[] = {
        {"", 0, HEARTH_E_FORMAT, "0 bytes are no GGUF file"},
        {"GGUF\3\0\0\0", 8, HEARTH_E_FORMAT, "ends inside its head: 8 bytes, expected 24"},
        {"\x40\0\0\0", 4, HEARTH_E_FORMAT, "begins with bytes 40 00 00 00, expected 'GGUF'"},
        {"tjgg", 4, HEARTH_E_FORMAT, "ggjt"},
        {"version https://git-lfs", 23, HEARTH_E_FORMAT, "Git LFS pointer"},
    };
    for (size_t i = 0; i < COUNTOF(heads); i++) {
        buf b;
        begin(&b);
        buf_append(&b, heads[i].bytes, heads[i].n);
        expect_error(&b, heads[i].s, heads[i].text);
    }
    static const struct { uint32_t version; const char *text; } versions[] = {
        {1, "version 1 (32-bit lengths)"}, {4, "version 4 is not supported"},
        {0x03000000, "big-endian"}, {0, "version 0"},
    };
    for (size_t i = 0; i < COUNTOF(versions); i++) {
        buf b;
        begin(&b);
        raw_head(&b, versions[i].version, 0, 0);
        expect_error(&b, HEARTH_E_UNSUPPORTED, versions[i].text);
    }
}

static void test_bad_counts(void **state)
{
    (void)state;
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, UINT64_MAX);
    expect_error(&b, HEARTH_E_FORMAT, "18446744073709551615 keys do not fit in 24 bytes");
    begin(&b);
    raw_head(&b, 3, 2, 0);
    raw_zeros(&b, 49);
    expect_error(&b, HEARTH_E_FORMAT, "2 tensors do not fit in 49 bytes");
    begin(&b);
    raw_head(&b, 3, 0, LIMIT_GGUF_KV + 1);
    raw_zeros(&b, (LIMIT_GGUF_KV + 1) * 14);
    expect_error(&b, HEARTH_E_LIMIT, "65537 keys, at most 65536");
}

static void test_bad_keys(void **state)
{
    (void)state;
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_kv(&b, "", GGUF_U64, 1, 8);
    expect_error(&b, HEARTH_E_FORMAT, "key 0: has no name");
    begin(&b);
    raw_head(&b, 3, 0, 2);
    raw_kv(&b, "twice", GGUF_U8, 1, 1);
    raw_kv(&b, "twice", GGUF_U8, 1, 1);
    expect_error(&b, HEARTH_E_FORMAT, "key 'twice': is there twice");
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_kv(&b, "odd", 13, 1, 8);
    expect_error(&b, HEARTH_E_FORMAT, "key 'odd': value type 13 is unknown, expected 0 to 12");
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_kv(&b, "flag", GGUF_BOOL, 2, 1);
    expect_error(&b, HEARTH_E_FORMAT, "key 'flag': bool is 2, expected 0 or 1");
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_kv(&b, "text", GGUF_STRING, UINT64_MAX - 3, 8);
    expect_error(&b, HEARTH_E_FORMAT, "key 'text': string goes past the end of the file (48 B)");
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_uint(&b, 65536, 8);
    raw_zeros(&b, 70000);
    expect_error(&b, HEARTH_E_LIMIT, "key 0: name has 65536 bytes, at most 65535");
}

static void test_bad_arrays(void **state)
{
    (void)state;
    static const struct row {
        uint32_t type;
        uint64_t n;
        hearth_status s;
        const char *text;
    } arrays[] = {
        {GGUF_U64, UINT64_MAX / 8 + 2, HEARTH_E_FORMAT, "key 'a': value goes past the end"},
        {GGUF_STRING, UINT64_MAX, HEARTH_E_FORMAT, "key 'a': string goes past the end"},
        {99, 0, HEARTH_E_FORMAT, "key 'a': value type 99 is unknown"},
        {GGUF_ARRAY, 1, HEARTH_E_FORMAT, "key 'a': array goes past the end"},
    };
    for (size_t i = 0; i < COUNTOF(arrays); i++) {
        buf b;
        begin(&b);
        raw_head(&b, 3, 0, 1);
        raw_kv(&b, "a", GGUF_ARRAY, arrays[i].type, 4);
        raw_uint(&b, arrays[i].n, 8);
        expect_error(&b, arrays[i].s, arrays[i].text);
    }
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_str(&b, "deep");
    raw_uint(&b, GGUF_ARRAY, 4);
    for (int i = 0; i < 100000; i++) {
        raw_uint(&b, GGUF_ARRAY, 4);
        raw_uint(&b, 1, 8);
    }
    expect_error(&b, HEARTH_E_LIMIT, "key 'deep': arrays nest deeper than 4");
}

static void test_bad_alignment(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0, 3, 48, 131072};
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        buf b;
        begin(&b);
        raw_head(&b, 3, 0, 1);
        raw_kv(&b, "general.alignment", GGUF_U32, bad[i], 4);
        expect_error(&b, HEARTH_E_FORMAT, "expected a power of two up to 65536");
    }
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_kv(&b, "general.alignment", GGUF_F32, 32, 4);
    expect_error(&b, HEARTH_E_FORMAT, "key 'general.alignment': expected a count, found f32");
}

// One tensor and 64 bytes of data.
static void expect_bad_tensor(uint32_t type, uint64_t cols, uint64_t rows, uint64_t offset,
                              hearth_status status, const char *text)
{
    buf b;
    begin(&b);
    raw_head(&b, 3, 1, 0);
    raw_tensor(&b, "t", type, cols, rows, offset);
    raw_pad(&b, 32);
    raw_zeros(&b, 64);
    expect_error(&b, status, text);
}

static void test_bad_tensors(void **state)
{
    (void)state;
    const hearth_status format = HEARTH_E_FORMAT;
    expect_bad_tensor(DTYPE_F32, 0, 0, 0, format, "tensor 't': dimension 0 is 0, expected 1 to");
    expect_bad_tensor(DTYPE_F32, 1, UINT64_MAX, 0, format, "'t': dimension 1 is 184467440737");
    expect_bad_tensor(DTYPE_F32, 1ull << 40, 1ull << 40, 0, format, "overflow");
    expect_bad_tensor(DTYPE_Q4_0, 33, 0, 0, format,
                      "rows of 33 elements are no multiple of the 32 of a Q4_0 block");
    expect_bad_tensor(4, 32, 0, 0, HEARTH_E_UNSUPPORTED, "type 4 (Q4_2, retired) is not supported");
    expect_bad_tensor(138, 256, 0, 0, HEARTH_E_UNSUPPORTED, "of ik_llama.cpp");
    expect_bad_tensor(9999, 256, 0, 0, format, "tensor 't': type 9999 is unknown");
    expect_bad_tensor(DTYPE_F32, 1, 0, 7, format, "offset 7 is no multiple of the alignment 32");
    // The record ends at 57, data begins at 64, the file ends at 128.
    expect_bad_tensor(DTYPE_F32, 17, 0, 0, format,
                      "tensor 't': its end at 132 B is past the end of the file (128 B)");
    expect_bad_tensor(DTYPE_F32, 1, 0, 64, format,
                      "tensor 't': offset 128 B is past the end of the file (128 B)");
    expect_bad_tensor(DTYPE_F32, 1, 0, 1 << 20, format,
                      "tensor 't': offset 1.0 MB is past the end of the file (128 B)");
    expect_bad_tensor(DTYPE_F32, 1, 0, UINT64_MAX - 31, format, "is past the end of the file");
}

static void test_bad_tensor_sets(void **state)
{
    (void)state;
    static const struct { const char *second; uint64_t offset; const char *text; } pairs[] = {
        {"a", 64, "tensor 'a': is there twice"},
        {"b", 32, "tensor 'b': overlaps tensor 'a'"},
        {"b", 0, "overlaps tensor"},
        {"", 64, "tensor 1: has no name"},
    };
    for (size_t i = 0; i < COUNTOF(pairs); i++) {
        buf b;
        begin(&b);
        raw_head(&b, 3, 2, 0);
        raw_tensor(&b, "a", DTYPE_I8, 33, 0, 0);
        raw_tensor(&b, pairs[i].second, DTYPE_I8, 32, 0, pairs[i].offset);
        raw_pad(&b, 32);
        raw_zeros(&b, 128);
        expect_error(&b, HEARTH_E_FORMAT, pairs[i].text);
    }
    buf b;
    begin(&b);
    raw_head(&b, 3, 1, 0);
    raw_str(&b, "five");
    raw_uint(&b, 5, 4);
    raw_zeros(&b, 100);
    expect_error(&b, HEARTH_E_FORMAT, "tensor 'five': 5 dimensions, expected at most 4");
}

// Control bytes in a name must not reach a terminal.
static void test_names_are_escaped(void **state)
{
    (void)state;
    buf b;
    begin(&b);
    raw_head(&b, 3, 0, 1);
    raw_kv(&b, "\x1b[2J", 77, 0, 8);
    expect_error(&b, HEARTH_E_FORMAT, "key '\\x1b[2J': value type 77");
}

// --- systematic damage --------------------------------------------------------------------------

// A model of every kind of record, and where its data begins.
static size_t make_model(buf *b)
{
    test_model_spec spec = test_model_default(TEST_QWEN2, DTYPE_Q8_0);
    spec.n_layer = 1;
    spec.n_vocab = 262;
    begin(b);
    assert_true(test_model_make(&spec, b));
    gguf_bytes part = {NULL, (uint8_t *)b->p, b->n};
    gguf *g = NULL;
    assert_int_equal(gguf_open(&part, 1, &g, NULL), HEARTH_OK);
    size_t start = (size_t)(gguf_tensor_at(g, 0)->data - part.data);
    gguf_close(g);
    return start;
}

static void test_each_truncation(void **state)
{
    (void)state;
    buf b;
    size_t header = make_model(&b);
    // Padding after the last tensor may be missing; its last row is 32 wide and needs none here.
    for (size_t n = 0; n < b.n; n += n <= header ? 1 : 211) {
        hearth_err err = ERR_INIT;
        if (open_copy(b.p, n, &err) == HEARTH_OK) fail_msg("opened with %zu of %zu bytes", n, b.n);
        assert_true(err.msg[0] != 0);
    }
    assert_int_equal(open_copy(b.p, b.n, NULL), HEARTH_OK);
    buf_release(&b);
}

static void test_each_byte(void **state)
{
    (void)state;
    buf b;
    size_t header = make_model(&b);
    int refused = 0;
    for (size_t i = 0; i < header; i++) {
        uint8_t was = (uint8_t)b.p[i];
        const uint8_t values[3] = {0x00, 0xFF, (uint8_t)(was ^ (1 << i % 8))};
        for (size_t k = 0; k < COUNTOF(values); k++) {
            b.p[i] = (char)values[k];
            refused += open_copy(b.p, b.n, NULL) != HEARTH_OK;
        }
        b.p[i] = (char)was;
    }
    assert_true(refused > (int)header / 4); // the reader does look
    buf_release(&b);
}

// Index memory stays in proportion to the file, whatever the counts in it say.
static void test_memory_bound(void **state)
{
    (void)state;
    buf b;
    begin(&b);
    raw_head(&b, 3, 20000, 0);
    raw_zeros(&b, 20000 * 25);
    mem_reset_peaks();
    size_t before = mem_get_total().now_bytes;
    gguf_bytes part = {NULL, (uint8_t *)b.p, b.n};
    gguf *g = NULL;
    assert_int_equal(gguf_open(&part, 1, &g, NULL), HEARTH_E_FORMAT);
    assert_true(mem_get_total().peak_bytes - before < 8 * b.n);
    buf_release(&b);
}

static void test_no_memory(void **state)
{
    (void)state;
    buf b;
    make_model(&b);
    gguf_bytes part = {"m", (uint8_t *)b.p, b.n};
    size_t before = mem_get_total().now_bytes;
    hearth_status s = HEARTH_E_NOMEM;
    uint64_t n = 1;
    for (; s != HEARTH_OK; n++) {
        gguf *g = NULL;
        hearth_err err = ERR_INIT;
        mem_fail_nth(n, n % 2 == 0);
        s = gguf_open(&part, 1, &g, &err);
        mem_fail_nth(0, false);
        assert_true(s == HEARTH_OK || s == HEARTH_E_NOMEM);
        assert_int_equal(err.status, s);
        gguf_close(g);
        assert_int_equal(mem_get_total().now_bytes, before);
        assert_true(n < 1000);
    }
    assert_true(n > 5); // some did fail
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_heads), cmocka_unit_test(test_bad_counts),
        cmocka_unit_test(test_bad_keys), cmocka_unit_test(test_bad_arrays),
        cmocka_unit_test(test_bad_alignment), cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_bad_tensor_sets), cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_each_truncation), cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_memory_bound), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
