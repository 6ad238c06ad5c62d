// A JSON file as a flat table: every value under the path that leads to it.
//
//   {"a": {"b": [7, null]}}   "a" object of 1, "a.b" array of 2, "a.b.0" 7, "a.b.1" null
//
// For files that describe a model (config.json and its like): small, nested two or three deep, and
// asked for by name. Where two paths are spelled alike, the first one counts.
#ifndef HEARTH_HF_CONF_H
#define HEARTH_HF_CONF_H

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"

typedef struct conf_value {
    str path, text;  // text: of strings and numbers
    json_event kind; // JSON_OBJECT_BEGIN, JSON_ARRAY_BEGIN or a scalar's
    int64_t n;       // items of a container
} conf_value;

typedef struct conf {
    arena mem;
    buf values; // conf_value, in the order of the file
    map paths;
} conf;

// An empty table, which answers "absent" to everything.
void conf_init(conf *c);
void conf_release(conf *c);
// Reads a document into an empty table. `skip`: paths whose values are left out, NULL-terminated;
// may be NULL.
hearth_status conf_read(conf *c, const void *p, size_t n, const char *const *skip, hearth_err *err);

size_t conf_count(const conf *c);
const conf_value *conf_at(const conf *c, size_t i);
const conf_value *conf_find(const conf *c, const char *path); // NULL: absent or null
// False: absent, null or of another kind.
bool conf_i64(const conf *c, const char *path, int64_t *out);
bool conf_f64(const conf *c, const char *path, double *out);
bool conf_bool(const conf *c, const char *path, bool *out);
bool conf_str(const conf *c, const char *path, str *out);

#endif
