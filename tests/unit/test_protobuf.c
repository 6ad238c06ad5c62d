// The wire reader: every wire type, and every way in which bytes are no field.
#include "fmt/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static hearth_status first(const char *bytes, size_t n, pb_field *f, bool *more)
{
    pb_reader r = pb_over(bytes, n);
    return pb_next(&r, f, more, NULL);
}

static void test_good(void **state)
{
    (void)state;
    pb_field f;
    bool more;
    assert_int_equal(first("\x08\x96\x01", 3, &f, &more), HEARTH_OK); // the manual's example
    assert_true(more && f.number == 1 && f.wire == PB_VARINT && f.value == 150);
    assert_int_equal(first("\x12\x02hi", 4, &f, &more), HEARTH_OK);
    assert_true(f.number == 2 && str_eq(pb_str(&f), STR("hi")));
    assert_int_equal(first("\x0D\x01\x02\x03\x04", 5, &f, &more), HEARTH_OK);
    assert_int_equal(f.value, 0x04030201);
    assert_int_equal(first("\x09\x01\x02\x03\x04\x05\x06\x07\x08", 9, &f, &more), HEARTH_OK);
    assert_true(f.value == 0x0807060504030201);
    assert_int_equal(first("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, &f, &more),
                     HEARTH_OK);
    assert_true(f.value == UINT64_MAX);
    assert_int_equal(first("", 0, &f, &more), HEARTH_OK);
    assert_false(more);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct { const char *p; size_t n; } bad[] = {
        {"\x08", 1},                          // no value
        {"\x08\x80", 2},                      // varint without end
        {"\x12\x03hi", 4},                    // longer than what is left
        {"\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11}, // length 2^64 - 1
        {"\x0D\x01\x02\x03", 4},              // 3 of 4 bytes
        {"\x09\x01", 2},                      // 1 of 8 bytes
        {"\x0B", 1},                          // a group
        {"\x0F\x00", 2},                      // wire 7
        {"\x00\x00", 2},                      // field number 0
        {"\x80\x80\x80\x80\x10\x00", 6},      // field number 2^29
        {"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11}, // 65 bits
    };
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        pb_field f;
        bool more;
        if (first(bad[i].p, bad[i].n, &f, &more) != HEARTH_E_FORMAT) fail_msg("row %zu", i);
    }
}

static void test_packed(void **state)
{
    (void)state;
    pb_reader r = pb_over("\x01\x96\x01\x80", 4);
    uint64_t v;
    bool bad = false;
    assert_true(pb_item(&r, PB_VARINT, &v, &bad) && v == 1);
    assert_true(pb_item(&r, PB_VARINT, &v, &bad) && v == 150);
    assert_false(pb_item(&r, PB_VARINT, &v, &bad));
    assert_true(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_packed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
