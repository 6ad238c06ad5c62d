// The first-error record that fallible functions fill.
//
// A function that can fail returns hearth_status and takes `hearth_err *err` last (NULL is legal).
// err_fail() stores code, message and the source line of the first failure and returns the code,
// so that `return err_fail(err, HEARTH_E_FORMAT, "...")` is the one way to say no, and the one
// place for a breakpoint. A record that already holds an error is not overwritten.
//
// Message text: what failed first, lower case, the subject in single quotes, no full stop, e.g.
//   tensor 'blk.3.ffn_up.weight': offset 812 MB is past the end of the file (790 MB)
// Callers further out put the file in front with err_prefix(err, "model.gguf: ").
#ifndef HEARTH_DEFS_ERR_H
#define HEARTH_DEFS_ERR_H

#include "defs/defs.h"
#include "hearth/status.h"

enum { ERR_MSG_CAP = 512 }; // one terminal line with room for two long names; longer text is cut

typedef struct hearth_err {
    hearth_status status; // HEARTH_OK: no error recorded
    int line;             // of the first failure
    const char *file;     // of the first failure, static storage
    char msg[ERR_MSG_CAP]; // valid UTF-8 as far as the inputs were; control bytes are escaped
} hearth_err;

// An empty record: `hearth_err err = ERR_INIT;`
#define ERR_INIT {HEARTH_OK, 0, NULL, {0}}

#define err_fail(err, status, ...) err_fail_at(err, status, __FILE__, __LINE__, __VA_ARGS__)

// Records the failure (if `err` is non-NULL and empty) and returns `status`, which is not
// HEARTH_OK.
hearth_status err_fail_at(hearth_err *err, hearth_status status, const char *file, int line,
                          const char *fmt, ...) ATTR_PRINTF(5, 6);

// Puts text in front of a recorded message; nothing if there is none.
void err_prefix(hearth_err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);

// Empties the record for reuse.
void err_clear(hearth_err *err);

// A word for a code, e.g. "out of memory"; static storage, never NULL.
const char *err_status_name(hearth_status status);

// Early return for functions whose memory all lives in the caller's arena.
#define HEARTH_TRY(expr)                          \
    do {                                          \
        hearth_status try_status_ = (expr);       \
        if (try_status_ != HEARTH_OK) return try_status_; \
    } while (0)

#endif
