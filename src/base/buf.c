// Growable byte buffers; declared in str.h.
//
// Invariant: p == NULL and cap == 0, or p[n] == 0 and n < cap <= max_bytes + 1. The first failure
// sticks: every later call returns it and does nothing, so that a chain of appends checked once at
// the end never leaves a hole in the middle.
#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum { CAP_MIN = 64 };

void buf_init(buf *b, mem_tag tag, size_t max_bytes)
{
    *b = (buf){.tag = tag, .max_bytes = size_min(max_bytes, SIZE_MAX - 1)};
}

void buf_release(buf *b)
{
    mem_free(b->p);
    buf_init(b, b->tag, b->max_bytes);
}

void buf_reset(buf *b)
{
    b->n = 0;
    b->failed = HEARTH_OK;
    if (b->p) b->p[0] = 0;
}

hearth_status buf_reserve(buf *b, size_t more)
{
    if (b->failed != HEARTH_OK) return b->failed;
    if (more > b->max_bytes - b->n) return b->failed = HEARTH_E_LIMIT;
    size_t need = b->n + more + 1;
    if (need <= b->cap) return HEARTH_OK;
    size_t twice = size_max(b->cap < SIZE_MAX / 2 ? b->cap * 2 : SIZE_MAX, CAP_MIN);
    size_t cap = size_min(size_max(need, twice), b->max_bytes + 1);
    char *p = mem_realloc(b->tag, b->p, cap);
    if (!p) return b->failed = HEARTH_E_NOMEM;
    b->p = p;
    b->cap = cap;
    b->p[b->n] = 0;
    return HEARTH_OK;
}

hearth_status buf_append(buf *b, const void *p, size_t n)
{
    HEARTH_TRY(buf_reserve(b, n));
    if (n > 0) memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
    return HEARTH_OK;
}

hearth_status buf_append_str(buf *b, str s)
{
    return buf_append(b, s.p, s.n);
}

hearth_status buf_append_char(buf *b, char c)
{
    return buf_append(b, &c, 1);
}

hearth_status buf_vprintf(buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) return b->failed != HEARTH_OK ? b->failed : (b->failed = HEARTH_E_INTERNAL);
    HEARTH_TRY(buf_reserve(b, (size_t)n));
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    b->n += (size_t)n;
    return HEARTH_OK;
}

hearth_status buf_printf(buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    hearth_status status = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return status;
}
