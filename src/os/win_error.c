// See win_error.h.
#include "os/win_error.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "os/os.h"

static hearth_status status_of(unsigned long number)
{
    switch (number) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND: return HEARTH_E_NOTFOUND;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY: return HEARTH_E_NOMEM;
    }
    return HEARTH_E_IO;
}

hearth_status win_fail(hearth_err *err, unsigned long number, const char *what)
{
    wchar_t wide[256];
    char text[256] = "";
    DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
    DWORD n = FormatMessageW(flags, NULL, number, 0, wide, COUNTOF(wide), NULL);
    while (n > 0 && (wide[n - 1] < L' ' || wide[n - 1] == L'.')) n--;
    int k = WideCharToMultiByte(CP_UTF8, 0, wide, (int)n, text, sizeof text - 1, NULL, NULL);
    text[k > 0 ? k : 0] = 0;
    if (!text[0]) snprintf(text, sizeof text, "error %lu", number);
    if (text[0] >= 'A' && text[0] <= 'Z') text[0] = (char)(text[0] + ('a' - 'A'));
    return err_fail(err, status_of(number), "cannot %s: %s", what, text);
}

wchar_t *win_wide(const char *utf8)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8, -1, NULL, 0);
    wchar_t *wide = n > 0 ? os_heap_alloc((size_t)n * sizeof *wide, alignof(wchar_t)) : NULL;
    if (wide) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8, -1, wide, n);
    return wide;
}

char *win_narrow(const wchar_t *wide)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *utf8 = n > 0 ? os_heap_alloc((size_t)n, 1) : NULL;
    if (utf8) WideCharToMultiByte(CP_UTF8, 0, wide, -1, utf8, n, NULL, NULL);
    return utf8;
}
