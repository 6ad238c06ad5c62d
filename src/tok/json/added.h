// Tokens that are found in text before anything else; see added.c.
#ifndef HEARTH_TOK_ADDED_H
#define HEARTH_TOK_ADDED_H

#include "tok/json/pipe.h"

// After normalizers and added tokens were read.
hearth_status added_build(tok *t, hearth_err *err);

// The next token behind the last match, {0} at the beginning: its number, -1 at the end of the
// text, and the range that it takes with the white space beside it.
typedef struct added_match { size_t search, from, to; } added_match;
int32_t added_find_raw(const tok *t, tok_marked *text, added_match *m);
int32_t added_find_normalized(const tok *t, str s, bool control_too, added_match *m);

#endif
