// safetensors files: as the Python package writes them (the fuzzer's seeds), and damaged ones.
#include "fmt/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_data.h"

static unsigned char *read_seed(const char *name, size_t *n)
{
    char file[128], path[512];
    snprintf(file, sizeof file, "fuzz/corpus/fuzz_safetensors/%s", name);
    test_source_path(file, path, sizeof path);
    unsigned char *p = test_read_file(path, n);
    assert_non_null(p);
    return p;
}

static safetensors *open_good(const uint8_t *p, size_t n)
{
    safetensors *s = NULL;
    hearth_err err = ERR_INIT;
    if (safetensors_open("f", p, n, &s, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return s;
}

static void test_types(void **state)
{
    (void)state;
    static const struct { const char *name; st_type type; size_t n; uint8_t last[4]; } all[] = {
        {"f32", ST_F32, 24, {0, 0, 0xA0, 0x40}}, {"f16", ST_F16, 12, {0, 0x44, 0, 0x45}},
        {"bf16", ST_BF16, 10, {0x40, 0x40, 0x80, 0x40}}, {"f64", ST_F64, 16, {0, 0, 0xF0, 0x3F}},
        {"i8", ST_I8, 3, {0, 1, 2}}, {"u8", ST_U8, 3, {0, 1, 2}}, {"bool", ST_BOOL, 3, {1, 0, 1}},
        {"i16", ST_I16, 6, {1, 0, 2, 0}}, {"i32", ST_I32, 12, {2, 0, 0, 0}},
        {"i64", ST_I64, 24, {0, 0, 0, 0}}, {"e4m3", ST_F8_E4M3, 4, {0, 0x38, 0x40, 0x44}},
        {"e5m2", ST_F8_E5M2, 4, {0, 0x3C, 0x40, 0x42}},
    };
    size_t n;
    unsigned char *p = read_seed("types", &n);
    safetensors *s = open_good(p, n);
    assert_int_equal(safetensors_count(s), COUNTOF(all));
    for (size_t i = 0; i < COUNTOF(all); i++) {
        const st_tensor *t = safetensors_find(s, str_from(all[i].name));
        assert_non_null(t);
        assert_int_equal(t->type, all[i].type);
        assert_int_equal(t->bytes, all[i].n);
        size_t tail = size_min(t->bytes, 4);
        assert_memory_equal(t->data + t->bytes - tail, all[i].last, tail);
    }
    const st_tensor *t = safetensors_find(s, STR("f16"));
    assert_true(t->n_dims == 2 && t->dim[0] == 3 && t->dim[1] == 2 && t->dim[2] == 1);
    safetensors_close(s);
    free(p);
}

static void test_shapes(void **state)
{
    (void)state;
    size_t n;
    str text;
    unsigned char *p = read_seed("shapes", &n);
    safetensors *s = open_good(p, n);
    assert_int_equal(safetensors_count(s), 4);
    assert_int_equal(safetensors_find(s, STR("scalar"))->n_dims, 0);
    assert_int_equal(safetensors_find(s, STR("none"))->bytes, 0);
    assert_int_equal(safetensors_find(s, STR("five"))->n_dims, 5);
    assert_non_null(safetensors_find(s, STR("na\"me\\\xC3\xA9")));
    assert_null(safetensors_find(s, STR("na")));
    assert_true(safetensors_metadata(s, STR("note"), &text) && str_eq_z(text, "line\nline"));
    assert_false(safetensors_metadata(s, STR("scalar"), &text));
    safetensors_close(s);
    free(p);
}

// A file of this header and n zeros, in memory of exactly its size.
static hearth_status open_text(const char *header, size_t n_data, hearth_err *err)
{
    size_t len = strlen(header), n = 8 + len + n_data;
    uint8_t *p = calloc(1, n);
    assert_non_null(p);
    p[0] = (uint8_t)len;
    p[1] = (uint8_t)(len >> 8);
    memcpy(p + 8, header, len);
    safetensors *s = NULL;
    hearth_status status = safetensors_open("f", p, n, &s, err);
    assert_true((status == HEARTH_OK) == (s != NULL));
    safetensors_close(s);
    free(p);
    return status;
}

#define A "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}"
#define ENTRY(rest) "{\"a\":{" rest "}}"

static void test_bad(void **state)
{
    (void)state;
    enum { FORMAT = HEARTH_E_FORMAT, UNSUPPORTED = HEARTH_E_UNSUPPORTED, LIMIT = HEARTH_E_LIMIT };
    static const struct { const char *header; size_t data; int status; const char *text; } bad[] = {
        {"", 0, FORMAT, "json"},
        {"[]", 0, FORMAT, "no object"},
        {"{} x", 0, FORMAT, "json"},
        {"{" A "}", 3, FORMAT, "3 bytes of data, but the tensors have 2"},
        {"{" A "}", 1, FORMAT, "expected a stretch of the 1 bytes"},
        {"{" A "," A "}", 2, FORMAT, "'a': is there twice"},
        {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, FORMAT,
         "'b': begins at byte 1 of the data, expected 2"},
        {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}", 4, FORMAT,
         "'b': begins at byte 3 of the data, expected 2"},
        {"{\"a\":1}", 0, FORMAT, "no object"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[2]"), 2, FORMAT, "lacks"},
        {ENTRY("\"dtype\":\"U8\",\"dtype\":\"U8\""), 2, FORMAT, "twice"},
        {ENTRY("\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,2]"), 2, UNSUPPORTED, "'Q4'"},
        {ENTRY("\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,2]"), 2, FORMAT, "no text"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,2]"), 2, FORMAT, "2 bytes"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[-2],\"data_offsets\":[0,2]"), 2, FORMAT, "no count"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[2.5],\"data_offsets\":[0,2]"), 2, FORMAT, "no count"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":2,\"data_offsets\":[0,2]"), 2, FORMAT, "no array"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,2]"), 2, LIMIT,
         "more than 8"},
        {ENTRY("\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]"), 0,
         FORMAT, "another number"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[0,3],\"data_offsets\":[0,2]"), 2, FORMAT, "another"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,0]"), 2, FORMAT, "stretch"},
        {ENTRY("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0]"), 2, FORMAT, "stretch"},
        {"{\"__metadata__\":[]}", 0, FORMAT, "no object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, FORMAT, "'a': expected a text"},
        {"{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, FORMAT, "'a': is there twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, FORMAT, "'__metadata__': is there twice"},
    };
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        hearth_err err = ERR_INIT;
        hearth_status s = open_text(bad[i].header, bad[i].data, &err);
        if ((int)s != bad[i].status || !strstr(err.msg, bad[i].text) || strncmp(err.msg, "f: ", 3))
            fail_msg("%zu: %d %s", i, s, err.msg);
    }
    hearth_err err = ERR_INIT; // a key that this reader does not know, spaces behind the header
    const char *good = ENTRY("\"new\":[{}],\"shape\":[],\"dtype\":\"U8\",\"data_offsets\":[0,1]")
                       "  ";
    if (open_text(good, 1, &err) != HEARTH_OK) fail_msg("%s", err.msg);
}

