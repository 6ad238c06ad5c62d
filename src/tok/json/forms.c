// See forms.h.
//
// Text is normalised in stretches that begin at an ASCII character (which nothing in front of it
// can change) and are of no interest if nothing else follows. utf8proc decomposes one character at
// a time and composes a stretch; the marks in between are put into order here, because its own
// sort takes quadratic time on a text of nothing but marks.
#include "tok/json/forms.h"

#if HEARTH_HAVE_UTF8PROC

#include <string.h>
#include <utf8proc.h>

#include "defs/limits.h"

bool forms_are_there(void) { return true; }

typedef struct stretch {
    buf points; // int32_t each
    buf sorted; // room for the marks of one character
    bool compatible, composes;
} stretch;

static int mark_class(int32_t cp) { return utf8proc_get_property(cp)->combining_class; }

static hearth_status add_point(stretch *s, uint32_t cp)
{
    int32_t parts[32]; // U+FDFA, the longest, becomes 18
    int options = UTF8PROC_DECOMPOSE | (s->compatible ? UTF8PROC_COMPAT : 0), boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((int32_t)cp, parts, COUNTOF(parts),
                                                 (utf8proc_option_t)options, &boundary);
    if (n < 0 || n > (utf8proc_ssize_t)COUNTOF(parts)) {
        parts[0] = (int32_t)cp;
        n = 1;
    }
    return buf_append(&s->points, parts, (size_t)n * sizeof *parts);
}

// Stable, by counting: there are 256 classes.
static hearth_status sort_marks(stretch *s, int32_t *p, size_t n)
{
    uint32_t at[257] = {0};
    bool ordered = true;
    for (size_t i = 1; i < n; i++) ordered = ordered && mark_class(p[i - 1]) <= mark_class(p[i]);
    if (ordered) return HEARTH_OK;
    buf_reset(&s->sorted);
    HEARTH_TRY(buf_append(&s->sorted, p, n * sizeof *p));
    const int32_t *from = (const int32_t *)(const void *)s->sorted.p;
    for (size_t i = 0; i < n; i++) at[mark_class(from[i]) + 1]++;
    for (size_t c = 0; c < 256; c++) at[c + 1] += at[c];
    for (size_t i = 0; i < n; i++) p[at[mark_class(from[i])]++] = from[i];
    return HEARTH_OK;
}

static hearth_status order_marks(stretch *s, int32_t *p, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (mark_class(p[i]) == 0) continue;
        while (end < n && mark_class(p[end]) != 0) end++;
        HEARTH_TRY(sort_marks(s, p + i, end - i));
    }
    return HEARTH_OK;
}

static hearth_status put_stretch(stretch *s, buf *out)
{
    int32_t *p = (int32_t *)(void *)s->points.p;
    size_t n = s->points.n / sizeof *p;
    if (n == 0) return HEARTH_OK;
    HEARTH_TRY(order_marks(s, p, n));
    if (s->composes) {
        utf8proc_ssize_t left = utf8proc_normalize_utf32(
            p, (utf8proc_ssize_t)n, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        if (left >= 0) n = (size_t)left;
    }
    for (size_t i = 0; i < n; i++) {
        char c[4];
        HEARTH_TRY(buf_append(out, c, utf8_encode((uint32_t)p[i], c)));
    }
    buf_reset(&s->points);
    return HEARTH_OK;
}

// The end of the characters at `at` that stay alone: ASCII, each followed by ASCII.
static size_t skip_plain(str s, size_t at)
{
    while (at < s.n && (uint8_t)s.p[at] < 0x80 && (at + 1 == s.n || (uint8_t)s.p[at + 1] < 0x80)) {
        at++;
    }
    return at;
}

static hearth_status append_stretch(stretch *t, str s, size_t *at, buf *out)
{
    size_t begin = *at;
    do {
        uint32_t cp;
        size_t n = utf8_decode(s.p + *at, s.n - *at, &cp);
        if (cp == UTF8_BAD) {
            HEARTH_TRY(put_stretch(t, out));
            HEARTH_TRY(buf_append(out, s.p + *at, n));
        } else {
            HEARTH_TRY(add_point(t, cp));
        }
        *at += n;
    } while (*at < s.n && (uint8_t)s.p[*at] >= 0x80);
    ASSERT(*at > begin);
    return put_stretch(t, out);
}

hearth_status forms_append(str s, bool compatible, bool composes, buf *out, hearth_err *err)
{
    stretch t = {.compatible = compatible, .composes = composes};
    buf_init(&t.points, MEM_TOKENIZER, 8 * (size_t)LIMIT_PROMPT_BYTES);
    buf_init(&t.sorted, MEM_TOKENIZER, 8 * (size_t)LIMIT_PROMPT_BYTES);
    hearth_status status = HEARTH_OK;
    for (size_t at = 0; at < s.n && status == HEARTH_OK;) {
        size_t plain = skip_plain(s, at);
        status = buf_append(out, s.p + at, plain - at);
        at = plain;
        if (status == HEARTH_OK && at < s.n) status = append_stretch(&t, s, &at, out);
    }
    buf_release(&t.points);
    buf_release(&t.sorted);
    if (status == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, status, "no memory to normalise %zu bytes", s.n);
}

size_t forms_cluster_end(str s, size_t at)
{
    uint32_t before, cp;
    utf8proc_int32_t state = 0;
    at += utf8_decode(s.p + at, s.n - at, &before);
    while (at < s.n) {
        size_t n = utf8_decode(s.p + at, s.n - at, &cp);
        if (before == UTF8_BAD || cp == UTF8_BAD) break;
        if (utf8proc_grapheme_break_stateful((int32_t)before, (int32_t)cp, &state)) break;
        before = cp;
        at += n;
    }
    return at;
}

#else

bool forms_are_there(void) { return false; }

hearth_status forms_append(str s, bool compatible, bool composes, buf *out, hearth_err *err)
{
    (void)s, (void)compatible, (void)composes, (void)out;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "this build has no utf8proc");
}

size_t forms_cluster_end(str s, size_t at)
{
    (void)at;
    return s.n;
}

#endif
