// Stop strings over a stream of text: what may be shown, what must wait, where to stop.
//
// Text goes in as it is decoded and comes out as soon as no stop string can begin in it. At most
// the longest stop string less one byte is held back.
#ifndef HEARTH_LLM_STOP_H
#define HEARTH_LLM_STOP_H

#include "base/str.h"

typedef struct stop_filter {
    buf held;      // decoded, not shown yet
    buf all;       // the stop strings, one after another
    size_t *end;   // [n] where each ends in `all`
    size_t n;
} stop_filter;

// Copies the strings (none empty, LIMIT_STOP_STRINGS of LIMIT_STOP_BYTES at most). On failure
// nothing needs to be released.
hearth_status stop_open(stop_filter *f, const str *stop, size_t n, hearth_err *err);
void stop_close(stop_filter *f);
// Looks at f->held (append to it before), moves what may be shown to the end of `out`. *hit: a stop
// string was found; `out` got what is before it, the rest is dropped.
hearth_status stop_pass(stop_filter *f, buf *out, bool *hit);
// Moves all that is held to `out`.
hearth_status stop_flush(stop_filter *f, buf *out);

#endif
