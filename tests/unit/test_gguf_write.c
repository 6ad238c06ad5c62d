// The GGUF writer: what it writes is read back equal, its bytes are fixed, its calls are checked.
//
// Two verbs serve tests/golden/check_gguf.py, which compares with the Python package `gguf`:
// `--make F` writes a model to F, `--copy IN OUT` reads IN and writes what was read to OUT.
#include "fmt/gguf_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gguf_walk.h"
#include "support/model_file.h"
#include "support/test_data.h"

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

static void write_all_types(gguf_writer *w)
{
    static const uint16_t u16[3] = {1, 2, 0xFFFF};
    static const str words[3] = {{"a", 1}, {"", 0}, {"\xC3\xA9", 2}};
    static const int64_t dim[2] = {32, 3}, one[1] = {5};
    assert_int_equal(gguf_write_u32(w, "u32", 7, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_u64(w, "u64", UINT64_MAX, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_i32(w, "i32", -7, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_f32(w, "f32", 1.5f, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_bool(w, "bool", true, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_str(w, "str", STR("text"), NULL), HEARTH_OK);
    assert_int_equal(gguf_write_array(w, "u16s", GGUF_U16, u16, 3, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_array(w, "none", GGUF_F32, NULL, 0, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_str_array(w, "words", words, 3, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_tensor(w, "q", DTYPE_Q4_0, 2, dim, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_tensor(w, "f", DTYPE_F32, 1, one, NULL), HEARTH_OK);
}

// Data of "q" (54 bytes) arrives in two calls, that of "f" (20 bytes) in one.
static void write_sample(buf *out)
{
    gguf_writer *w;
    uint8_t data[54];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i + 1);
    assert_int_equal(gguf_writer_create(append, out, &w, NULL), HEARTH_OK);
    write_all_types(w);
    assert_int_equal(gguf_write_header(w, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_data(w, data, 10, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_data(w, data + 10, 44, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_end(w, NULL), HEARTH_E_STATE);
    assert_int_equal(gguf_write_data(w, data, 21, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_data(w, data, 20, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_data(w, data, 1, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_end(w, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_end(w, NULL), HEARTH_E_STATE);
    gguf_writer_free(w);
}

static gguf *open_buf(const buf *b)
{
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    gguf_bytes part = {"sample", (const uint8_t *)b->p, b->n};
    if (gguf_open(&part, 1, &g, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    gguf_walk(g);
    return g;
}

static void check_keys(const gguf *g)
{
    uint64_t u = 0;
    float f = 0;
    bool b = false;
    str s = STR("");
    int64_t i = 0;
    assert_int_equal(gguf_get_u64(g, "u64", UINT64_MAX, &u, NULL, NULL), HEARTH_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(gguf_get_u64(g, "u32", 7, &u, NULL, NULL), HEARTH_OK);
    assert_int_equal(u, 7);
    assert_true(gguf_item_i64(gguf_find(g, "i32"), 0, &i));
    assert_int_equal(i, -7);
    assert_int_equal(gguf_get_f32(g, "f32", &f, NULL, NULL), HEARTH_OK);
    assert_true(f == 1.5f);
    assert_int_equal(gguf_get_bool(g, "bool", &b, NULL, NULL), HEARTH_OK);
    assert_true(b);
    assert_int_equal(gguf_get_str(g, "str", &s, NULL, NULL), HEARTH_OK);
    assert_true(str_eq_z(s, "text"));
    assert_true(gguf_item_i64(gguf_find(g, "u16s"), 2, &i) && i == 0xFFFF);
    assert_int_equal(gguf_find(g, "none")->n, 0);
}

static void test_read_back(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, MEM_TEST, 1 << 20);
    write_sample(&b);
    gguf *g = open_buf(&b);
    assert_int_equal(gguf_kv_count(g), 9);
    assert_int_equal(gguf_version(g), 3);
    check_keys(g);
    size_t offset = 0;
    const gguf_kv *words = gguf_find(g, "words");
    assert_true(str_eq_z(gguf_next_string(words, &offset), "a"));
    assert_true(str_eq_z(gguf_next_string(words, &offset), ""));
    assert_true(str_eq_z(gguf_next_string(words, &offset), "\xC3\xA9"));
    const gguf_tensor *q = gguf_find_tensor(g, "q"), *f = gguf_find_tensor(g, "f");
    assert_int_equal(q->bytes, 54);
    assert_int_equal(q->dim[1], 3);
    assert_int_equal(q->data[53], 54);
    assert_int_equal(f->data - q->data, 64); // padded to 32
    assert_int_equal(b.n % 32, 0);
    gguf_close(g);
    buf_release(&b);
}

// The whole of a small file, byte by byte, encoded by hand.
static void test_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        'G', 'G', 'U', 'F', 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
        17, 0, 0, 0, 0, 0, 0, 0, 'g', 'e', 'n', 'e', 'r', 'a', 'l', '.', 'a', 'l', 'i', 'g', 'n',
        'm', 'e', 'n', 't', 4, 0, 0, 0, 8, 0, 0, 0,
        1, 0, 0, 0, 0, 0, 0, 0, 'k', 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        2, 0, 0, 0, 0, 0, 0, 0, 'h', 'i',
        1, 0, 0, 0, 0, 0, 0, 0, 't', 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, // 125 bytes of header
        0, 0, 0,                // to 128
        1, 2, 3, 0, 0, 0, 0, 0,
    };
    static const int64_t dim[1] = {3};
    static const str items[1] = {{"hi", 2}};
    gguf_writer *w;
    buf b;
    buf_init(&b, MEM_TEST, 1 << 20);
    assert_int_equal(gguf_writer_create(append, &b, &w, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_u32(w, "general.alignment", 8, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_str_array(w, "k", items, 1, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_tensor(w, "t", DTYPE_I8, 1, dim, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_header(w, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_data(w, "\1\2\3", 3, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_end(w, NULL), HEARTH_OK);
    gguf_writer_free(w);
    assert_int_equal(b.n, sizeof expected);
    assert_memory_equal(b.p, expected, sizeof expected);
    gguf_close(open_buf(&b));
    buf_release(&b);
}

static void copy_model(const gguf *g, buf *out)
{
    gguf_writer *w;
    assert_int_equal(gguf_writer_create(append, out, &w, NULL), HEARTH_OK);
    for (size_t i = 0; i < gguf_kv_count(g); i++) {
        assert_int_equal(gguf_write_copy(w, gguf_kv_at(g, i), NULL), HEARTH_OK);
    }
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        char name[LIMIT_GGUF_TENSOR_NAME + 1] = {0};
        memcpy(name, t->name.p, t->name.n);
        assert_int_equal(gguf_write_tensor(w, name, t->type, t->n_dims, t->dim, NULL), HEARTH_OK);
    }
    assert_int_equal(gguf_write_header(w, NULL), HEARTH_OK);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        assert_int_equal(gguf_write_data(w, t->data, t->bytes, NULL), HEARTH_OK);
    }
    assert_int_equal(gguf_write_end(w, NULL), HEARTH_OK);
    gguf_writer_free(w);
}

// Reading a file and writing what was read gives the same bytes; so does making it again.
static void test_copy_is_equal(void **state)
{
    (void)state;
    static const dtype some[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_Q4_0, DTYPE_Q8_0,
                                 DTYPE_Q4_K, DTYPE_Q6_K};
    for (size_t i = 0; i < COUNTOF(some); i++) {
        test_model_spec spec = test_model_default((test_arch)(i % 3), some[i]);
        spec.n_layer = 1;
        buf a, again, copy;
        buf_init(&a, MEM_TEST, 1 << 24);
        buf_init(&again, MEM_TEST, 1 << 24);
        buf_init(&copy, MEM_TEST, 1 << 24);
        assert_true(test_model_make(&spec, &a) && test_model_make(&spec, &again));
        gguf *g = open_buf(&a);
        copy_model(g, &copy);
        assert_int_equal(a.n, copy.n);
        assert_memory_equal(a.p, copy.p, a.n);
        assert_int_equal(a.n, again.n);
        assert_memory_equal(a.p, again.p, a.n);
        gguf_close(g);
        buf_release(&a);
        buf_release(&again);
        buf_release(&copy);
    }
}

static void test_bad_calls(void **state)
{
    (void)state;
    static const int64_t dim[2] = {33, 2}, zero[1] = {0}, big[3] = {1 << 30, 1 << 30, 1 << 30};
    gguf_writer *w;
    buf b;
    buf_init(&b, MEM_TEST, 1 << 20);
    assert_int_equal(gguf_writer_create(append, &b, &w, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_u32(w, "", 1, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_u32(w, "k", 1, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_bool(w, "k", true, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_u32(w, "general.alignment", 24, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_u64(w, "general.alignment", 32, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_array(w, "a", GGUF_STRING, "", 1, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_tensor(w, "t", DTYPE_Q4_0, 2, dim, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_tensor(w, "t", DTYPE_F32, 1, zero, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_tensor(w, "t", DTYPE_F32, 5, dim, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_tensor(w, "t", DTYPE_F32, 3, big, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_tensor(w, "t", (dtype)4, 2, dim, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_tensor(w, "t", DTYPE_F32, 2, dim, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_tensor(w, "t", DTYPE_F32, 2, dim, NULL), HEARTH_E_ARG);
    assert_int_equal(gguf_write_data(w, "x", 1, NULL), HEARTH_E_STATE);
    assert_int_equal(gguf_write_header(w, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_u32(w, "late", 1, NULL), HEARTH_E_STATE);
    gguf_writer_free(w);
    buf_release(&b);
}

// A sink with room for some bytes.
static hearth_status take_some(void *ctx, const void *p, size_t n, hearth_err *err)
{
    size_t *room = ctx;
    (void)p;
    if (n > *room) return err_fail(err, HEARTH_E_IO, "disk full");
    *room -= n;
    return HEARTH_OK;
}

static void test_sink_fails(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, MEM_TEST, 1 << 20);
    write_sample(&b);
    size_t header_bytes = b.n - 64 - 32; // without the data of both tensors
    buf_release(&b);
    for (size_t most = 0; most < 2 * header_bytes; most += 7) {
        gguf_writer *w;
        size_t room = most;
        assert_int_equal(gguf_writer_create(take_some, &room, &w, NULL), HEARTH_OK);
        write_all_types(w);
        hearth_status s = gguf_write_header(w, NULL);
        assert_true(s == (most < header_bytes ? HEARTH_E_IO : HEARTH_OK));
        if (s != HEARTH_OK) assert_int_equal(gguf_write_header(w, NULL), HEARTH_E_STATE);
        gguf_writer_free(w);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    test_model_spec spec = test_model_default(TEST_QWEN2, DTYPE_Q8_0);
    spec.n_layer = 1;
    size_t before = mem_get_total().now_bytes;
    bool made = false;
    for (uint64_t n = 1; !made; n++) {
        buf b;
        buf_init(&b, MEM_TEST, 1 << 24);
        mem_fail_nth(n, n % 2 == 0);
        made = test_model_make(&spec, &b);
        mem_fail_nth(0, false);
        buf_release(&b);
        assert_int_equal(mem_get_total().now_bytes, before);
        assert_true(n < 10000);
    }
}

// --- verbs --------------------------------------------------------------------------------------

static int save(const char *path, const buf *b)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(b->p, 1, b->n, f) == b->n;
    if (f && fclose(f) != 0) ok = false;
    return ok ? 0 : 1;
}

static int make_file(const char *path)
{
    test_model_spec spec = test_model_default(TEST_QWEN2, DTYPE_Q4_K);
    spec.output_type = DTYPE_Q6_K;
    spec.embd_type = DTYPE_F16;
    buf b;
    buf_init(&b, MEM_TEST, 1 << 26);
    int rc = test_model_make(&spec, &b) ? save(path, &b) : 1;
    buf_release(&b);
    return rc;
}

static int copy_file(const char *from, const char *to)
{
    gguf_bytes part = {from, NULL, 0};
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    unsigned char *data = test_read_file(from, &part.size);
    part.data = data;
    int rc = 1;
    if (data && gguf_open(&part, 1, &g, &err) == HEARTH_OK) {
        buf b;
        buf_init(&b, MEM_TEST, (size_t)1 << 30);
        copy_model(g, &b);
        rc = save(to, &b);
        buf_release(&b);
    } else {
        fprintf(stderr, "%s\n", data ? err.msg : "cannot read");
    }
    gguf_close(g);
    free(data);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--make") == 0) return make_file(argv[2]);
    if (argc == 4 && strcmp(argv[1], "--copy") == 0) return copy_file(argv[2], argv[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_back), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_copy_is_equal), cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_sink_fails), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
