// See jtree.h. Containers are read by recursion, whose depth the reader bounds (LIMIT_JSON_DEPTH).
#include "tok/json/jtree.h"

static hearth_status no_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "no memory for a JSON value");
}

static hearth_status copy_text(arena *mem, str s, str *out, hearth_err *err)
{
    char *p = arena_copy_string(mem, s.p, s.n);
    if (!p) return no_memory(err);
    *out = (str){p, s.n};
    return HEARTH_OK;
}

static hearth_status read_children(json_reader *r, jnode *parent, arena *mem, hearth_err *err)
{
    json_event end = parent->kind == JSON_OBJECT_BEGIN ? JSON_OBJECT_END : JSON_ARRAY_END, event;
    jnode **last = &parent->child;
    for (;;) {
        str key = {"", 0};
        HEARTH_TRY(json_next(r, &event, err));
        if (event == end) return HEARTH_OK;
        if (event == JSON_KEY) {
            HEARTH_TRY(copy_text(mem, json_text(r), &key, err));
            HEARTH_TRY(json_next(r, &event, err));
        }
        HEARTH_TRY(jtree_read(r, event, mem, last, err));
        (*last)->key = key;
        last = &(*last)->next;
    }
}

hearth_status jtree_read(json_reader *r, json_event event, arena *mem, jnode **out,
                         hearth_err *err)
{
    jnode *n = arena_new(mem, jnode, 1);
    if (!n) return no_memory(err);
    n->kind = event;
    n->text = n->key = (str){"", 0};
    *out = n;
    if (event == JSON_STRING) return copy_text(mem, json_text(r), &n->text, err);
    if (event == JSON_NUMBER && !json_f64(r, &n->number)) {
        return err_fail(err, HEARTH_E_FORMAT, "json: a number before byte %llu does not fit",
                        (unsigned long long)json_offset(r));
    }
    bool container = event == JSON_OBJECT_BEGIN || event == JSON_ARRAY_BEGIN;
    return container ? read_children(r, n, mem, err) : HEARTH_OK;
}

const jnode *jtree_get(const jnode *object, const char *key)
{
    if (!jtree_is(object, JSON_OBJECT_BEGIN)) return NULL;
    for (const jnode *n = object->child; n; n = n->next) {
        if (str_eq_z(n->key, key)) return n;
    }
    return NULL;
}

bool jtree_is(const jnode *n, json_event kind) { return n && n->kind == kind; }

str jtree_text(const jnode *object, const char *key)
{
    const jnode *n = jtree_get(object, key);
    return jtree_is(n, JSON_STRING) ? n->text : (str){"", 0};
}

bool jtree_flag(const jnode *object, const char *key, bool otherwise)
{
    const jnode *n = jtree_get(object, key);
    if (jtree_is(n, JSON_TRUE)) return true;
    return jtree_is(n, JSON_FALSE) ? false : otherwise;
}

int64_t jtree_count(const jnode *object, const char *key, int64_t most, int64_t otherwise)
{
    const jnode *n = jtree_get(object, key);
    if (!jtree_is(n, JSON_NUMBER) || !(n->number >= 0 && n->number <= (double)most)) {
        return otherwise;
    }
    return (int64_t)n->number;
}
