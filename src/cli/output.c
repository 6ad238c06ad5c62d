// Streams of the program. See cli.h.
//
// stdout is collected and written in large pieces, or by out_flush() when a token must be seen now.
// A reader that went away (EPIPE) is no message: the program ends quietly with status 1.
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "defs/limits.h"
#include "os/os.h"

enum { OUT_FLUSH_BYTES = 1 << 16 };

static bool wants_colour(bool is_tty)
{
    const char *no = os_env("NO_COLOR"), *term = os_env("TERM");
    return is_tty && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

void cli_init(cli *c)
{
    *c = (cli){.out_err = ERR_INIT};
    c->in_is_tty = os_is_terminal(OS_STDIN);
    c->out_is_tty = os_is_terminal(OS_STDOUT);
    c->err_is_tty = os_is_terminal(OS_STDERR);
    c->out_colour = wants_colour(c->out_is_tty);
    c->err_colour = wants_colour(c->err_is_tty);
    buf_init(&c->out, MEM_MISC, SIZE_MAX);
}

void cli_release(cli *c)
{
    buf_release(&c->out);
}

hearth_status out_flush(cli *c, hearth_err *err)
{
    if (c->out_failed == HEARTH_OK && c->out.failed != HEARTH_OK) {
        c->out_failed = err_fail(&c->out_err, c->out.failed, "out of memory for the output");
    }
    if (c->out_failed == HEARTH_OK && c->out.n > 0) {
        c->out_in_line = c->out.p[c->out.n - 1] != '\n';
        c->out_failed = os_stream_write(OS_STDOUT, c->out.p, c->out.n, &c->out_err);
        c->out_closed = c->out_failed == HEARTH_E_NET; // os.h's code for a pipe without a reader
        err_prefix(&c->out_err, "stdout: ");
    }
    buf_reset(&c->out);
    if (c->out_failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, c->out_failed, "%s", c->out_err.msg);
}

static void flush_when_large(cli *c)
{
    if (c->out.n >= OUT_FLUSH_BYTES) (void)out_flush(c, NULL);
}

void out_bytes(cli *c, str s)
{
    buf_append_str(&c->out, s);
    flush_when_large(c);
}

void out_printf(cli *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&c->out, fmt, ap);
    va_end(ap);
    flush_when_large(c);
}

// C0 except newline and tab, DEL, and the C1 range, whose U+009B starts sequences like ESC [.
static bool is_control(uint32_t cp)
{
    return (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7F && cp < 0xA0);
}

void out_text(cli *c, str s)
{
    if (!c->out_is_tty) {
        out_bytes(c, s);
        return;
    }
    while (s.n > 0) {
        uint32_t cp;
        size_t n = utf8_decode(s.p, s.n, &cp);
        if (cp == UTF8_BAD || is_control(cp)) {
            buf_append_str(&c->out, STR("\xEF\xBF\xBD")); // U+FFFD
        } else {
            buf_append(&c->out, s.p, n);
        }
        s = (str){s.p + n, s.n - n};
    }
    flush_when_large(c);
}

static const char *colour_sequence(colour what)
{
    static const char *const sequences[] = {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;31m"};
    return sequences[what];
}

const char *out_colour(const cli *c, colour what)
{
    return c->out_colour ? colour_sequence(what) : "";
}

const char *err_colour(const cli *c, colour what)
{
    return c->err_colour ? colour_sequence(what) : "";
}

// Puts the cursor at the begin of a line: after the text so far, in the order in which a person
// reads both streams, and in place of a progress line.
static void begin_line(cli *c)
{
    progress_clear(c);
    if (!c->out_is_tty) return;
    (void)out_flush(c, NULL);
    if (c->out_in_line && c->err_is_tty) (void)os_stream_write(OS_STDOUT, "\n", 1, NULL);
    c->out_in_line = false;
}

static void write_note(cli *c, const char *fmt, va_list ap, const char *end)
{
    char line[ERR_MSG_CAP + 128];
    int n = vsnprintf(line, sizeof line, fmt, ap);
    if (n < 0) return;
    begin_line(c);
    size_t used = size_min((size_t)n, sizeof line - 1);
    (void)os_stream_write(OS_STDERR, line, used, NULL);
    if (*end) (void)os_stream_write(OS_STDERR, end, strlen(end), NULL);
}

void note(cli *c, const char *fmt, ...)
{
    if (c->quiet) return;
    va_list ap;
    va_start(ap, fmt);
    write_note(c, fmt, ap, "\n");
    va_end(ap);
}

void note_always(cli *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    write_note(c, fmt, ap, "\n");
    va_end(ap);
}

// "\r" returns to the first column, ESC [ K erases to the end of the line.
void progress_show(cli *c, const char *fmt, ...)
{
    if (c->quiet || !c->err_is_tty) return;
    va_list ap;
    va_start(ap, fmt);
    write_note(c, fmt, ap, "");
    va_end(ap);
    c->has_progress = true;
}

void progress_clear(cli *c)
{
    if (!c->has_progress) return;
    c->has_progress = false;
    (void)os_stream_write(OS_STDERR, "\r\x1b[K", 4, NULL);
}

void append_quoted(buf *b, str s)
{
    while (s.n > 0) {
        uint32_t cp;
        size_t n = utf8_decode(s.p, s.n, &cp);
        if (cp == '\n') {
            buf_append_str(b, STR("\\n"));
        } else if (cp == '\t') {
            buf_append_str(b, STR("\\t"));
        } else if (cp == '"' || cp == '\\') {
            buf_printf(b, "\\%c", (char)cp);
        } else if (cp == UTF8_BAD || is_control(cp)) {
            for (size_t i = 0; i < n; i++) {
                buf_printf(b, "\\x%02X", (unsigned)(unsigned char)s.p[i]);
            }
        } else {
            buf_append(b, s.p, n);
        }
        s = (str){s.p + n, s.n - n};
    }
}

void put_text(json_writer *w, const char *key, str v)
{
    json_write_key(w, key);
    json_write_string(w, v);
}

void put_u64(json_writer *w, const char *key, uint64_t v)
{
    json_write_key(w, key);
    json_write_u64(w, v);
}

void put_i64(json_writer *w, const char *key, int64_t v)
{
    json_write_key(w, key);
    json_write_i64(w, v);
}

void put_f64(json_writer *w, const char *key, double v)
{
    json_write_key(w, key);
    json_write_f64(w, v);
}

char *format_count(uint64_t n, char out[16])
{
    static const char units[] = {' ', 'K', 'M', 'B', 'T'};
    double v = (double)n;
    size_t i = 0;
    for (; v >= 999.95 && i + 1 < sizeof units; i++) v /= 1000;
    if (i == 0) {
        snprintf(out, 16, "%u", (unsigned)n);
    } else {
        snprintf(out, 16, "%.1f %c", v, units[i]);
    }
    return out;
}
