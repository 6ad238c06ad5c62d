// Letters without case and accents, for vocabularies that know neither.
#ifndef HEARTH_TOK_FOLD_H
#define HEARTH_TOK_FOLD_H

#include "defs/defs.h"

enum { FOLD_MAX = 4 }; // code points that one becomes
// Canonical decomposition without non-spacing marks; returns how many code points are left (0..4).
int fold_strip(uint32_t cp, uint32_t out[FOLD_MAX]);
// Lower case by code point alone, so a sigma is never final; U+0130 becomes two.
int fold_lower(uint32_t cp, uint32_t out[2]);

#endif
