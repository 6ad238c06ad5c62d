// The models behind pipe_model (pipe.h).
#ifndef HEARTH_TOK_MODELS_H
#define HEARTH_TOK_MODELS_H

#include "tok/json/pipe.h"

extern const pipe_model pipe_model_bpe, pipe_model_wordpiece, pipe_model_unigram, pipe_model_words;

#endif
