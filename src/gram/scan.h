// Private to gram/: reading grammars and regular expressions, byte by byte.
#ifndef HEARTH_GRAM_SCAN_H
#define HEARTH_GRAM_SCAN_H

#include "gram/gram_int.h"

enum { SCAN_RANGES = 256 }; // parts of one class

typedef struct gram_scan {
    str text;
    size_t at;
    const char *what; // the text's name in messages
} gram_scan;

int scan_peek(const gram_scan *s); // the next byte, -1 at the end
int scan_peek_at(const gram_scan *s, size_t n);
bool scan_take(gram_scan *s, char c);
bool scan_take_all(gram_scan *s, const char *z);
hearth_status scan_fail(const gram_scan *s, const char *expected, hearth_err *err);
hearth_status scan_char(gram_scan *s, uint32_t *cp, hearth_err *err); // one of UTF-8
hearth_status scan_hex(gram_scan *s, int n, uint32_t *cp, hearth_err *err); // of n digits
// * + ? {n} {n,} {n,m}; *found: whether there is one.
hearth_status scan_repeat(gram_scan *s, uint32_t *least, uint32_t *most, bool *found,
                          hearth_err *err);

#endif
