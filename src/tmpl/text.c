// Strings of templates: UTF-8 with an origin for every byte.
//
// Most strings have one origin, and then no mask. The builder keeps a mask for all it gets and
// drops it at the end when it is uniform. Indexes that templates see count code points, as in
// Python; a string of ASCII alone is the common case and costs one pass.
#include <string.h>

#include "tmpl/tmpl_int.h"

// White space of Python's str.strip() and of \s.
bool is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || (cp >= 28 && cp <= 32) || cp == 0x85 || cp == 0xA0 ||
           cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

bool text_user_at(value s, size_t i)
{
    return s.u.s.mask ? s.u.s.mask[i] != 0 : s.user;
}

bool text_is_user(value s)
{
    if (!s.u.s.mask) return s.user && s.u.s.n > 0;
    return memchr(s.u.s.mask, 1, s.u.s.n) != NULL;
}

value text_slice(value s, size_t from, size_t n)
{
    ASSERT(from <= s.u.s.n && n <= s.u.s.n - from);
    s.u.s.p += from;
    if (s.u.s.mask) s.u.s.mask += from;
    s.u.s.n = n;
    return s;
}

static bool starts_character(char c) { return ((unsigned char)c & 0xC0) != 0x80; }

size_t text_count(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += starts_character(s.p[i]);
    return n;
}

size_t text_offset(str s, size_t i)
{
    for (size_t at = 0; at < s.n; at++) {
        if (starts_character(s.p[at]) && i-- == 0) return at;
    }
    return s.n;
}

static size_t last_character(str s)
{
    size_t at = s.n - 1;
    while (at > 0 && !starts_character(s.p[at])) at--;
    return at;
}

// Is the character s.p[at .. at + n) one to trim?
static bool is_trimmed(str s, size_t at, size_t n, const str *chars)
{
    uint32_t cp;
    if (chars) return str_find(*chars, (str){s.p + at, n}, 0) != SIZE_MAX;
    utf8_decode(s.p + at, n, &cp);
    return is_space(cp);
}

void text_trim(str s, const str *chars, bool left, bool right, size_t *from, size_t *n)
{
    size_t begin = 0;
    while (left && begin < s.n) {
        uint32_t cp;
        size_t k = utf8_decode(s.p + begin, s.n - begin, &cp);
        if (!is_trimmed(s, begin, k, chars)) break;
        begin += k;
    }
    while (right && s.n > begin) {
        size_t at = last_character(s);
        if (!is_trimmed(s, at, s.n - at, chars)) break;
        s.n = at;
    }
    *from = begin;
    *n = s.n - begin;
}

// --- building -----------------------------------------------------------------------------------

static hearth_status reserve(builder *b, size_t n)
{
    size_t need, cap = size_max(b->cap * 2, 64);
    HEARTH_TRY(charge(b->in, n / 16));
    if (!add_ok(b->n, n, &need)) return fail_memory(b->in);
    if (need <= b->cap) return HEARTH_OK;
    cap = size_max(cap, need);
    char *p = arena_new(&b->in->mem, char, cap);
    uint8_t *mask = arena_new(&b->in->mem, uint8_t, cap);
    if (!p || !mask) return fail_memory(b->in);
    if (b->n > 0) {
        memcpy(p, b->p, b->n);
        memcpy(mask, b->mask, b->n);
    }
    b->p = p;
    b->mask = mask;
    b->cap = cap;
    return HEARTH_OK;
}

hearth_status build_bytes(builder *b, const char *p, size_t n, bool user)
{
    if (n == 0) return HEARTH_OK;
    HEARTH_TRY(reserve(b, n));
    memcpy(b->p + b->n, p, n);
    memset(b->mask + b->n, user, n);
    b->n += n;
    return HEARTH_OK;
}

hearth_status build_slice(builder *b, value s, size_t from, size_t n)
{
    ASSERT(s.kind == V_STRING);
    HEARTH_TRY(build_bytes(b, s.u.s.p + from, n, s.user));
    if (s.u.s.mask && n > 0) memcpy(b->mask + b->n - n, s.u.s.mask + from, n);
    return HEARTH_OK;
}

hearth_status build_fill(builder *b, char c, size_t n, bool user)
{
    if (n == 0) return HEARTH_OK;
    HEARTH_TRY(reserve(b, n));
    memset(b->p + b->n, c, n);
    memset(b->mask + b->n, user, n);
    b->n += n;
    return HEARTH_OK;
}

value build_done(builder *b)
{
    value v = val_text((str){b->p ? b->p : "", b->n}, false);
    if (b->n == 0) return v;
    v.user = memchr(b->mask, 1, b->n) != NULL;
    if (v.user && memchr(b->mask, 0, b->n)) v.u.s.mask = b->mask;
    return v;
}

hearth_status to_text(interp *in, value v, value *out)
{
    if (v.kind == V_STRING) {
        *out = v;
        return HEARTH_OK;
    }
    builder b = build(in);
    HEARTH_TRY(build_value(&b, v));
    *out = build_done(&b);
    return HEARTH_OK;
}

// --- letters ------------------------------------------------------------------------------------

hearth_status text_change_case(builder *b, value s, size_t from, size_t n, letter_case to)
{
    for (size_t i = from; i < from + n;) {
        uint32_t cp;
        char four[4];
        size_t k = utf8_decode(s.u.s.p + i, s.u.s.n - i, &cp);
        bool user = text_user_at(s, i);
        i += k;
        if (cp == 0xDF && to != CASE_LOWER) {
            HEARTH_TRY(build_bytes(b, "SS", 2, user));
            continue;
        }
        k = utf8_encode(change_case(cp, to), four);
        HEARTH_TRY(build_bytes(b, four, k, user));
    }
    return HEARTH_OK;
}
