// See stop.h. Stop strings are few and short, so each pass compares them at every position of the
// held text, which is never longer than the longest stop string plus one token.
#include "llm/stop.h"

#include <string.h>

#include "defs/limits.h"

enum { HELD_FIRST = 1024, HELD_MAX = 1 << 20 };

static str get_stop(const stop_filter *f, size_t i)
{
    size_t begin = i ? f->end[i - 1] : 0;
    return (str){f->all.p + begin, f->end[i] - begin};
}

hearth_status stop_open(stop_filter *f, const str *stop, size_t n, hearth_err *err)
{
    *f = (stop_filter){0};
    buf_init(&f->held, MEM_MISC, HELD_MAX);
    buf_init(&f->all, MEM_MISC, (size_t)LIMIT_STOP_STRINGS * LIMIT_STOP_BYTES);
    ASSERT(n <= LIMIT_STOP_STRINGS);
    bool ok = buf_reserve(&f->held, HELD_FIRST) == HEARTH_OK;
    if (n > 0) ok = ok && (f->end = mem_alloc_zero(MEM_MISC, n, sizeof *f->end)) != NULL;
    for (; ok && f->n < n; f->n++) {
        ok = buf_append_str(&f->all, stop[f->n]) == HEARTH_OK;
        f->end[f->n] = f->all.n;
    }
    if (ok) return HEARTH_OK;
    stop_close(f);
    return err_fail(err, HEARTH_E_NOMEM, "stop strings: out of memory");
}

void stop_close(stop_filter *f)
{
    buf_release(&f->held);
    buf_release(&f->all);
    mem_free(f->end);
    f->end = NULL;
    f->n = 0;
}

static bool begins_with_stop(const stop_filter *f, str text)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_starts(text, get_stop(f, i))) return true;
    return false;
}

static bool may_become_stop(const stop_filter *f, str text)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_starts(get_stop(f, i), text)) return true;
    return false;
}

static hearth_status move_out(stop_filter *f, size_t n, buf *out)
{
    HEARTH_TRY(buf_append(out, f->held.p, n));
    f->held.n -= n;
    if (f->held.n > 0) memmove(f->held.p, f->held.p + n, f->held.n);
    return HEARTH_OK;
}

hearth_status stop_pass(stop_filter *f, buf *out, bool *hit)
{
    *hit = false;
    size_t at = 0;
    for (; at < f->held.n; at++) {
        str rest = {f->held.p + at, f->held.n - at};
        *hit = begins_with_stop(f, rest);
        if (*hit || may_become_stop(f, rest)) break;
    }
    HEARTH_TRY(move_out(f, at, out));
    if (*hit) buf_reset(&f->held);
    return HEARTH_OK;
}

hearth_status stop_flush(stop_filter *f, buf *out)
{
    return move_out(f, f->held.n, out);
}
