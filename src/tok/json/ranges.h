// Characters as BERT's tokenizer sorts them, and words as regular expressions do.
#ifndef HEARTH_TOK_RANGES_H
#define HEARTH_TOK_RANGES_H

#include "tok/glyph.h"

bool range_is_ideograph(uint32_t cp);   // BERT's blocks, with the published mistake
bool range_is_bert_removed(uint32_t cp); // control, format, unassigned ...
bool range_is_mark(uint32_t cp);        // punctuation, and all of ASCII that is no letter or digit
bool range_is_word(uint32_t cp);        // \w: letters, marks, digits, "_" and its like

#endif
