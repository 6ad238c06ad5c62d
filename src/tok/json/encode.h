// See encode.c.
#ifndef HEARTH_TOK_ENCODE_H
#define HEARTH_TOK_ENCODE_H

#include "tok/json/pipe.h"

hearth_status pipe_encode(const tok *t, tok_marked *m, bool add_special, tok_ids *out,
                          hearth_err *err);

#endif
