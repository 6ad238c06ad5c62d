// The JSON writer: exact text, escapes, numbers that read back, any locale, sticky failure.
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/rng.h"

static void test_structure(void **state)
{
    (void)state;
    buf out;
    json_writer w;
    buf_init(&out, MEM_TEST, 1000);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_key(&w, "a");
    json_write_array(&w);
    json_write_i64(&w, INT64_MIN);
    json_write_u64(&w, UINT64_MAX);
    json_write_array(&w);
    json_write_array_end(&w);
    json_write_object(&w);
    json_write_object_end(&w);
    json_write_bool(&w, true);
    json_write_array_end(&w);
    json_write_key(&w, "b\"");
    json_write_object(&w);
    json_write_key(&w, "c");
    json_write_null(&w);
    json_write_object_end(&w);
    json_write_key(&w, "d");
    json_write_bool(&w, false);
    json_write_object_end(&w);
    assert_int_equal(out.failed, HEARTH_OK);
    assert_string_equal(out.p, "{\"a\":[-9223372036854775808,18446744073709551615,[],{},true],"
                               "\"b\\\"\":{\"c\":null},\"d\":false}");
    buf_release(&out);
}

static const char *write_one(buf *out, str s)
{
    json_writer w;
    buf_reset(out);
    json_write_init(&w, out);
    json_write_string(&w, s);
    return out->p;
}

static void test_strings(void **state)
{
    (void)state;
    buf out;
    buf_init(&out, MEM_TEST, 1000);
    assert_string_equal(write_one(&out, STR("")), "\"\"");
    assert_string_equal(write_one(&out, (str){NULL, 0}), "\"\"");
    assert_string_equal(write_one(&out, STR("a\"b\\c/\b\f\n\r\t")),
                        "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\"");
    assert_string_equal(write_one(&out, STR("\0\x01\x1F\x7F")), "\"\\u0000\\u0001\\u001f\\u007f\"");
    assert_string_equal(write_one(&out, STR("\xE2\x82\xAC")), "\"\xE2\x82\xAC\"");
    assert_string_equal(write_one(&out, STR("\xFFx\xE2\x82")),
                        "\"\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD\"");
    buf_release(&out);
}

static const char *write_number(buf *out, double v)
{
    json_writer w;
    buf_reset(out);
    json_write_init(&w, out);
    json_write_f64(&w, v);
    return out->p;
}

static void check_numbers(void)
{
    buf out;
    buf_init(&out, MEM_TEST, 1000);
    assert_string_equal(write_number(&out, 0), "0");
    assert_string_equal(write_number(&out, -0.0), "-0");
    assert_string_equal(write_number(&out, 1.5), "1.5");
    assert_string_equal(write_number(&out, 0.1), "0.1");
    assert_string_equal(write_number(&out, (double)0.1f), "0.10000000149011612");
    assert_string_equal(write_number(&out, 1e300), "1e+300");
    assert_string_equal(write_number(&out, 123456789), "123456789");
    assert_string_equal(write_number(&out, 1.0 / 3), "0.33333333333333331");
    assert_string_equal(write_number(&out, (double)NAN), "null");
    assert_string_equal(write_number(&out, -(double)INFINITY), "null");
    buf_release(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    check_numbers();
}

static void test_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    bool found = false;
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (!setlocale(LC_NUMERIC, names[i])) continue;
        found = true;
        double v;
        check_numbers();
        assert_true(str_parse_f64(STR("1.5"), &v) && v == 1.5);
        assert_false(str_parse_f64(STR("1,5"), &v));
    }
    setlocale(LC_NUMERIC, "C");
    if (!found) {
        fprintf(stderr, "no locale with a decimal comma, skipped\n");
        skip();
    }
}

// Random bit patterns come back to the bit through the reader.
static void test_round_trip(void **state)
{
    (void)state;
    buf out;
    rng r;
    buf_init(&out, MEM_TEST, 1000);
    rng_seed(&r, 9);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64(&r);
        double v, back = 0;
        memcpy(&v, &bits, 8);
        if (!isfinite(v)) continue;
        write_number(&out, v);
        json_reader *reader = NULL;
        json_event event;
        assert_int_equal(json_open_memory(out.p, out.n, 100, &reader, NULL), HEARTH_OK);
        assert_int_equal(json_next(reader, &event, NULL), HEARTH_OK);
        assert_true(json_f64(reader, &back));
        assert_memory_equal(&back, &v, 8);
        json_close(reader);
    }
    buf_release(&out);
}

static void test_failure_sticks(void **state)
{
    (void)state;
    buf out;
    json_writer w;
    buf_init(&out, MEM_TEST, 8);
    json_write_init(&w, &out);
    json_write_array(&w);
    for (int i = 0; i < 5; i++) json_write_i64(&w, 100);
    json_write_array_end(&w);
    assert_int_equal(out.failed, HEARTH_E_LIMIT);
    assert_string_equal(out.p, "[100,100");
    buf_release(&out);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),  cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_locale),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_failure_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
