// One way to turn errno into an error record; private to the POSIX and WASI files of os/.
#ifndef HEARTH_OS_POSIX_ERROR_H
#define HEARTH_OS_POSIX_ERROR_H

#include "defs/err.h"

// "cannot <what>: no such file or directory". ENOENT is NOTFOUND, ENOMEM is NOMEM, the rest IO.
hearth_status posix_fail(hearth_err *err, int number, const char *what);

#endif
