// See normal.c.
#ifndef HEARTH_TOK_NORMAL_H
#define HEARTH_TOK_NORMAL_H

#include "tok/json/pipe.h"

// Leaves s, normalised, in w->text.
hearth_status normal_run(const pipe *p, pipe_work *w, str s, hearth_err *err);

#endif
