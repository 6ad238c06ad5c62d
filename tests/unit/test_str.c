// Slices, number parsers, buffers.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/str.h"
#include "golden/float_vectors.h"

static void test_compare(void **state)
{
    (void)state;
    assert_true(str_eq(STR("ab"), str_from("ab")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_eq((str){NULL, 0}, STR("")));
    assert_true(str_eq_z(str_from(NULL), ""));
    assert_true(str_starts(STR("abc"), STR("ab")) && str_starts(STR("abc"), STR("")));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")) && str_ends((str){NULL, 0}, (str){NULL, 0}));
    assert_false(str_ends(STR("c"), STR("bc")));
    assert_true(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("\xFF"), STR("a")) > 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("ab"), STR("a")) > 0);
    assert_int_equal(str_cmp((str){NULL, 0}, STR("")), 0);
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("abcabc"), STR("bc"), 0), 1);
    assert_int_equal(str_find(STR("abcabc"), STR("bc"), 2), 4);
    assert_true(str_find(STR("abcabc"), STR("bc"), 5) == SIZE_MAX);
    assert_true(str_find(STR("abcabc"), STR("bc"), 99) == SIZE_MAX);
    assert_true(str_find(STR("ab"), STR("abc"), 0) == SIZE_MAX);
    assert_int_equal(str_find(STR("aaab"), STR("aab"), 0), 1);
    assert_int_equal(str_find(STR("abc"), STR(""), 3), 3);
    assert_true(str_find(STR("abc"), STR(""), 4) == SIZE_MAX);
    assert_true(str_find((str){"abcd", 3}, STR("d"), 0) == SIZE_MAX); // not past the end
}

static void test_trim_cut(void **state)
{
    (void)state;
    assert_true(str_eq_z(str_trim(STR(" \t\r\n\v\fa b \n")), "a b"));
    assert_true(str_eq_z(str_trim(STR("  ")), ""));
    assert_true(str_eq_z(str_trim((str){NULL, 0}), ""));
    str rest = STR("a,,b");
    assert_true(str_eq_z(str_cut(&rest, ','), "a"));
    assert_true(str_eq_z(str_cut(&rest, ','), ""));
    assert_true(str_eq_z(str_cut(&rest, ','), "b"));
    assert_int_equal(rest.n, 0);
    assert_true(str_eq_z(str_cut(&rest, ','), ""));
    rest = (str){NULL, 0};
    assert_true(str_eq_z(str_cut(&rest, ','), ""));
}

static void test_i64(void **state)
{
    (void)state;
    static const struct { const char *text; bool ok; int64_t value; } cases[] = {
        {"0", true, 0}, {"-0", true, 0}, {"+7", true, 7}, {"007", true, 7}, {"", false, 0},
        {"-", false, 0}, {"1x", false, 0}, {" 1", false, 0}, {"1 ", false, 0}, {"--1", false, 0},
        {"9223372036854775807", true, INT64_MAX}, {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN}, {"-9223372036854775809", false, 0},
        {"99999999999999999999999999", false, 0}, {"1.0", false, 0}, {"0x1", false, 0},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t v = 99;
        assert_int_equal(str_parse_i64(str_from(cases[i].text), &v), cases[i].ok);
        assert_int_equal(v, cases[i].ok ? cases[i].value : 99);
    }
    int64_t v;
    assert_true(str_parse_i64((str){"123", 2}, &v) && v == 12);
}

static void test_f64(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(floats); i++) {
        double v = 99;
        assert_true(str_parse_f64(str_from(floats[i].text), &v));
        if (memcmp(&v, &floats[i].value, sizeof v) != 0)
            fail_msg("'%s' is %a, expected %a", floats[i].text, v, floats[i].value);
    }
    static const char *const bad[] = {"", ".", "-", "e5", ".e5", "1e", "1e+", "1e5x", "1..2",
                                      "0x1p3",
                                      "nan", "inf", "1,5", " 1", "1 ", "1e400", "-1e309",
                                      "1.7976931348623159e308"};
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        double v = 99;
        assert_false(str_parse_f64(str_from(bad[i]), &v));
        assert_true(v == 99);
    }
}

static void test_size(void **state)
{
    (void)state;
    static const struct { const char *text; bool ok; uint64_t value; } cases[] = {
        {"0", true, 0}, {"812", true, 812}, {"1K", true, 1024}, {"2m", true, 2 << 20},
        {"1.5G", true, UINT64_C(3) << 29}, {"0.5K", true, 512}, {"0.001K", true, 1},
        {"16777215T", true, UINT64_C(16777215) << 40}, {"16777216T", false, 0},
        {"16777215.999999T", true, (UINT64_C(16777215) << 40) + (UINT64_C(999999) << 40) / 1000000},
        {"18446744073709551615", true, UINT64_MAX}, {"18446744073709551616", false, 0},
        {"", false, 0}, {"K", false, 0}, {"1.5", false, 0}, {"1.K", false, 0}, {"-1", false, 0},
        {"1KB", false, 0}, {"1 K", false, 0}, {"1X", false, 0}, {"1.0000000000009K", true, 1024},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        uint64_t v = 99;
        if (str_parse_size(str_from(cases[i].text), &v) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        assert_true(v == (cases[i].ok ? cases[i].value : 99));
    }
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 9), 3);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 2);
    assert_int_equal(str_distance(STR(""), STR("abc"), 9), 3);
    assert_int_equal(str_distance(STR("abc"), STR(""), 9), 3);
    assert_int_equal(str_distance(STR("flaw"), STR("lawn"), 9), 2);
    assert_int_equal(str_distance(STR("a"), STR("a"), 9), 0);
    char longer[300];
    memset(longer, 'x', sizeof longer);
    assert_int_equal(str_distance((str){longer, 300}, STR("x"), 5), 5);
    assert_int_equal(str_distance((str){longer, 256}, (str){longer, 255}, 5), 1);
}

