// UTF-8 of RFC 3629; declared in str.h.
//
//   bytes          first      second     meaning
//   1              00..7F
//   2              C2..DF     80..BF     C0, C1 would be overlong
//   3              E0         A0..BF     below would be overlong
//                  ED         80..9F     above would be surrogates
//                  E1..EF     80..BF
//   4              F0         90..BF     below would be overlong
//                  F4         80..8F     above would exceed 10FFFF
//                  F1..F3     80..BF
//
// Only the second byte has a special range, so that checking lead and second decides
// well-formedness of a prefix; this is what utf8_incomplete_tail relies on.
#include "base/str.h"

// Length that a lead byte announces, 0 for a byte that cannot lead.
static size_t lead_length(unsigned char c)
{
    if (c < 0x80) return 1;
    if (c < 0xC2) return 0;
    if (c < 0xE0) return 2;
    if (c < 0xF0) return 3;
    return c < 0xF5 ? 4 : 0;
}

static bool second_ok(unsigned char lead, unsigned char c)
{
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return c >= low && c <= high;
}

size_t utf8_decode(const char *p, size_t n, uint32_t *cp)
{
    ASSERT(n >= 1);
    const unsigned char *u = (const unsigned char *)p;
    size_t len = lead_length(u[0]);
    *cp = UTF8_BAD;
    if (len == 0 || len > n) return 1;
    if (len == 1) {
        *cp = u[0];
        return 1;
    }
    if (!second_ok(u[0], u[1])) return 1;
    uint32_t value = u[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xC0) != 0x80) return 1;
        value = value << 6 | (u[i] & 0x3F);
    }
    *cp = value;
    return len;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    ASSERT(cp <= 0x10FFFF);
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((0xF00u >> len & 0xFF) | cp); // 110, 1110 or 11110 in front
    return len;
}

size_t utf8_incomplete_tail(str s)
{
    const unsigned char *u = (const unsigned char *)s.p;
    for (size_t back = 1; back <= 3 && back <= s.n; back++) {
        unsigned char c = u[s.n - back];
        if ((c & 0xC0) == 0x80) continue;
        if (lead_length(c) <= back) return 0;
        return back == 1 || second_ok(c, u[s.n - back + 1]) ? back : 0;
    }
    return 0;
}
