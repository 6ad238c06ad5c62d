// The JSON reader: RFC 8259 corner cases, any cut of the input, limits, failing allocations.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

// Hands out at most `step` bytes a call.
typedef struct slow_source {
    const char *p;
    size_t n, step;
    int calls_left; // then it fails; negative: never
} slow_source;

static hearth_status read_slow(void *ctx, void *p, size_t n, size_t *got, hearth_err *err)
{
    slow_source *s = ctx;
    if (s->calls_left == 0) return err_fail(err, HEARTH_E_IO, "disk on fire");
    s->calls_left -= s->calls_left > 0;
    *got = size_min(size_min(n, s->step), s->n);
    memcpy(p, s->p, *got);
    s->p += *got;
    s->n -= *got;
    return HEARTH_OK;
}

// The events as text, one letter each, with the text of those that have one.
static hearth_status trace(json_reader *r, buf *out, hearth_err *err)
{
    static const char letters[] = ".{}[]ksntf0";
    for (;;) {
        json_event event = JSON_END;
        hearth_status status = json_next(r, &event, err);
        if (status != HEARTH_OK) return status;
        buf_append_char(out, letters[event]);
        if (event == JSON_KEY || event == JSON_STRING || event == JSON_NUMBER) {
            buf_append_str(out, json_text(r));
            buf_append_char(out, ' ');
        }
        if (event == JSON_END) return HEARTH_OK;
    }
}

static hearth_status trace_text(const char *p, size_t n, size_t step, buf *out, hearth_err *err)
{
    json_reader *r = NULL;
    slow_source source = {p, n, step, -1};
    buf_reset(out);
    hearth_status status = step ? json_open(read_slow, &source, 1 << 20, &r, err)
                                : json_open_memory(p, n, 1 << 20, &r, err);
    assert_int_equal(status, HEARTH_OK);
    status = trace(r, out, err);
    json_close(r);
    return status;
}

// The same events and the same error whatever the pieces are.
static hearth_status check_text(const char *p, size_t n, buf *first)
{
    hearth_err err = ERR_INIT;
    hearth_status status = trace_text(p, n, 0, first, &err);
    buf again;
    buf_init(&again, MEM_TEST, 1 << 20);
    for (size_t step = 1; step <= 7; step++) {
        hearth_err other = ERR_INIT;
        assert_int_equal(trace_text(p, n, step, &again, &other), status);
        assert_true(str_eq(buf_str(first), buf_str(&again)));
        assert_string_equal(err.msg, other.msg);
    }
    buf_release(&again);
    return status;
}

typedef struct good_case {
    str text;
    const char *events;
} good_case;

static const good_case good[] = {
    {STR_INIT("null"), "0."},
    {STR_INIT("true"), "t."},
    {STR_INIT(" false\n"), "f."},
    {STR_INIT("0"), "n0 ."},
    {STR_INIT("-0"), "n-0 ."},
    {STR_INIT("-0.0e-0"), "n-0.0e-0 ."},
    {STR_INIT("123E+5"), "n123E+5 ."},
    {STR_INIT("1.5"), "n1.5 ."},
    {STR_INIT("\"\""), "s ."},
    {STR_INIT("\"a\\\"b\\\\\\/\\b\\f\\n\\r\\t\""), "sa\"b\\/\b\f\n\r\t ."},
    {STR_INIT("\"\\u0041\\u00e9\\u20AC\\ud83D\\uDE00\""),
     "sA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 ."},
    {STR_INIT("\"\x7F\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF\""),
     "s\x7F\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF ."},
    {STR_INIT("[]"), "[]."},
    {STR_INIT("{}"), "{}."},
    {STR_INIT("\t[ 1 , 2 ]\r\n"), "[n1 n2 ]."},
    {STR_INIT("[[],{}]"), "[[]{}]."},
    {STR_INIT("{\"a\":1,\"a\":{\"b\":[]}}"), "{ka n1 ka {kb []}}."},
    {STR_INIT("{ \"\" : \"x\" }"), "{k sx }."},
    {STR_INIT("[null,true,false]"), "[0tf]."},
};

static void test_good(void **state)
{
    (void)state;
    buf events;
    buf_init(&events, MEM_TEST, 1 << 20);
    for (size_t i = 0; i < COUNTOF(good); i++) {
        assert_int_equal(check_text(good[i].text.p, good[i].text.n, &events), HEARTH_OK);
        assert_string_equal(events.p, good[i].events);
    }
    buf_release(&events);
}

