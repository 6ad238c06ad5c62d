// See conf.h. Paths are written into one buffer that grows and shrinks with the depth; what is kept
// is copied into an arena whose size bounds what a hostile file (long keys around many values) can
// make us allocate.
#include "hf/conf.h"

#include <inttypes.h>

enum { CONF_BYTES_MAX = 1 << 28, CONF_STRING_MAX = 1 << 24 }; // chat templates are < 100 KB

typedef struct conf_reader {
    conf *c;
    json_reader *json;
    const char *const *skip;
    buf path;
} conf_reader;

void conf_init(conf *c)
{
    arena_init(&c->mem, MEM_MODEL, CONF_BYTES_MAX);
    buf_init(&c->values, MEM_MODEL, CONF_BYTES_MAX);
    map_init(&c->paths, MEM_MODEL);
}

void conf_release(conf *c)
{
    map_release(&c->paths);
    buf_release(&c->values);
    arena_release(&c->mem);
}

static hearth_status keep(conf_reader *r, json_event kind, str text, hearth_err *err)
{
    conf *c = r->c;
    const char *path = arena_copy_string(&c->mem, r->path.p, r->path.n);
    const char *copy = arena_copy_string(&c->mem, text.p, text.n);
    conf_value v = {{path, r->path.n}, {copy, text.n}, kind, 0};
    hearth_status s = path && copy ? HEARTH_OK : HEARTH_E_LIMIT;
    if (s == HEARTH_OK) s = map_put(&c->paths, v.path, (uint32_t)conf_count(c), NULL);
    if (s == HEARTH_OK) s = buf_append(&c->values, &v, sizeof v);
    return s == HEARTH_OK ? s : err_fail(err, s, "too large to be kept in memory");
}

static bool is_skipped(const conf_reader *r)
{
    for (const char *const *p = r->skip; p && *p; p++)
        if (str_eq_z(buf_str(&r->path), *p)) return true;
    return false;
}

static hearth_status read_container(conf_reader *r, bool is_object, hearth_err *err);

// The value whose first event is `e`, under r->path.
static hearth_status read_value(conf_reader *r, json_event e, hearth_err *err)
{
    bool is_text = e == JSON_STRING || e == JSON_NUMBER;
    HEARTH_TRY(keep(r, e, is_text ? json_text(r->json) : (str){"", 0}, err));
    if (e != JSON_OBJECT_BEGIN && e != JSON_ARRAY_BEGIN) return HEARTH_OK;
    if (is_skipped(r)) return json_skip(r->json, err);
    return read_container(r, e == JSON_OBJECT_BEGIN, err);
}

static hearth_status push_name(conf_reader *r, bool is_object, int64_t index, hearth_err *err)
{
    if (r->path.n > 0) buf_append_char(&r->path, '.');
    if (is_object) buf_append_str(&r->path, json_text(r->json));
    else buf_printf(&r->path, "%" PRId64, index);
    if (r->path.failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, r->path.failed, "names are too long");
}

// Depth is bounded by the JSON reader.
static hearth_status read_container(conf_reader *r, bool is_object, hearth_err *err)
{
    size_t at = conf_count(r->c) - 1, len = r->path.n;
    json_event e;
    for (int64_t n = 0;; n++) {
        HEARTH_TRY(json_next(r->json, &e, err));
        if (e == JSON_OBJECT_END || e == JSON_ARRAY_END) {
            ((conf_value *)(void *)r->c->values.p)[at].n = n;
            return HEARTH_OK;
        }
        HEARTH_TRY(push_name(r, is_object, n, err));
        if (is_object) HEARTH_TRY(json_next(r->json, &e, err));
        HEARTH_TRY(read_value(r, e, err));
        r->path.n = len;
    }
}

static hearth_status read_document(conf_reader *r, hearth_err *err)
{
    json_event e;
    HEARTH_TRY(json_next(r->json, &e, err));
    if (e != JSON_OBJECT_BEGIN) return err_fail(err, HEARTH_E_FORMAT, "json: no object");
    HEARTH_TRY(read_value(r, e, err));
    return json_next(r->json, &e, err); // the end
}

hearth_status conf_read(conf *c, const void *p, size_t n, const char *const *skip, hearth_err *err)
{
    conf_reader r = {.c = c, .skip = skip};
    buf_init(&r.path, MEM_MODEL, CONF_STRING_MAX);
    hearth_status s = json_open_memory(p, n, CONF_STRING_MAX, &r.json, err);
    if (s == HEARTH_OK) s = buf_reserve(&r.path, 64);
    if (s == HEARTH_OK) s = read_document(&r, err);
    json_close(r.json);
    buf_release(&r.path);
    return s;
}

size_t conf_count(const conf *c) { return c->values.n / sizeof(conf_value); }

const conf_value *conf_at(const conf *c, size_t i)
{
    ASSERT(i < conf_count(c));
    return (const conf_value *)(const void *)c->values.p + i;
}

const conf_value *conf_find(const conf *c, const char *path)
{
    uint32_t i;
    if (!map_get(&c->paths, str_from(path), &i)) return NULL;
    const conf_value *v = conf_at(c, i);
    return v->kind == JSON_NULL ? NULL : v;
}

bool conf_i64(const conf *c, const char *path, int64_t *out)
{
    const conf_value *v = conf_find(c, path);
    return v && v->kind == JSON_NUMBER && str_parse_i64(v->text, out);
}

bool conf_f64(const conf *c, const char *path, double *out)
{
    const conf_value *v = conf_find(c, path);
    return v && v->kind == JSON_NUMBER && str_parse_f64(v->text, out);
}

bool conf_bool(const conf *c, const char *path, bool *out)
{
    const conf_value *v = conf_find(c, path);
    if (!v || (v->kind != JSON_TRUE && v->kind != JSON_FALSE)) return false;
    *out = v->kind == JSON_TRUE;
    return true;
}

bool conf_str(const conf *c, const char *path, str *out)
{
    const conf_value *v = conf_find(c, path);
    if (!v || v->kind != JSON_STRING) return false;
    *out = v->text;
    return true;
}
