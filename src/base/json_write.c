// The writer of json.h. Every function is "comma if one is due, then the text"; the buf keeps the
// first failure, so none of them returns one.
#include "base/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void json_write_init(json_writer *w, buf *out)
{
    *w = (json_writer){.out = out};
}

static void begin_value(json_writer *w)
{
    if (w->need_comma && !w->after_key) buf_append_char(w->out, ',');
    w->after_key = false;
    w->need_comma = true;
}

static void open_container(json_writer *w, char c)
{
    begin_value(w);
    buf_append_char(w->out, c);
    w->depth++;
    w->need_comma = false;
}

static void close_container(json_writer *w, char c)
{
    ASSERT(w->depth > 0 && !w->after_key);
    buf_append_char(w->out, c);
    w->depth--;
    w->need_comma = true;
}

void json_write_object(json_writer *w) { open_container(w, '{'); }
void json_write_object_end(json_writer *w) { close_container(w, '}'); }
void json_write_array(json_writer *w) { open_container(w, '['); }
void json_write_array_end(json_writer *w) { close_container(w, ']'); }

static void write_escaped(buf *b, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) buf_printf(b, "\\%c", to[hit - from]);
    else buf_printf(b, "\\u%04x", c);
}

// Bytes from s that stand for themselves; DEL too is escaped, which terminals welcome.
static size_t plain_run(str s)
{
    size_t n = 0;
    while (n < s.n) {
        unsigned char c = (unsigned char)s.p[n];
        if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\') break;
        n++;
    }
    return n;
}

static void write_text(buf *b, str s)
{
    while (s.n > 0) {
        size_t n = plain_run(s);
        buf_append(b, s.p, n);
        s.p += n, s.n -= n;
        if (s.n == 0) break;
        uint32_t cp;
        n = utf8_decode(s.p, s.n, &cp);
        if (cp == UTF8_BAD) buf_append(b, "\xEF\xBF\xBD", 3);
        else if (cp < 0x80) write_escaped(b, (unsigned char)cp);
        else buf_append(b, s.p, n);
        s.p += n, s.n -= n;
    }
}

void json_write_string(json_writer *w, str s)
{
    begin_value(w);
    buf_append_char(w->out, '"');
    write_text(w->out, s);
    buf_append_char(w->out, '"');
}

void json_write_key(json_writer *w, const char *key)
{
    ASSERT(w->depth > 0 && !w->after_key);
    json_write_string(w, str_from(key));
    buf_append_char(w->out, ':');
    w->after_key = true;
}

void json_write_i64(json_writer *w, int64_t v)
{
    begin_value(w);
    buf_printf(w->out, "%" PRId64, v);
}

void json_write_u64(json_writer *w, uint64_t v)
{
    begin_value(w);
    buf_printf(w->out, "%" PRIu64, v);
}

// printf writes the decimal point of the process's locale, which may be several bytes: whatever is
// neither a digit nor part of an exponent becomes one '.'.
static size_t format_f64(double v, int digits, char out[32])
{
    char text[48];
    size_t n = 0;
    snprintf(text, sizeof text, "%.*g", digits, v);
    for (const char *p = text; *p; p++) {
        bool known = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e';
        if (known) out[n++] = *p;
        else if (n > 0 && out[n - 1] != '.') out[n++] = '.';
    }
    return n;
}

void json_write_f64(json_writer *w, double v)
{
    static const int precisions[] = {6, 9, 17}; // short; enough for any float; for any double
    char text[32];
    if (!(fabs(v) <= DBL_MAX)) { // also for nan; isfinite() of mingw warns about doubles
        json_write_null(w);
        return;
    }
    begin_value(w);
    for (size_t i = 0; i < COUNTOF(precisions); i++) {
        double back;
        size_t n = format_f64(v, precisions[i], text);
        bool same = str_parse_f64((str){text, n}, &back) && memcmp(&back, &v, sizeof v) == 0;
        if (!same && i + 1 < COUNTOF(precisions)) continue;
        buf_append(w->out, text, n);
        return;
    }
}

void json_write_bool(json_writer *w, bool v)
{
    begin_value(w);
    buf_append_str(w->out, v ? STR("true") : STR("false"));
}

void json_write_null(json_writer *w)
{
    begin_value(w);
    buf_append_str(w->out, STR("null"));
}