static void test_format_bytes(void **state)
{
    (void)state;
    static const struct { uint64_t n; const char *text; } cases[] = {
        {0, "0 B"}, {812, "812 B"}, {1023, "1023 B"}, {1024, "1.0 KB"}, {1434, "1.4 KB"},
        {1048575, "1.0 MB"}, {1048576, "1.0 MB"}, {3670016, "3.5 MB"},
        {UINT64_C(1288490189), "1.2 GB"}, {UINT64_C(1) << 40, "1.0 TB"}, {UINT64_MAX, "16.0 EB"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char out[16];
        assert_string_equal(format_bytes(cases[i].n, out), cases[i].text);
    }
}

static void test_buf(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, MEM_TEST, 10000);
    assert_string_equal(buf_str(&b).p, "");
    assert_int_equal(buf_append(&b, NULL, 0), HEARTH_OK);
    assert_int_equal(buf_append_str(&b, STR("ab")), HEARTH_OK);
    assert_int_equal(buf_append_char(&b, 'c'), HEARTH_OK);
    assert_int_equal(buf_printf(&b, "%d-%s", 42, "x"), HEARTH_OK);
    assert_string_equal(b.p, "abc42-x");
    for (int i = 0; i < 500; i++) assert_int_equal(buf_printf(&b, "%03d", i), HEARTH_OK);
    assert_int_equal(b.n, 7 + 1500);
    assert_int_equal(strlen(b.p), b.n);
    assert_memory_equal(b.p + 7 + 3 * 321, "321", 3);
    size_t cap = b.cap;
    buf_reset(&b);
    assert_int_equal(b.cap, cap);
    assert_string_equal(b.p, "");
    buf_release(&b);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

static void test_buf_limit(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, MEM_TEST, 10);
    assert_int_equal(buf_append(&b, "0123456", 7), HEARTH_OK);
    assert_int_equal(buf_append(&b, "789A", 4), HEARTH_E_LIMIT);
    assert_string_equal(b.p, "0123456");
    assert_int_equal(buf_append(&b, "7", 1), HEARTH_E_LIMIT); // sticks
    assert_int_equal(buf_printf(&b, "%d", 7), HEARTH_E_LIMIT);
    assert_string_equal(b.p, "0123456");
    buf_reset(&b);
    assert_int_equal(buf_append(&b, "0123456789", 10), HEARTH_OK);
    assert_int_equal(buf_append(&b, "", 0), HEARTH_OK);
    assert_int_equal(b.cap, 11);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), HEARTH_E_LIMIT);
    buf_release(&b);
    buf_init(&b, MEM_TEST, SIZE_MAX);
    assert_int_equal(buf_append(&b, "x", 1), HEARTH_OK);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 2), HEARTH_E_NOMEM);
    assert_string_equal(b.p, "x");
    buf_release(&b);
}

static void test_buf_out_of_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        buf b;
        buf_init(&b, MEM_TEST, 10000);
        mem_fail_nth(n, false);
        for (int i = 0; i < 100; i++) buf_printf(&b, "%05d", i);
        mem_fail_nth(0, false);
        hearth_status status = b.failed;
        assert_int_equal(b.n % 5, 0); // whole pieces only
        if (b.n) assert_int_equal(strlen(b.p), b.n);
        buf_release(&b);
        assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
        if (status == HEARTH_OK) break;
        assert_int_equal(status, HEARTH_E_NOMEM);
    }
}

static void keep_line(void *ctx, log_level level, const char *text)
{
    snprintf(ctx, 64, "%d:%s", level, text);
}

static void test_log(void **state)
{
    (void)state;
    char line[64] = "";
    log_write(LOG_ERROR, "nobody listens");
    log_set(keep_line, line, LOG_INFO);
    log_write(LOG_DEBUG, "too detailed");
    assert_string_equal(line, "");
    log_write(LOG_INFO, "n = %d", 3);
    assert_string_equal(line, "2:n = 3");
    char longer[3000];
    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    log_write(LOG_WARN, "%s", longer); // cut, not overflowed
    assert_string_equal(line + 60, "yyy");
    log_set(NULL, NULL, LOG_DEBUG);
    log_write(LOG_ERROR, "nobody listens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),   cmocka_unit_test(test_find),
        cmocka_unit_test(test_trim_cut),  cmocka_unit_test(test_i64),
        cmocka_unit_test(test_f64),       cmocka_unit_test(test_size),
        cmocka_unit_test(test_distance),  cmocka_unit_test(test_format_bytes),
        cmocka_unit_test(test_buf),       cmocka_unit_test(test_buf_limit),
        cmocka_unit_test(test_buf_out_of_memory), cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
