// Byte slices and their parsers; see str.h.
//
// Numbers: the C library's strtod is correctly rounded but reads the decimal point of the process's
// locale. A text without a point means the same in every locale, so "12.5e3" is handed to it as
// "125e2": digits without the point, the exponent lowered. A double is decided by at most 768
// significant digits, plus one bit that says whether anything but zeros follows.
#include "base/str.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 768, EXPONENT_MAX = 99999, DISTANCE_MAX = 256 };

str str_from(const char *z)
{
    return z ? (str){z, strlen(z)} : (str){"", 0};
}

static bool equal_bytes(const char *a, const char *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

bool str_eq(str a, str b)
{
    return a.n == b.n && equal_bytes(a.p, b.p, a.n);
}

bool str_eq_z(str a, const char *z)
{
    return str_eq(a, str_from(z));
}

bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && equal_bytes(s.p, prefix.p, prefix.n);
}

bool str_ends(str s, str suffix)
{
    if (s.n < suffix.n) return false;
    return suffix.n == 0 || equal_bytes(s.p + (s.n - suffix.n), suffix.p, suffix.n);
}

int str_cmp(str a, str b)
{
    size_t n = size_min(a.n, b.n);
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq_caseless(str a, str b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (to_lower(a.p[i]) != to_lower(b.p[i])) return false;
    return true;
}

size_t str_find(str s, str needle, size_t from)
{
    if (from > s.n || needle.n > s.n - from) return SIZE_MAX;
    if (needle.n == 0) return from;
    size_t last = s.n - needle.n;
    while (from <= last) {
        const char *hit = memchr(s.p + from, needle.p[0], last - from + 1);
        if (!hit) return SIZE_MAX;
        if (memcmp(hit, needle.p, needle.n) == 0) return (size_t)(hit - s.p);
        from = (size_t)(hit - s.p) + 1;
    }
    return SIZE_MAX;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s)
{
    while (s.n > 0 && is_space(s.p[0])) s.p++, s.n--;
    while (s.n > 0 && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

str str_cut(str *rest, char sep)
{
    str s = *rest;
    const char *hit = s.n ? memchr(s.p, sep, s.n) : NULL;
    if (!hit) {
        *rest = (str){s.p ? s.p + s.n : "", 0};
        return s;
    }
    size_t before = (size_t)(hit - s.p);
    *rest = (str){hit + 1, s.n - before - 1};
    return (str){s.p, before};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_sign(str *s)
{
    if (s->n == 0 || (s->p[0] != '-' && s->p[0] != '+')) return false;
    bool negative = s->p[0] == '-';
    s->p++, s->n--;
    return negative;
}

// Digits off the front into *out; false when there is none or they do not fit.
static bool take_u64(str *s, uint64_t *out)
{
    uint64_t v = 0;
    if (s->n == 0 || !is_digit(s->p[0])) return false;
    for (; s->n > 0 && is_digit(s->p[0]); s->p++, s->n--)
        if (!mul_ok_u64(v, 10, &v) || !add_ok_u64(v, (uint64_t)(s->p[0] - '0'), &v)) return false;
    *out = v;
    return true;
}

bool str_parse_i64(str s, int64_t *out)
{
    bool negative = take_sign(&s);
    uint64_t v;
    if (!take_u64(&s, &v) || s.n > 0) return false;
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

// A decimal number without its point: value = digits * 10^exponent.
typedef struct decimal {
    char digits[DIGITS_MAX + 16]; // significant digits, later the text for strtod
    size_t n;
    int64_t exponent;
    bool any; // a digit was seen, perhaps only zeros
} decimal;

static void add_digit(decimal *d, char c, bool after_point)
{
    d->any = true;
    if (d->n == 0 && c == '0') { // a leading zero moves nothing but the point
        d->exponent -= after_point;
    } else if (d->n < DIGITS_MAX) {
        d->digits[d->n++] = c;
        d->exponent -= after_point;
    } else {
        if (c != '0') d->digits[DIGITS_MAX - 1] |= 1; // sticky: an odd last digit is never a tie
        d->exponent += !after_point;
    }
}

static void take_digits(str *s, decimal *d, bool after_point)
{
    for (; s->n > 0 && is_digit(s->p[0]); s->p++, s->n--) add_digit(d, s->p[0], after_point);
}

static bool take_exponent(str *s, decimal *d)
{
    if (s->n == 0 || (s->p[0] != 'e' && s->p[0] != 'E')) return true;
    s->p++, s->n--;
    bool negative = take_sign(s);
    int64_t e = 0;
    if (s->n == 0 || !is_digit(s->p[0])) return false;
    for (; s->n > 0 && is_digit(s->p[0]); s->p++, s->n--)
        e = e < INT64_MAX / 100 ? e * 10 + (s->p[0] - '0') : e; // beyond any count of digits
    d->exponent += negative ? -e : e;
    return true;
}

bool str_parse_f64(str s, double *out)
{
    decimal d;
    d.n = 0;
    d.exponent = 0;
    d.any = false;
    bool negative = take_sign(&s);
    take_digits(&s, &d, false);
    if (s.n > 0 && s.p[0] == '.') {
        s.p++, s.n--;
        take_digits(&s, &d, true);
    }
    if (!d.any || !take_exponent(&s, &d) || s.n > 0) return false;
    double v = 0;
    if (d.n > 0) {
        int64_t e = i64_max(i64_min(d.exponent, EXPONENT_MAX), -EXPONENT_MAX);
        snprintf(d.digits + d.n, sizeof d.digits - d.n, "e%d", (int)e);
        v = strtod(d.digits, NULL);
        if (v > DBL_MAX) return false;
    }
    *out = negative ? -v : v;
    return true;
}

static int suffix_shift(char c)
{
    switch (c) {
    case 'K': case 'k': return 10;
    case 'M': case 'm': return 20;
    case 'G': case 'g': return 30;
    case 'T': case 't': return 40;
    }
    return 0;
}

// Six digits after the point are taken exactly (10^6 * 2^40 < 2^64); later ones only checked.
static bool take_fraction(str *s, uint64_t *millionths)
{
    uint64_t v = 0, weight = 100000;
    if (s->n == 0 || !is_digit(s->p[0])) return false;
    for (; s->n > 0 && is_digit(s->p[0]); s->p++, s->n--, weight /= 10)
        v += weight * (uint64_t)(s->p[0] - '0');
    *millionths = v;
    return true;
}

bool str_parse_size(str s, uint64_t *out)
{
    uint64_t whole, part = 0, sum;
    bool has_point = false;
    if (!take_u64(&s, &whole)) return false;
    if (s.n > 0 && s.p[0] == '.') {
        has_point = true;
        s.p++, s.n--;
        if (!take_fraction(&s, &part)) return false;
    }
    int shift = s.n > 0 ? suffix_shift(s.p[0]) : 0;
    if (s.n > (shift ? 1u : 0u) || (has_point && !shift)) return false;
    if (!mul_ok_u64(whole, UINT64_C(1) << shift, &sum)) return false;
    if (!add_ok_u64(sum, (part << shift) / 1000000, &sum)) return false;
    *out = sum;
    return true;
}

size_t str_distance(str a, str b, size_t limit)
{
    if (b.n > DISTANCE_MAX || a.n > DISTANCE_MAX) return limit;
    size_t row[DISTANCE_MAX + 1]; // row[j]: distance of a's first i bytes to b's first j
    for (size_t j = 0; j <= b.n; j++) row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t change = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            row[j] = size_min(change, size_min(row[j], row[j - 1]) + 1);
        }
    }
    return size_min(row[b.n], limit);
}

char *format_bytes(uint64_t n, char out[16])
{
    static const char units[] = "KMGTPE";
    if (n < 1024) {
        snprintf(out, 16, "%u B", (unsigned)n);
        return out;
    }
    int unit = 0;
    uint64_t scaled = n; // in 1/1024 of the unit
    while (scaled >= 1024 * 1024) scaled >>= 10, unit++;
    uint64_t tenths = (scaled * 10 + 512) >> 10;
    if (tenths >= 10240 && unit < 5) tenths = 10, unit++; // 1023.96 KB rounds to 1.0 MB
    snprintf(out, 16, "%u.%u %cB", (unsigned)(tenths / 10), (unsigned)(tenths % 10), units[unit]);
    return out;
}
