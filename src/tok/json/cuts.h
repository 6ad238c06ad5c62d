// See cuts.c.
#ifndef HEARTH_TOK_CUTS_H
#define HEARTH_TOK_CUTS_H

#include "tok/json/pipe.h"

// Cuts w->text into w->pieces; the text may be rewritten.
hearth_status cuts_run(const pipe *p, pipe_work *w, hearth_err *err);

#endif
