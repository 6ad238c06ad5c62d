// UTF-8 against Python's decoder.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "golden/utf8_vectors.h"

static void test_python_cases(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNTOF(utf8_cases); k++) {
        size_t at = 0, n = utf8_cases[k].n;
        // A copy of the exact size, so that ASan sees an over-read.
        char *copy = mem_alloc(MEM_TEST, n);
        memcpy(copy, utf8_cases[k].p, n);
        for (uint32_t i = 0; i < utf8_cases[k].n_cp; i++) {
            uint32_t cp;
            assert_true(at < n);
            at += utf8_decode(copy + at, n - at, &cp);
            assert_int_equal(cp, utf8_cases[k].cp[i]);
        }
        assert_int_equal(at, n);
        assert_int_equal(utf8_incomplete_tail((str){copy, n}), utf8_cases[k].tail);
        mem_free(copy);
    }
}

static uint32_t crc32_add(uint32_t crc, uint32_t word)
{
    crc = ~crc;
    for (int i = 0; i < 32; i++) crc = crc >> 1 ^ (0xEDB88320u & -((crc ^ word >> i) & 1));
    return ~crc;
}

static void test_all_leads(void **state)
{
    (void)state;
    static const unsigned char third[] = {0x41, 0x80, 0xBF};
    uint32_t crc = 0;
    for (unsigned i = 0; i < 65536; i++) {
        for (size_t t = 0; t < COUNTOF(third); t++) {
            const char bytes[4] = {(char)(i >> 8), (char)i, (char)third[t], (char)0x81};
            uint32_t cp, n = (uint32_t)utf8_decode(bytes, 4, &cp);
            crc = crc32_add(crc32_add(crc, n), cp);
        }
    }
    assert_int_equal(crc, utf8_crc);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char bytes[4];
        uint32_t back;
        size_t n = utf8_encode(cp, bytes);
        if (cp >= 0xD800 && cp <= 0xDFFF) continue;
        assert_int_equal(utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, cp);
        for (size_t cut = 1; cut < n; cut++) {
            assert_int_equal(utf8_incomplete_tail((str){bytes, cut}), cut);
            assert_int_equal(utf8_decode(bytes, cut, &back), 1);
            assert_int_equal(back, UTF8_BAD);
        }
        assert_int_equal(utf8_incomplete_tail((str){bytes, n}), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python_cases),
        cmocka_unit_test(test_all_leads),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
