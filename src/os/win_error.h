// Error texts and UTF-16 paths; private to the Windows files of os/.
#ifndef HEARTH_OS_WIN_ERROR_H
#define HEARTH_OS_WIN_ERROR_H

#include <wchar.h>

#include "defs/err.h"

// "cannot <what>: the system cannot find the file specified"; `number` is from GetLastError().
hearth_status win_fail(hearth_err *err, unsigned long number, const char *what);

// A path for the wide calls; NULL when memory is short or the text is not UTF-8. os_heap_free() it.
wchar_t *win_wide(const char *utf8);
char *win_narrow(const wchar_t *wide);

#endif
