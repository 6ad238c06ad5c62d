// A small JSON value as a tree, for the parts of a document whose keys come in any order.
//
// Nodes and texts are the arena's, which also bounds them. Large arrays (a vocabulary) are for the
// reader's events, not for this.
#ifndef HEARTH_TOK_JTREE_H
#define HEARTH_TOK_JTREE_H

#include "base/arena.h"
#include "base/json.h"

typedef struct jnode jnode;
struct jnode {
    json_event kind; // JSON_OBJECT_BEGIN, JSON_ARRAY_BEGIN, JSON_STRING ... JSON_NULL
    str key;         // inside an object
    str text;        // of a string
    double number;
    jnode *child, *next;
};

// The value that the reader's last event began (a string, a number, the begin of a container).
hearth_status jtree_read(json_reader *r, json_event event, arena *mem, jnode **out,
                         hearth_err *err);

// Members; a missing one, and any of no object, is NULL. NULL nodes are legal everywhere below.
const jnode *jtree_get(const jnode *object, const char *key);
bool jtree_is(const jnode *n, json_event kind);
str jtree_text(const jnode *object, const char *key);           // empty when there is no string
bool jtree_flag(const jnode *object, const char *key, bool otherwise);
// A whole number of [0, most], else `otherwise`.
int64_t jtree_count(const jnode *object, const char *key, int64_t most, int64_t otherwise);

#endif
