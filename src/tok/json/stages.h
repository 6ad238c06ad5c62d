// Reading the parts of a tokenizer.json into the stages of pipe.h.
#ifndef HEARTH_TOK_STAGES_H
#define HEARTH_TOK_STAGES_H

#include "tok/json/pipe.h"

// `n` is the value behind the key, NULL or null when there is none. What they cannot do is refused
// by its name. Memory is from `mem`; patterns are the caller's to close, also after a failure.
hearth_status stages_read_normalizer(pipe *p, const jnode *n, arena *mem, hearth_err *err);
hearth_status stages_read_cuts(pipe *p, const jnode *n, arena *mem, hearth_err *err);
hearth_status stages_read_decoder(pipe *p, const jnode *n, arena *mem, hearth_err *err);
hearth_status stages_read_processor(pipe *p, const jnode *n, arena *mem, hearth_err *err);

// {"String": ".."} or {"Regex": ".."} under "pattern".
hearth_status stages_read_pattern(pattern *p, const jnode *n, arena *mem, hearth_err *err);
// The only character of the string under `key`.
hearth_status stages_read_char(const jnode *n, const char *key, str *text, uint32_t *cp,
                               hearth_err *err);
hearth_status stages_refuse(const char *part, str type, hearth_err *err);
hearth_status stages_room(const char *part, size_t n, hearth_err *err); // for one more?

#endif
