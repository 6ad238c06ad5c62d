// See decoders.c.
#ifndef HEARTH_TOK_DECODERS_H
#define HEARTH_TOK_DECODERS_H

#include "tok/json/pipe.h"

hearth_status pipe_decode(const tok *t, int32_t id, bool first, buf *out);
int decode_byte_token(str s); // 10 for "<0x0A>", -1 for other text

#endif