// Cut anywhere and with any byte of the header changed: never accepted when cut, never a crash.
static void test_damage(void **state)
{
    (void)state;
    size_t n;
    unsigned char *p = read_seed("types", &n);
    for (size_t cut = 0; cut < n; cut++) {
        safetensors *s = NULL;
        unsigned char *copy = malloc(cut ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, p, cut);
        assert_true(safetensors_open(NULL, copy, cut, &s, NULL) != HEARTH_OK);
        free(copy);
    }
    for (size_t i = 0; i < n; i++) {
        static const uint8_t values[] = {0, '"', '}', '9', 0xFF};
        for (size_t v = 0; v < sizeof values; v++) {
            safetensors *s = NULL;
            unsigned char old = p[i];
            p[i] = values[v];
            if (safetensors_open(NULL, p, n, &s, NULL) == HEARTH_OK) safetensors_close(s);
            p[i] = old;
        }
    }
    free(p);
}

static void test_real(void **state)
{
    (void)state;
    char path[512];
    size_t n;
    if (!test_data_path("safetensors-mnist/mnist.safetensors", path, sizeof path)) {
        printf("no safetensors-mnist/mnist.safetensors in the test data\n");
        skip();
    }
    unsigned char *p = test_read_file(path, &n);
    assert_non_null(p);
    safetensors *s = open_good(p, n);
    assert_true(safetensors_count(s) > 0);
    safetensors_close(s);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),  cmocka_unit_test(test_shapes), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
