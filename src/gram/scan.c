// What grammars and regular expressions have in common. See scan.h.
#include "gram/scan.h"

#include <stdio.h>

int scan_peek_at(const gram_scan *s, size_t n)
{
    return n < s->text.n - s->at ? (uint8_t)s->text.p[s->at + n] : -1;
}

int scan_peek(const gram_scan *s)
{
    return scan_peek_at(s, 0);
}

bool scan_take(gram_scan *s, char c)
{
    if (scan_peek(s) != (uint8_t)c) return false;
    s->at++;
    return true;
}

bool scan_take_all(gram_scan *s, const char *z)
{
    str rest = {s->text.p + s->at, s->text.n - s->at}, want = str_from(z);
    if (!str_starts(rest, want)) return false;
    s->at += want.n;
    return true;
}

hearth_status scan_fail(const gram_scan *s, const char *expected, hearth_err *err)
{
    int c = scan_peek(s);
    char found[8] = "the end";
    if (c >= 0) snprintf(found, sizeof found, c > 0x20 && c < 0x7F ? "'%c'" : "0x%02x", c);
    return err_fail(err, HEARTH_E_ARG, "%s: byte %zu is %s, expected %s", s->what, s->at, found,
                    expected);
}

hearth_status scan_char(gram_scan *s, uint32_t *cp, hearth_err *err)
{
    if (scan_peek(s) < 0) return scan_fail(s, "a character", err);
    size_t n = utf8_decode(s->text.p + s->at, s->text.n - s->at, cp);
    if (*cp == UTF8_BAD) return scan_fail(s, "UTF-8", err);
    s->at += n;
    return HEARTH_OK;
}

static int read_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

hearth_status scan_hex(gram_scan *s, int n, uint32_t *cp, hearth_err *err)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) {
        int digit = read_digit(scan_peek(s));
        if (digit < 0) return scan_fail(s, "a hexadecimal digit", err);
        s->at++;
        v = v << 4 | (uint32_t)digit;
    }
    if (v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF)) return scan_fail(s, "a code point", err);
    *cp = v;
    return HEARTH_OK;
}

static bool read_count(gram_scan *s, uint32_t *out)
{
    uint32_t v = 0;
    size_t begin = s->at;
    for (int c; (c = scan_peek(s)) >= '0' && c <= '9'; s->at++)
        if (v <= LIMIT_GRAM_REPEAT) v = v * 10 + (uint32_t)(c - '0');
    *out = v;
    return s->at > begin;
}

static hearth_status read_bounds(gram_scan *s, uint32_t *least, uint32_t *most, hearth_err *err)
{
    if (!read_count(s, least)) return scan_fail(s, "a number of repetitions", err);
    *most = *least;
    if (scan_take(s, ',') && !read_count(s, most)) *most = GRAM_INF;
    if (!scan_take(s, '}')) return scan_fail(s, "'}'", err);
    return *least <= *most ? HEARTH_OK : scan_fail(s, "bounds that ascend", err);
}

hearth_status scan_repeat(gram_scan *s, uint32_t *least, uint32_t *most, bool *found,
                          hearth_err *err)
{
    *least = *most = 0;
    *found = true;
    if (scan_take(s, '{')) return read_bounds(s, least, most, err);
    *most = GRAM_INF;
    if (scan_take(s, '*')) return HEARTH_OK;
    *least = 1;
    if (scan_take(s, '+')) return HEARTH_OK;
    *least = 0;
    *most = 1;
    *found = scan_take(s, '?');
    return HEARTH_OK;
}
