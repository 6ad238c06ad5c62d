// Normalizers of tokenizer.json: each turns one text into another. See pipe.h.
//
// Bytes that are not UTF-8 pass through all of them; only BERT's cleaning drops them, as it drops
// U+FFFD.
#include "tok/json/normal.h"

#include "defs/limits.h"
#include "tok/byte_char.h"
#include "tok/fold.h"
#include "tok/glyph.h"
#include "tok/json/forms.h"
#include "tok/json/ranges.h"

typedef void (*map_char)(const normal_stage *st, uint32_t cp, buf *out);

static void put_cp(buf *out, uint32_t cp)
{
    char c[4];
    buf_append(out, c, utf8_encode(cp, c));
}

static void put_lower(buf *out, uint32_t cp)
{
    uint32_t lower[2];
    int n = fold_lower(cp, lower);
    for (int i = 0; i < n; i++) put_cp(out, lower[i]);
}

static void map_lower(const normal_stage *st, uint32_t cp, buf *out)
{
    (void)st;
    put_lower(out, cp);
}

static void map_unmarked(const normal_stage *st, uint32_t cp, buf *out)
{
    (void)st;
    if (!(SET_OF(unicode_get_category(cp)) & SET_M)) put_cp(out, cp);
}

// Rules of neural machine translation models, as the library lists them.
static void map_nmt(const normal_stage *st, uint32_t cp, buf *out)
{
    static const glyph_range dropped[] = {{0x01, 0x08}, {0x0B, 0x0B}, {0x0E, 0x1F}, {0x7F, 0x7F},
                                          {0x8F, 0x8F}, {0x9F, 0x9F}};
    static const glyph_range spaces[] = {{0x09, 0x0A}, {0x0C, 0x0D}, {0x1680, 0x1680},
                                         {0x200B, 0x200F}, {0x2028, 0x2029}, {0x2581, 0x2581},
                                         {0xFEFF, 0xFEFF}, {0xFFFD, 0xFFFD}};
    (void)st;
    if (glyph_is_in(cp, dropped, COUNTOF(dropped))) return;
    put_cp(out, glyph_is_in(cp, spaces, COUNTOF(spaces)) ? ' ' : cp);
}

// Cleaning, ideographs apart, accents, case: in this order.
static void map_bert(const normal_stage *st, uint32_t cp, buf *out)
{
    if (st->clean && range_is_bert_removed(cp)) return;
    if (st->clean && unicode_is_space(cp)) cp = ' ';
    bool alone = st->chinese && range_is_ideograph(cp);
    uint32_t plain[FOLD_MAX] = {cp};
    int n = st->accents ? fold_strip(cp, plain) : 1;
    if (alone) put_cp(out, ' ');
    for (int i = 0; i < n; i++) {
        if (st->lower) put_lower(out, plain[i]);
        else put_cp(out, plain[i]);
    }
    if (alone) put_cp(out, ' ');
}

static void map_chars(const normal_stage *st, map_char change, bool drops_bad, str s, buf *out)
{
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.p + at, s.n - at, &cp);
        if (cp != UTF8_BAD) change(st, cp, out);
        else if (!drops_bad) buf_append(out, s.p + at, n);
        at += n;
    }
}

static void put_bytes(str s, buf *out)
{
    for (size_t i = 0; i < s.n; i++) put_cp(out, byte_char_of((uint8_t)s.p[i]));
}

static str strip_ends(const normal_stage *st, str s)
{
    size_t from = 0, to = s.n;
    if (st->left) from = glyph_skip(s, 0, SET_SPACE);
    while (st->right && to > from) {
        size_t last = to - 1;
        while (last > from && ((uint8_t)s.p[last] & 0xC0) == 0x80) last--;
        if (!(glyph_at(s, last).set & SET_SPACE)) break;
        to = last;
    }
    return (str){s.p + from, to - from};
}

static hearth_status replace_matches(const normal_stage *st, pattern_search *f, str s, buf *out,
                                     hearth_err *err)
{
    size_t done = 0, from = 0, to = 0;
    bool found;
    HEARTH_TRY(pattern_search_begin(f, &st->pattern, s, err));
    for (;;) {
        HEARTH_TRY(pattern_search_next(f, &from, &to, &found, err));
        if (!found) break;
        buf_append(out, s.p + done, from - done);
        buf_append_str(out, st->text);
        done = to;
    }
    buf_append(out, s.p + done, s.n - done);
    return HEARTH_OK;
}

// One grapheme cluster, or its characters one by one when it is long or no rule begins with it. A
// rule for the front of a cluster replaces all of it: that is how the library does it.
static void put_cluster(const charsmap *rules, str s, buf *out)
{
    str with;
    if (s.n < 6 && charsmap_first(rules, s, &with)) {
        buf_append_str(out, with);
        return;
    }
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        str c = {s.p + at, utf8_decode(s.p + at, s.n - at, &cp)};
        buf_append_str(out, charsmap_first(rules, c, &with) ? with : c);
        at += c.n;
    }
}

static void apply_rules(const charsmap *rules, str s, buf *out)
{
    for (size_t at = 0; at < s.n;) {
        // ASCII before ASCII is a cluster, but for the two characters of a newline.
        bool plain = at + 1 < s.n && (uint8_t)s.p[at] < 0x80 && (uint8_t)s.p[at + 1] < 0x80 &&
                     s.p[at] != '\r';
        size_t end = plain ? at + 1 : forms_cluster_end(s, at);
        put_cluster(rules, (str){s.p + at, end - at}, out);
        at = end;
    }
}

static hearth_status run_stage(const normal_stage *st, pattern_search *f, str s, buf *out,
                               hearth_err *err)
{
    switch (st->kind) {
    case NORMAL_NFC: return forms_append(s, false, true, out, err);
    case NORMAL_NFD: return forms_append(s, false, false, out, err);
    case NORMAL_NFKC: return forms_append(s, true, true, out, err);
    case NORMAL_NFKD: return forms_append(s, true, false, out, err);
    case NORMAL_LOWER: map_chars(st, map_lower, false, s, out); break;
    case NORMAL_STRIP: buf_append_str(out, strip_ends(st, s)); break;
    case NORMAL_STRIP_ACCENTS: map_chars(st, map_unmarked, false, s, out); break;
    case NORMAL_REPLACE: return replace_matches(st, f, s, out, err);
    case NORMAL_PREPEND:
        if (s.n) buf_append_str(out, st->text);
        buf_append_str(out, s);
        break;
    case NORMAL_BERT: map_chars(st, map_bert, st->clean, s, out); break;
    case NORMAL_CHARSMAP: apply_rules(&st->rules, s, out); break;
    case NORMAL_NMT: map_chars(st, map_nmt, false, s, out); break;
    case NORMAL_BYTES: put_bytes(s, out); break;
    }
    return HEARTH_OK;
}

hearth_status normal_run(const pipe *p, pipe_work *w, str s, hearth_err *err)
{
    buf_reset(&w->text);
    if (p->n_normal == 0) buf_append_str(&w->text, s);
    for (size_t i = 0; i < p->n_normal; i++) {
        buf_reset(&w->other);
        HEARTH_TRY(run_stage(&p->normal[i], &w->search, s, &w->other, err));
        buf done = w->other;
        w->other = w->text;
        w->text = done;
        if (w->text.failed != HEARTH_OK) break;
        s = buf_str(&w->text);
    }
    if (w->text.failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, w->text.failed, "no memory to normalise a text");
}
