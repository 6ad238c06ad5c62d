// Decoders of tokenizer.json, token by token. See pipe.h.
//
// The library's decoders see all tokens of a text; here each is decoded as it comes, which gives
// the same, with what is left to tok_stream: bytes of a character that come in several tokens, and
// a space that the last token of a text does not have. Bytes that make no character stay as they
// are.
#include "tok/json/decoders.h"

#include <string.h>

#include "defs/limits.h"
#include "tok/byte_char.h"

// A token that holds a character of no byte is itself.
static void decode_bytes(str s, buf *out)
{
    size_t from = out->n;
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        at += utf8_decode(s.p + at, s.n - at, &cp);
        int byte = byte_char_value(cp);
        if (byte < 0) {
            out->n = from;
            buf_append_str(out, s);
            return;
        }
        buf_append_char(out, (char)byte);
    }
}

static void replace_text(str s, str what, str with, buf *out)
{
    size_t at;
    while (what.n && (at = str_find(s, what, 0)) != SIZE_MAX) {
        buf_append(out, s.p, at);
        buf_append_str(out, with);
        s = (str){s.p + at + what.n, s.n - at - what.n};
    }
    buf_append_str(out, s);
}

static void decode_metaspace(const decode_stage *st, str s, bool first, buf *out)
{
    replace_text(s, st->text, first && st->drops_first ? STR("") : STR(" "), out);
}

// Blanks before points and around contractions, one replacement after the other.
static void clean_up(str s, buf *out)
{
    static const struct { str what, with; } steps[] = {
        {STR_INIT(" ."), STR_INIT(".")}, {STR_INIT(" ?"), STR_INIT("?")},
        {STR_INIT(" !"), STR_INIT("!")}, {STR_INIT(" ,"), STR_INIT(",")},
        {STR_INIT(" ' "), STR_INIT("'")}, {STR_INIT(" n't"), STR_INIT("n't")},
        {STR_INIT(" 'm"), STR_INIT("'m")}, {STR_INIT(" do not"), STR_INIT(" don't")},
        {STR_INIT(" 's"), STR_INIT("'s")}, {STR_INIT(" 've"), STR_INIT("'ve")},
        {STR_INIT(" 're"), STR_INIT("'re")}};
    buf a;
    buf_init(&a, MEM_TOKENIZER, 4 * (size_t)LIMIT_TOKEN_BYTES);
    buf_append_str(&a, s);
    for (size_t i = 0; i < COUNTOF(steps) && a.failed == HEARTH_OK; i++) {
        if (str_find(buf_str(&a), steps[i].what, 0) == SIZE_MAX) continue;
        buf b;
        buf_init(&b, MEM_TOKENIZER, a.max_bytes);
        replace_text(buf_str(&a), steps[i].what, steps[i].with, &b);
        buf_release(&a);
        a = b;
    }
    if (a.failed != HEARTH_OK) out->failed = a.failed;
    buf_append_str(out, buf_str(&a));
    buf_release(&a);
}

static void decode_wordpiece(const decode_stage *st, str s, bool first, buf *out)
{
    buf joined;
    buf_init(&joined, MEM_TOKENIZER, 2 * (size_t)LIMIT_TOKEN_BYTES);
    if (!first && str_starts(s, st->text)) s = (str){s.p + st->text.n, s.n - st->text.n};
    else if (!first) buf_append_char(&joined, ' ');
    buf_append_str(&joined, s);
    if (joined.failed != HEARTH_OK) out->failed = joined.failed;
    if (st->cleanup) clean_up(buf_str(&joined), out);
    else buf_append_str(out, buf_str(&joined));
    buf_release(&joined);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int decode_byte_token(str s)
{
    if (s.n != 6 || memcmp(s.p, "<0x", 3) != 0 || s.p[5] != '>') return -1;
    int high = hex_value(s.p[3]), low = hex_value(s.p[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static void decode_fallback(str s, buf *out)
{
    int byte = decode_byte_token(s);
    if (byte >= 0) buf_append_char(out, (char)byte);
    else buf_append_str(out, s);
}

static void strip_ends(const decode_stage *st, str s, bool first, buf *out)
{
    size_t start = !st->fused || first ? st->start : 0, stop = st->fused ? 0 : st->stop;
    for (; start > 0 && str_starts(s, st->text); start--) {
        s = (str){s.p + st->text.n, s.n - st->text.n};
    }
    for (; stop > 0 && str_ends(s, st->text); stop--) s.n -= st->text.n;
    buf_append_str(out, s);
}

static hearth_status replace_pattern(const decode_stage *st, str s, buf *out)
{
    pattern_search f;
    size_t done = 0, from = 0, to = 0;
    bool found = true;
    pattern_search_init(&f);
    hearth_status status = pattern_search_begin(&f, &st->pattern, s, NULL);
    while (status == HEARTH_OK) {
        status = pattern_search_next(&f, &from, &to, &found, NULL);
        if (status != HEARTH_OK || !found) break;
        buf_append(out, s.p + done, from - done);
        buf_append_str(out, st->with);
        done = to;
    }
    buf_append(out, s.p + done, s.n - done);
    pattern_search_release(&f);
    return status;
}

static void decode_ctc(const decode_stage *st, str s, buf *out)
{
    buf a, b;
    buf_init(&a, MEM_TOKENIZER, 2 * (size_t)LIMIT_TOKEN_BYTES);
    buf_init(&b, MEM_TOKENIZER, 4 * (size_t)LIMIT_TOKEN_BYTES);
    replace_text(s, st->text, STR(""), &a);
    if (st->cleanup) {
        clean_up(buf_str(&a), &b);
        replace_text(buf_str(&b), st->with, STR(" "), out);
    } else {
        buf_append_str(out, buf_str(&a));
    }
    if (a.failed != HEARTH_OK || b.failed != HEARTH_OK) out->failed = HEARTH_E_NOMEM;
    buf_release(&a);
    buf_release(&b);
}

static hearth_status run_stage(const decode_stage *st, str s, bool first, buf *out)
{
    switch (st->kind) {
    case DECODE_BYTES: decode_bytes(s, out); break;
    case DECODE_METASPACE: decode_metaspace(st, s, first, out); break;
    case DECODE_WORDPIECE: decode_wordpiece(st, s, first, out); break;
    case DECODE_SUFFIX: replace_text(s, st->text, STR(" "), out); break;
    case DECODE_FALLBACK: decode_fallback(s, out); break;
    case DECODE_FUSE: buf_append_str(out, s); break;
    case DECODE_STRIP: strip_ends(st, s, first, out); break;
    case DECODE_REPLACE: return replace_pattern(st, s, out);
    case DECODE_CTC: decode_ctc(st, s, out); break;
    }
    return out->failed;
}

hearth_status pipe_decode(const tok *t, int32_t id, bool first, buf *out)
{
    const pipe *p = t->pipe;
    str s = t->text[id];
    if (p->joins_by_space && !first) HEARTH_TRY(buf_append_char(out, ' '));
    buf room[2];
    hearth_status status = HEARTH_OK;
    for (size_t i = 0; i < 2; i++) buf_init(&room[i], MEM_TOKENIZER, 4 * (size_t)LIMIT_TOKEN_BYTES);
    for (size_t i = 0; i < p->n_decode && status == HEARTH_OK; i++) {
        buf *to = &room[i & 1];
        buf_reset(to);
        status = run_stage(&p->decode[i], s, first, to);
        s = buf_str(to);
    }
    if (status == HEARTH_OK) status = buf_append_str(out, s);
    for (size_t i = 0; i < 2; i++) buf_release(&room[i]);
    return status;
}
