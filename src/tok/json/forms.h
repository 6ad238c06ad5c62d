// Unicode normalisation forms and grapheme clusters, by utf8proc (docs/adr/008-utf8proc.md).
#ifndef HEARTH_TOK_FORMS_H
#define HEARTH_TOK_FORMS_H

#include "base/str.h"

bool forms_are_there(void); // was utf8proc there when this was built?

// Appends s in the form NF[K]C (composes) or NF[K]D. Bytes that are not UTF-8 stay as they are.
hearth_status forms_append(str s, bool compatible, bool composes, buf *out, hearth_err *err);

// The end of the cluster that begins at `at` < s.n.
size_t forms_cluster_end(str s, size_t at);

#endif