static void test_zero_character(void **state)
{
    (void)state;
    json_reader *r = NULL;
    json_event event;
    assert_int_equal(json_open_memory("\"a\\u0000b\"", 10, 3, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    assert_int_equal(json_text(r).n, 3);
    assert_memory_equal(json_text(r).p, "a\0b", 3);
    json_close(r);
}

static const str bad[] = {
    STR_INIT(""), STR_INIT(" "), STR_INIT("nul"), STR_INIT("nulll"), STR_INIT("True"),
    STR_INIT("NaN"), STR_INIT("Infinity"), STR_INIT("-"), STR_INIT("+1"), STR_INIT("01"),
    STR_INIT("-01"), STR_INIT("1."), STR_INIT(".5"), STR_INIT("1.e5"), STR_INIT("1e"),
    STR_INIT("1e+"), STR_INIT("0x10"), STR_INIT("1 2"), STR_INIT("1,"), STR_INIT("--1"),
    STR_INIT("1.5.5"), STR_INIT("\""), STR_INIT("\"a"), STR_INIT("'a'"), STR_INIT("\"\\x\""),
    STR_INIT("\"\\"), STR_INIT("\"\\u12\""), STR_INIT("\"\\u12G4\""), STR_INIT("\"\n\""),
    STR_INIT("\"\t\""), STR_INIT("\"\0\""), STR_INIT("\"\x1F\""), STR_INIT("\"\\ud800\""),
    STR_INIT("\"\\ud800x\""), STR_INIT("\"\\ud800\\n\""), STR_INIT("\"\\ud800\\u0041\""),
    STR_INIT("\"\\udc00\""), STR_INIT("\"\\ud800\\ud800\""), STR_INIT("\"\\u\""),
    STR_INIT("\"\x80\""), STR_INIT("\"\xC3\""), STR_INIT("\"\xC0\x80\""),
    STR_INIT("\"\xE0\x80\x80\""), STR_INIT("\"\xED\xA0\x80\""), STR_INIT("\"\xF4\x90\x80\x80\""),
    STR_INIT("\"\xF8\x88\x80\x80\x80\""), STR_INIT("\"\xFF\""), STR_INIT("\"\xE2\x82\""),
    STR_INIT("\"\xE2\x82"), STR_INIT("\"\xE2\x28\xA1\""), STR_INIT("["), STR_INIT("]"),
    STR_INIT("[1"), STR_INIT("[1,"), STR_INIT("[1,]"), STR_INIT("[,1]"), STR_INIT("[1 2]"),
    STR_INIT("[1}"), STR_INIT("{"), STR_INIT("}"), STR_INIT("{]"), STR_INIT("{\"a\""),
    STR_INIT("{\"a\"}"), STR_INIT("{\"a\":"), STR_INIT("{\"a\":}"), STR_INIT("{\"a\":1"),
    STR_INIT("{\"a\":1,"), STR_INIT("{\"a\":1,}"), STR_INIT("{a:1}"), STR_INIT("{1:1}"),
    STR_INIT("{\"a\" 1}"), STR_INIT("{\"a\"::1}"), STR_INIT("{\"a\":1 \"b\":2}"), STR_INIT("{,}"),
    STR_INIT("[:]"), STR_INIT("[\"a\":1]"), STR_INIT("[]]"), STR_INIT("{}}"), STR_INIT("[]x"),
    STR_INIT("null\0"), STR_INIT("\0"), STR_INIT("\xEF\xBB\xBF[]"), STR_INIT("/**/1"),
    STR_INIT("[1]//"), STR_INIT("\v1"), STR_INIT("\xC2\xA0" "1"),
};

static void test_bad(void **state)
{
    (void)state;
    buf events;
    buf_init(&events, MEM_TEST, 1 << 20);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (check_text(bad[i].p, bad[i].n, &events) == HEARTH_E_FORMAT) continue;
        fail_msg("case %zu was not refused: %.*s", i, STR_ARG(bad[i]));
    }
    buf_release(&events);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct { str text; const char *message; } cases[] = {
        {STR_INIT("[1,}"), "json: byte 3 is '}', expected a value"},
        {STR_INIT("{\"a\":1"), "json: byte 6 is the end, expected ',' or '}'"},
        {STR_INIT("  \x01"), "json: byte 2 is 0x01, expected a value"},
        {STR_INIT("[tru]"), "json: byte 4 is ']', expected true"},
        {STR_INIT("1 x"), "json: byte 2 is 'x', expected nothing after the document"},
        {STR_INIT("{1}"), "json: byte 1 is '1', expected a key"},
        {STR_INIT("\"\xC0\""), "json: ill-formed UTF-8 before byte 2"},
    };
    buf events;
    buf_init(&events, MEM_TEST, 1 << 20);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        hearth_err err = ERR_INIT;
        trace_text(cases[i].text.p, cases[i].text.n, 0, &events, &err);
        assert_string_equal(err.msg, cases[i].message);
    }
    buf_release(&events);
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * LIMIT_JSON_DEPTH + 2];
    buf events;
    buf_init(&events, MEM_TEST, 1 << 20);
    memset(text, '[', LIMIT_JSON_DEPTH);
    memset(text + LIMIT_JSON_DEPTH, ']', LIMIT_JSON_DEPTH);
    assert_int_equal(trace_text(text, 2 * LIMIT_JSON_DEPTH, 0, &events, NULL), HEARTH_OK);
    memset(text, '[', LIMIT_JSON_DEPTH + 1);
    assert_int_equal(trace_text(text, LIMIT_JSON_DEPTH + 1, 0, &events, NULL), HEARTH_E_LIMIT);
    buf_release(&events);
}

