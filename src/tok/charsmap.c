// See charsmap.h. The rules are a double-array trie and the texts it points to:
//
//   u32      size of the array in bytes
//   u32 ...  units of the array, little-endian
//   ...      texts, each ended by NUL
//
//   unit     bits 0-7 label, 8 a key ends here, 9 offset is shifted by 8, 10-30 offset
//   value    bit 31 set; bits 0-30 where the text begins
//
// From a unit at position p with offset o, the child for byte c is the unit at p ^ o ^ c if its
// label is c, and the value is at p ^ o. Positions and values that lead outside are taken for "no
// rule": each is looked at when it is used, so nothing about the array has to be proven before.
#include "tok/charsmap.h"

#include <string.h>

#include "defs/limits.h"

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

hearth_status charsmap_open(charsmap *m, const uint8_t *data, size_t n, hearth_err *err)
{
    *m = (charsmap){0};
    if (n == 0) return HEARTH_OK;
    size_t bytes = n >= 4 ? load_u32(data) : 0;
    if (n < 4 || bytes > n - 4 || bytes == 0 || bytes % 4 != 0) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "'tokenizer.ggml.precompiled_charsmap': %zu bytes hold no array of %zu", n,
                        bytes);
    }
    m->texts = (str){(const char *)data + 4 + bytes, n - 4 - bytes};
    if (m->texts.n == 0 || m->texts.p[m->texts.n - 1] != 0) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "'tokenizer.ggml.precompiled_charsmap': the last text has no end");
    }
    m->units = data + 4;
    m->n_units = bytes / 4;
    return HEARTH_OK;
}

// A unit that matches no label and carries no value stands for all outside.
static uint32_t get_unit(const charsmap *m, uint32_t at)
{
    return at < m->n_units ? load_u32(m->units + (size_t)at * 4) : 0;
}

static uint32_t get_offset(uint32_t unit) { return unit >> 10 << ((unit >> 9 & 1) * 8); }

static bool get_text(const charsmap *m, uint32_t value, str *out)
{
    size_t at = value & 0x7FFFFFFFu;
    if (!(value & 0x80000000u) || at >= m->texts.n) return false;
    *out = (str){m->texts.p + at, strlen(m->texts.p + at)}; // the last byte of all is NUL
    return true;
}

// How many bytes of s the longest rule replaces, or the shortest.
static size_t walk(const charsmap *m, str s, bool shortest, str *with)
{
    size_t found = 0;
    uint32_t at = get_offset(get_unit(m, 0));
    for (size_t i = 0; i < s.n && i < LIMIT_RULE_BYTES && s.p[i] && !(found && shortest); i++) {
        uint8_t c = (uint8_t)s.p[i];
        at ^= c;
        uint32_t unit = get_unit(m, at);
        if ((unit & 0x800000FFu) != c) break;
        at ^= get_offset(unit);
        if (unit & 0x100 && get_text(m, get_unit(m, at), with)) found = i + 1;
    }
    return found;
}

size_t charsmap_match(const charsmap *m, str s, str *with) { return walk(m, s, false, with); }
bool charsmap_first(const charsmap *m, str s, str *with) { return walk(m, s, true, with) > 0; }
