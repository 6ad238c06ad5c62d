// .npy arrays: headers as NumPy writes them, our own read back, damaged ones refused.
#include "fmt/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// A file of version `major` around a dictionary and n bytes of data.
static void make(buf *b, int major, const char *dict, size_t n_data)
{
    size_t len = strlen(dict);
    buf_init(b, MEM_TEST, 1 << 20);
    buf_append(b, "\x93NUMPY", 6);
    buf_append_char(b, (char)major);
    buf_append_char(b, 0);
    for (int i = 0; i < (major == 1 ? 2 : 4); i++) buf_append_char(b, (char)(len >> 8 * i & 0xFF));
    buf_append(b, dict, len);
    for (size_t i = 0; i < n_data; i++) buf_append_char(b, (char)i);
}

static hearth_status parse_copy(const buf *b, size_t n, npy *out, hearth_err *err)
{
    char *copy = malloc(n ? n : 1);
    if (n) memcpy(copy, b->p, n);
    hearth_status s = npy_parse(copy, n, out, err);
    free(copy);
    return s;
}

static void test_good(void **state)
{
    (void)state;
    static const struct row {
        int major;
        const char *dict;
        npy_type type;
        int n_dims;
        size_t bytes;
    } good[] = {
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n", NPY_F32, 2, 48},
        {2, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n", NPY_BOOL, 0, 1},
        {3, "{'shape':(5,),\"descr\":\"<i8\",'fortran_order':True}", NPY_I64, 1, 40},
        {1, "{'descr': '<f2', 'fortran_order': False, 'shape': (0, 9223372036854775807), }",
         NPY_F16, 2, 0},
        {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,2), }",
         NPY_F64, 8, 16},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }", NPY_U8, 1, 7},
        {1, "{'descr': '|i1', 'fortran_order': False, 'shape': (7,), }", NPY_I8, 1, 7},
        {1, "{'descr': '<i4', 'fortran_order': False, 'shape': (7,), }", NPY_I32, 1, 28},
    };
    for (size_t i = 0; i < COUNTOF(good); i++) {
        buf b;
        npy a;
        hearth_err err = ERR_INIT;
        make(&b, good[i].major, good[i].dict, good[i].bytes);
        if (npy_parse(b.p, b.n, &a, &err) != HEARTH_OK) fail_msg("%zu: %s", i, err.msg);
        assert_int_equal(a.type, good[i].type);
        assert_int_equal(a.n_dims, good[i].n_dims);
        assert_int_equal(a.bytes, good[i].bytes);
        assert_ptr_equal(a.data + a.bytes, (uint8_t *)b.p + b.n);
        for (size_t n = 0; n < b.n; n++) assert_true(parse_copy(&b, n, &a, NULL) != HEARTH_OK);
        buf_release(&b);
    }
}

static void test_bad(void **state)
{
    (void)state;
    enum { FORMAT = HEARTH_E_FORMAT, UNSUPPORTED = HEARTH_E_UNSUPPORTED, LIMIT = HEARTH_E_LIMIT };
    static const struct { const char *dict; int s; const char *text; } bad[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", UNSUPPORTED, "'>f4'"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", UNSUPPORTED, "Fortran"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", UNSUPPORTED,
         "structured"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", FORMAT, "neither"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1), }", FORMAT, "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", FORMAT, "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
         FORMAT, "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }",
         FORMAT, "overflows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", LIMIT,
         "more than 8"},
        {"{'descr': '<f4', 'fortran_order': False, }", FORMAT, "lacks"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", FORMAT, "there twice"},
        {"{'descr': '<f4', 'color': 'red', 'shape': (1,), }", FORMAT, "'color' is unknown"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (1,), }", FORMAT, "dictionary"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } 1", FORMAT, "has more"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", FORMAT,
         "4 bytes of data, expected 8"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }", FORMAT,
         "4 bytes of data, expected 2"},
        {"", FORMAT, "lacks"},
    };
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        buf b;
        npy a;
        hearth_err err = ERR_INIT;
        make(&b, 1, bad[i].dict, 4);
        hearth_status s = parse_copy(&b, b.n, &a, &err);
        if (s != bad[i].s || !strstr(err.msg, bad[i].text)) fail_msg("%zu: %d %s", i, s, err.msg);
        buf_release(&b);
    }
    buf b;
    npy a;
    make(&b, 4, "{}", 0);
    assert_int_equal(parse_copy(&b, b.n, &a, NULL), HEARTH_E_UNSUPPORTED);
    buf_release(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const int64_t dim[NPY_MAX_DIMS] = {2, 1, 3, 1, 1, 1, 1, 2};
    for (int type = NPY_F32; type <= NPY_BOOL; type++) {
        for (int n_dims = 0; n_dims <= NPY_MAX_DIMS; n_dims++) {
            buf b;
            npy a;
            buf_init(&b, MEM_TEST, 4096);
            assert_int_equal(npy_header((npy_type)type, n_dims, dim, &b, NULL), HEARTH_OK);
            assert_int_equal(b.n % 64, 0);
            size_t n = npy_item_bytes((npy_type)type), start = b.n;
            for (int i = 0; i < n_dims; i++) n *= (size_t)dim[i];
            for (size_t i = 0; i < n; i++) buf_append_char(&b, 1);
            assert_int_equal(npy_parse(b.p, b.n, &a, NULL), HEARTH_OK);
            assert_int_equal(a.type, type);
            assert_int_equal(a.n_dims, n_dims);
            if (n_dims) assert_memory_equal(a.dim, dim, (size_t)n_dims * sizeof *dim);
            assert_ptr_equal(a.data, (uint8_t *)b.p + start);
            buf_release(&b);
        }
    }
    buf small;
    buf_init(&small, MEM_TEST, 100);
    assert_int_equal(npy_header(NPY_F32, 1, dim, &small, NULL), HEARTH_E_LIMIT);
    buf_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
