// A model of tests/golden/llm with a tokenizer, as a GGUF: for tests that begin with text.
#ifndef TESTS_SUPPORT_ENCODER_FILE_H
#define TESTS_SUPPORT_ENCODER_FILE_H

#include "support/golden_model.h"
#include "support/vocab_file.h"

// The vocabulary is filled up to the model's. `pattern`: the template of ranking, NULL for none.
// True on success; the caller initialises and releases `out`.
bool encoder_file_make(const golden_case *c, test_vocab *v, const char *pattern, buf *out);

#endif
