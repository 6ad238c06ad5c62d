// The model's part of a tokenizer.json; see model_source.c.
#ifndef HEARTH_TOK_MODEL_SOURCE_H
#define HEARTH_TOK_MODEL_SOURCE_H

#include "tok/json/pipe.h"

void source_init(pipe_source *s);
void source_release(pipe_source *s);
// The reader stands at the object under "model". `type` stays empty when the file names none.
hearth_status source_read_model(pipe *p, json_reader *r, arena *mem, str *type, hearth_err *err);
// Spelling i.
str source_text(const pipe_source *s, size_t i);

#endif
