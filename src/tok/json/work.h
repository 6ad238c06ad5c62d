// The memory of one call, see pipe_work.
#ifndef HEARTH_TOK_WORK_H
#define HEARTH_TOK_WORK_H

#include "tok/json/pipe.h"

void work_init(pipe_work *w);
void work_release(pipe_work *w);

#endif
