// See posix_error.h.
#include "os/posix_error.h"

#include <errno.h>
#include <string.h>

static hearth_status status_of(int number)
{
    switch (number) {
    case ENOENT: return HEARTH_E_NOTFOUND;
    case ENOMEM: return HEARTH_E_NOMEM;
    case EPIPE:
    case ECONNRESET: return HEARTH_E_NET;
    }
    return HEARTH_E_IO;
}

hearth_status posix_fail(hearth_err *err, int number, const char *what)
{
    // strerror is safe from several threads in glibc (since 2.32) and musl.
    const char *why = strerror(number);
    char first = why[0];
    if (first >= 'A' && first <= 'Z') first = (char)(first + ('a' - 'A'));
    return err_fail(err, status_of(number), "cannot %s: %c%s", what, first, first ? why + 1 : "");
}