static char *append(char *p, const char *z)
{
    size_t n = strlen(z);
    memcpy(p, z, n);
    return p + n;
}

// Objects and arrays in alternation down to the last level keep their kinds.
static void test_mixed_depth(void **state)
{
    (void)state;
    char text[LIMIT_JSON_DEPTH * 8], *p = text;
    for (int i = 0; i < LIMIT_JSON_DEPTH / 2; i++) p = append(p, "[{\"k\":");
    *p++ = '1';
    for (int i = 0; i < LIMIT_JSON_DEPTH / 2; i++) p = append(p, "}]");
    buf events;
    buf_init(&events, MEM_TEST, 1 << 20);
    assert_int_equal(trace_text(text, (size_t)(p - text), 3, &events, NULL), HEARTH_OK);
    p -= 2; // the last ']' becomes '}'
    p[1] = '}';
    assert_int_equal(trace_text(text, (size_t)(p + 2 - text), 3, &events, NULL), HEARTH_E_FORMAT);
    buf_release(&events);
}

static void test_limits(void **state)
{
    (void)state;
    json_reader *r = NULL;
    json_event event;
    assert_int_equal(json_open_memory("[\"12345\",123456]", 16, 5, &r, NULL), HEARTH_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    assert_int_equal(event, JSON_NUMBER); // numbers have a bound of their own
    json_close(r);
    assert_int_equal(json_open_memory("\"123456\"", 8, 5, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_E_LIMIT);
    hearth_err err = ERR_INIT;
    assert_int_equal(json_next(r, &event, &err), HEARTH_E_LIMIT); // final
    assert_string_equal(err.msg, "json: an earlier error stands");
    json_close(r);
    assert_int_equal(json_open_memory("\"\\u20ac\"", 8, 2, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_E_LIMIT);
    json_close(r);
    char digits[1025];
    memset(digits, '7', sizeof digits);
    assert_int_equal(json_open_memory(digits, 1024, 5, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    json_close(r);
    assert_int_equal(json_open_memory(digits, 1025, 5, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_E_LIMIT);
    json_close(r);
}

static void test_numbers(void **state)
{
    (void)state;
    static const str text = STR_INIT("[9223372036854775807,-9223372036854775808,"
                                     "9223372036854775808,"
                                "1.5,1e3,1e999,5e-324,\"7\"]");
    static const struct { bool is_i64; int64_t i; bool is_f64; double f; } expected[] = {
        {true, INT64_MAX, true, 0x1p63}, {true, INT64_MIN, true, -0x1p63}, {false, 0, true, 0x1p63},
        {false, 0, true, 1.5},           {false, 0, true, 1000},           {false, 0, false, 0},
        {false, 0, true, 0x1p-1074},     {false, 0, false, 0},
    };
    json_reader *r = NULL;
    json_event event;
    assert_int_equal(json_open_memory(text.p, text.n, 100, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    for (size_t k = 0; k < COUNTOF(expected); k++) {
        int64_t i = 0;
        double f = 0;
        assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
        assert_int_equal(json_i64(r, &i), expected[k].is_i64);
        assert_int_equal(i, expected[k].i);
        assert_int_equal(json_f64(r, &f), expected[k].is_f64);
        assert_true(f == expected[k].f);
    }
    json_close(r);
}

static void test_skip(void **state)
{
    (void)state;
    static const str text = STR_INIT("{\"a\":[1,{\"b\":[[]]},2],\"c\":{},\"d\":5,\"e\":[7]}");
    json_reader *r = NULL;
    json_event event;
    assert_int_equal(json_open_memory(text.p, text.n, 100, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    for (const char *key = "acd"; *key; key++) {
        assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
        assert_int_equal(event, JSON_KEY);
        assert_int_equal(json_text(r).p[0], *key);
        assert_int_equal(json_skip(r, NULL), HEARTH_OK);
        assert_int_equal(json_depth(r), 1);
    }
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK); // "e"
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK); // [
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK); // 7
    assert_int_equal(json_skip(r, NULL), HEARTH_OK);         // nothing: a number has been read
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    assert_int_equal(event, JSON_ARRAY_END);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    assert_int_equal(event, JSON_END);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    assert_int_equal(event, JSON_END);
    assert_int_equal(json_offset(r), text.n);
    json_close(r);
}

// A document much longer than the window.
static void test_long(void **state)
{
    (void)state;
    enum { N = 30000 };
    buf text;
    buf_init(&text, MEM_TEST, 1 << 20);
    for (int i = 0; i < N; i++) buf_printf(&text, "%c%d,\"\xE2\x82\xAC%d\"", i ? ',' : '[', i, i);
    buf_append_char(&text, ']');
    assert_int_equal(text.failed, HEARTH_OK);
    json_reader *r = NULL;
    json_event event;
    assert_int_equal(json_open_memory(text.p, text.n, 100, &r, NULL), HEARTH_OK);
    assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
    for (int i = 0; i < N; i++) {
        int64_t v = -1;
        char expected[32];
        assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
        assert_true(json_i64(r, &v) && v == i);
        assert_int_equal(json_next(r, &event, NULL), HEARTH_OK);
        snprintf(expected, sizeof expected, "\xE2\x82\xAC%d", i);
        assert_true(str_eq_z(json_text(r), expected));
    }
    json_close(r);
    buf_release(&text);
}

static void test_source_fails(void **state)
{
    (void)state;
    static const char text[] = "[\"abc\",12]";
    for (int calls = 0; calls < 5; calls++) {
        slow_source source = {text, sizeof text - 1, 2, calls};
        hearth_err err = ERR_INIT;
        json_reader *r = NULL;
        buf events;
        buf_init(&events, MEM_TEST, 100);
        assert_int_equal(json_open(read_slow, &source, 100, &r, NULL), HEARTH_OK);
        assert_int_equal(trace(r, &events, &err), HEARTH_E_IO);
        assert_string_equal(err.msg, "disk on fire");
        json_close(r);
        buf_release(&events);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const char text[] = "[\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
                               "abcdefghijklmnopqrstuvwxyz\"]";
    size_t before = mem_get_total().now_bytes;
    buf events;
    buf_init(&events, MEM_TEST, 1000);
    assert_int_equal(buf_reserve(&events, 999), HEARTH_OK);
    uint64_t n = 1;
    for (;; n++) {
        json_reader *r = NULL;
        buf_reset(&events);
        mem_fail_nth(n, false);
        hearth_status status = json_open_memory(text, sizeof text - 1, 1000, &r, NULL);
        if (status == HEARTH_OK) status = trace(r, &events, NULL);
        mem_fail_nth(0, false);
        json_close(r);
        if (status == HEARTH_OK) break;
        assert_int_equal(status, HEARTH_E_NOMEM);
    }
    assert_true(n >= 3);
    buf_release(&events);
    assert_int_equal(mem_get_total().now_bytes, before);
    json_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_zero_character),
        cmocka_unit_test(test_bad),     cmocka_unit_test(test_messages),
        cmocka_unit_test(test_depth),   cmocka_unit_test(test_mixed_depth),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_skip),    cmocka_unit_test(test_long),
        cmocka_unit_test(test_source_fails), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
