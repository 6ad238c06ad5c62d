// `hearth debug gguf` and `debug tokens`: what a model file holds, read in this process.
#include "cli/args.h"
#include "os/os.h"
#include "tok/tok.h"

enum { PARTS_MAX = LIMIT_GGUF_SPLITS, ITEMS_SHOWN = 8 };

// A model file with all its parts mapped.
typedef struct model_file {
    int n_parts;
    os_mapping *maps;
    gguf_bytes *bytes;
    buf *names;
    gguf *g;
} model_file;

static void close_model(model_file *m)
{
    gguf_close(m->g);
    for (int i = 0; m->maps && i < m->n_parts; i++) os_unmap(&m->maps[i]);
    for (int i = 0; m->names && i < m->n_parts; i++) buf_release(&m->names[i]);
    mem_free(m->maps);
    mem_free(m->bytes);
    mem_free(m->names);
}

static hearth_status map_part(model_file *m, const char *path, int i, hearth_err *err)
{
    buf_init(&m->names[i], MEM_MISC, SIZE_MAX);
    if (i == 0) {
        buf_append_str(&m->names[i], str_from(path));
    } else if (!gguf_split_name(path, i, m->n_parts, &m->names[i])) {
        return err_fail(err, HEARTH_E_FORMAT, "%s: is one of %d parts, but not named so", path,
                        m->n_parts);
    }
    if (m->names[i].failed != HEARTH_OK) return err_fail(err, m->names[i].failed, "out of memory");
    hearth_status st = os_map_file(m->names[i].p, &m->maps[i], err);
    if (st != HEARTH_OK) err_prefix(err, "%s: ", m->names[i].p);
    m->bytes[i] = (gguf_bytes){m->names[i].p, m->maps[i].data, m->maps[i].size};
    return st;
}

static hearth_status count_parts(const char *path, int *n, hearth_err *err)
{
    os_mapping map;
    HEARTH_TRY(os_map_file(path, &map, err));
    gguf_bytes first = {path, map.data, map.size};
    hearth_status st = gguf_split_count(&first, n, err);
    os_unmap(&map);
    return st;
}

static hearth_status open_model(const char *path, model_file *m, hearth_err *err)
{
    *m = (model_file){.n_parts = 1};
    HEARTH_TRY(check_model_path(path, err));
    hearth_status st = count_parts(path, &m->n_parts, err);
    size_t n = (size_t)m->n_parts;
    if (st == HEARTH_OK) {
        m->maps = mem_alloc_zero(MEM_MODEL, n, sizeof *m->maps);
        m->bytes = mem_alloc_zero(MEM_MODEL, n, sizeof *m->bytes);
        m->names = mem_alloc_zero(MEM_MODEL, n, sizeof *m->names);
        if (!m->maps || !m->bytes || !m->names) st = err_fail(err, HEARTH_E_NOMEM, "out of memory");
    }
    for (int i = 0; i < m->n_parts && st == HEARTH_OK; i++) st = map_part(m, path, i, err);
    if (st == HEARTH_OK) st = gguf_open(m->bytes, m->n_parts, &m->g, err);
    if (st != HEARTH_OK) {
        if (err && !str_starts(str_from(err->msg), str_from(path))) err_prefix(err, "%s: ", path);
        close_model(m);
    }
    return st;
}

// --- values -------------------------------------------------------------------------------------

static void write_item(json_writer *w, const gguf_kv *kv, uint64_t i)
{
    int64_t whole;
    double real;
    if (kv->type == GGUF_BOOL || (kv->type == GGUF_ARRAY && kv->item_type == GGUF_BOOL)) {
        json_write_bool(w, kv->data[i] != 0);
    } else if (gguf_item_i64(kv, i, &whole)) {
        json_write_i64(w, whole);
    } else if (gguf_item_f64(kv, i, &real)) {
        json_write_f64(w, real);
    } else {
        json_write_null(w); // nested arrays
    }
}

static void write_items(json_writer *w, const gguf_kv *kv)
{
    bool is_text = kv->type == GGUF_STRING || kv->item_type == GGUF_STRING;
    size_t at = 0;
    uint64_t n = kv->n < ITEMS_SHOWN ? kv->n : ITEMS_SHOWN;
    for (uint64_t i = 0; i < n; i++) {
        if (is_text && (kv->type == GGUF_ARRAY || kv->type == GGUF_STRING)) {
            json_write_string(w, gguf_next_string(kv, &at));
        } else {
            write_item(w, kv, i);
        }
    }
}

static void write_value(json_writer *w, const gguf_kv *kv)
{
    if (kv->type != GGUF_ARRAY) {
        write_items(w, kv);
        return;
    }
    json_write_object(w);
    put_text(w, "items", str_from(gguf_type_name(kv->item_type)));
    put_u64(w, "length", kv->n);
    json_write_key(w, "first");
    json_write_array(w);
    write_items(w, kv);
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_tensor(json_writer *w, const model_file *m, const gguf_tensor *t)
{
    json_write_object(w);
    put_text(w, "name", t->name);
    put_text(w, "type", str_from(dtype_get(t->type)->name));
    json_write_key(w, "shape");
    json_write_array(w);
    for (int d = 0; d < t->n_dims; d++) json_write_i64(w, t->dim[d]);
    json_write_array_end(w);
    put_i64(w, "part", t->part);
    put_u64(w, "offset", (uint64_t)(t->data - m->maps[t->part].data));
    put_u64(w, "bytes", t->bytes);
    json_write_object_end(w);
}

static void print_json(cli *c, const gguf_args *a, const model_file *m)
{
    json_writer w;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    put_i64(&w, "version", gguf_version(m->g));
    json_write_key(&w, "keys");
    json_write_object(&w);
    for (size_t i = 0; a->keys && i < gguf_kv_count(m->g); i++) {
        const gguf_kv *kv = gguf_kv_at(m->g, i);
        buf key;
        buf_init(&key, MEM_MISC, SIZE_MAX);
        buf_append_str(&key, kv->key);
        json_write_key(&w, key.p ? key.p : "");
        write_value(&w, kv);
        buf_release(&key);
    }
    json_write_object_end(&w);
    json_write_key(&w, "tensors");
    json_write_array(&w);
    for (size_t i = 0; a->tensors && i < gguf_tensor_count(m->g); i++) {
        write_tensor(&w, m, gguf_tensor_at(m->g, i));
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

// "key  type  value", values as JSON.
static void print_key(cli *c, const gguf_kv *kv)
{
    json_writer w;
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    append_quoted(&text, kv->key);
    out_printf(c, "%-42s %-7s ", text.p ? text.p : "", gguf_type_name(kv->type));
    buf_reset(&text);
    json_write_init(&w, &text);
    write_value(&w, kv);
    out_bytes(c, buf_str(&text));
    out_bytes(c, STR("\n"));
    buf_release(&text);
}

static void print_tensor(cli *c, const model_file *m, const gguf_tensor *t)
{
    buf name;
    buf_init(&name, MEM_MISC, SIZE_MAX);
    append_quoted(&name, t->name);
    out_printf(c, "%-42s %-7s [", name.p ? name.p : "", dtype_get(t->type)->name);
    for (int d = 0; d < t->n_dims; d++) {
        out_printf(c, "%s%lld", d ? ", " : "", (long long)t->dim[d]);
    }
    out_printf(c, "] part %d offset %llu bytes %zu\n", t->part,
               (unsigned long long)(t->data - m->maps[t->part].data), t->bytes);
    buf_release(&name);
}

hearth_status cmd_debug_gguf(cli *c, void *args, hearth_err *err)
{
    const gguf_args *a = args;
    model_file m;
    HEARTH_TRY(open_model(a->common.words[0], &m, err));
    if (a->common.json) {
        print_json(c, a, &m);
    } else {
        out_printf(c, "GGUF v%d, %d part%s, %zu keys, %zu tensors\n", gguf_version(m.g), m.n_parts,
                   m.n_parts == 1 ? "" : "s", gguf_kv_count(m.g), gguf_tensor_count(m.g));
        for (size_t i = 0; a->keys && i < gguf_kv_count(m.g); i++) print_key(c, gguf_kv_at(m.g, i));
        for (size_t i = 0; a->tensors && i < gguf_tensor_count(m.g); i++) {
            print_tensor(c, &m, gguf_tensor_at(m.g, i));
        }
    }
    close_model(&m);
    return HEARTH_OK;
}

// --- vocabulary ---------------------------------------------------------------------------------

static const char *attr_name(tok_attr attr)
{
    static const char *const names[] = {"undefined", "normal", "unknown", "control",
                                        "user", "unused", "byte"};
    return (size_t)attr < COUNTOF(names) ? names[attr] : "undefined";
}

static void print_tokens(cli *c, const tok *t, bool json)
{
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    if (json) out_bytes(c, STR("["));
    for (int32_t id = 0; id < tok_count(t); id++) {
        buf_reset(&text);
        if (json) {
            json_writer w;
            json_write_init(&w, &text);
            json_write_string(&w, tok_text(t, id));
            out_printf(c, "%s{\"id\": %d, \"kind\": \"%s\", \"text\": ", id ? ",\n " : "", id,
                       attr_name(tok_get_attr(t, id)));
            out_bytes(c, buf_str(&text));
            out_bytes(c, STR("}"));
        } else {
            append_quoted(&text, tok_text(t, id));
            out_printf(c, "%7d  %-9s \"%s\"\n", id, attr_name(tok_get_attr(t, id)),
                       text.p ? text.p : "");
        }
    }
    if (json) out_bytes(c, STR("]\n"));
    buf_release(&text);
}

hearth_status cmd_debug_tokens(cli *c, void *args, hearth_err *err)
{
    const plain_args *a = args;
    model_file m;
    tok *t = NULL;
    HEARTH_TRY(open_model(a->common.words[0], &m, err));
    hearth_status st = tok_open(m.g, &t, err);
    err_prefix(err, "%s: ", a->common.words[0]);
    if (st == HEARTH_OK) print_tokens(c, t, a->common.json);
    tok_free(t);
    close_model(&m);
    return st;
}
