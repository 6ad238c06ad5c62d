// `hearth show`: a model file for people, or as JSON as the engine gives it.
//
// The engine (a child process) reads the file and answers with JSON, so that a damaged file meets
// no parser in this process but that of JSON. The readable form walks the same document.
#include <stdio.h>
#include <string.h>

#include "cli/args.h"

static void print_field(cli *c, const char *name, const char *value)
{
    if (*value) out_printf(c, "%-14s%s\n", name, value);
}

static void print_number(cli *c, const char *name, int64_t v)
{
    out_printf(c, "%-14s%lld\n", name, (long long)v);
}

static void print_summary(cli *c, const engine_info *info)
{
    char text[64], size[16], count[16];
    out_printf(c, "%s%s%s\n", out_colour(c, COLOUR_BOLD), *info->name ? info->name : info->path,
               out_colour(c, COLOUR_NONE));
    print_field(c, "file", info->path);
    print_field(c, "architecture", info->arch);
    snprintf(text, sizeof text, "%llu (%s)", (unsigned long long)info->parameters,
             format_count(info->parameters, count));
    print_field(c, "parameters", text);
    snprintf(text, sizeof text, "%llu (%s)", (unsigned long long)info->file_bytes,
             format_bytes(info->file_bytes, size));
    print_field(c, "bytes", text);
    print_field(c, "type", info->file_type);
    print_number(c, "context", info->n_ctx_train);
    print_number(c, "layers", info->n_layer);
    print_number(c, "embedding", info->n_embd);
    print_field(c, "tokenizer", info->tokenizer);
    print_number(c, "vocabulary", info->n_vocab);
    print_field(c, "chat template", info->has_chat_template ? "yes" : "no");
}

// --- the document -------------------------------------------------------------------------------

enum { TYPES_MAX = 64, VALUE_COLUMNS = 72 };
typedef struct type_count { char name[24]; int64_t tensors; uint64_t bytes; } type_count;
typedef struct listing {
    cli *c;
    json_reader *r;
    bool tensors; // print each
    int n_types;
    type_count types[TYPES_MAX];
} listing;

// Cuts a value to one line of the table.
static void print_value(cli *c, str quoted)
{
    size_t n = quoted.n;
    if (n > VALUE_COLUMNS) {
        n = VALUE_COLUMNS;
        n -= utf8_incomplete_tail((str){quoted.p, n});
    }
    out_printf(c, "%.*s%s\n", (int)n, quoted.p, n < quoted.n ? "..." : "");
}

// One value as compact text; containers keep their brackets.
static hearth_status append_value(json_reader *r, json_event ev, buf *out, hearth_err *err)
{
    int depth = 0;
    bool comma = false;
    for (;;) {
        bool is_end = ev == JSON_OBJECT_END || ev == JSON_ARRAY_END;
        if (comma && !is_end) buf_append_str(out, STR(", "));
        comma = true;
        switch (ev) {
        case JSON_OBJECT_BEGIN:
        case JSON_ARRAY_BEGIN:
            buf_append_char(out, ev == JSON_OBJECT_BEGIN ? '{' : '[');
            depth++;
            comma = false;
            break;
        case JSON_OBJECT_END:
        case JSON_ARRAY_END:
            buf_append_char(out, ev == JSON_OBJECT_END ? '}' : ']');
            depth--;
            break;
        case JSON_KEY:
            append_quoted(out, json_text(r));
            buf_append_str(out, STR(": "));
            comma = false;
            break;
        case JSON_STRING: append_quoted(out, json_text(r)); break;
        case JSON_NUMBER: buf_append_str(out, json_text(r)); break;
        case JSON_TRUE: buf_append_str(out, STR("true")); break;
        case JSON_FALSE: buf_append_str(out, STR("false")); break;
        case JSON_NULL: buf_append_str(out, STR("null")); break;
        case JSON_END: return HEARTH_OK;
        }
        if (depth == 0 && ev != JSON_KEY) return HEARTH_OK;
        HEARTH_TRY(json_next(r, &ev, err));
    }
}

static hearth_status print_metadata(listing *l, buf *text, hearth_err *err)
{
    json_event ev;
    cli *c = l->c;
    out_printf(c, "\n%sMetadata%s\n", out_colour(c, COLOUR_BOLD), out_colour(c, COLOUR_NONE));
    HEARTH_TRY(json_next(l->r, &ev, err)); // {
    for (;;) {
        HEARTH_TRY(json_next(l->r, &ev, err));
        if (ev != JSON_KEY) return HEARTH_OK;
        buf_reset(text);
        append_quoted(text, json_text(l->r));
        out_printf(c, "  %-40s ", text->p ? text->p : "");
        buf_reset(text);
        HEARTH_TRY(json_next(l->r, &ev, err));
        HEARTH_TRY(append_value(l->r, ev, text, err));
        print_value(c, buf_str(text));
    }
}

static void count_type(listing *l, str name, uint64_t bytes)
{
    int i = 0;
    while (i < l->n_types && !str_eq_z(name, l->types[i].name)) i++;
    if (i == TYPES_MAX) return;
    if (i == l->n_types) {
        l->n_types++;
        char *to = l->types[i].name;
        snprintf(to, sizeof l->types[i].name, "%.*s", (int)size_min(name.n, 23), name.p);
    }
    l->types[i].tensors++;
    l->types[i].bytes += bytes;
}

typedef struct tensor_line { buf name, type, shape; int64_t bytes; } tensor_line;

static hearth_status read_tensor(listing *l, tensor_line *t, hearth_err *err)
{
    json_event ev;
    buf_reset(&t->name);
    buf_reset(&t->type);
    buf_reset(&t->shape);
    t->bytes = 0;
    for (;;) {
        HEARTH_TRY(json_next(l->r, &ev, err));
        if (ev != JSON_KEY) return HEARTH_OK;
        str key = json_text(l->r);
        buf *to = str_eq_z(key, "name") ? &t->name : str_eq_z(key, "type") ? &t->type
                : str_eq_z(key, "shape") ? &t->shape : NULL;
        bool is_bytes = str_eq_z(key, "bytes");
        if (!to && !is_bytes) {
            HEARTH_TRY(json_skip(l->r, err));
            continue;
        }
        HEARTH_TRY(json_next(l->r, &ev, err));
        if (to) {
            HEARTH_TRY(append_value(l->r, ev, to, err));
        } else if (!json_i64(l->r, &t->bytes)) {
            return err_fail(err, HEARTH_E_INTERNAL, "the engine's description has a bad size");
        }
    }
}

static hearth_status print_tensors(listing *l, hearth_err *err)
{
    json_event ev;
    tensor_line t = {.bytes = 0};
    cli *c = l->c;
    buf_init(&t.name, MEM_MISC, SIZE_MAX);
    buf_init(&t.type, MEM_MISC, SIZE_MAX);
    buf_init(&t.shape, MEM_MISC, SIZE_MAX);
    if (l->tensors) {
        out_printf(c, "\n%sTensors%s\n", out_colour(c, COLOUR_BOLD), out_colour(c, COLOUR_NONE));
    }
    hearth_status st = json_next(l->r, &ev, err); // [
    while (st == HEARTH_OK) {
        st = json_next(l->r, &ev, err);
        if (st != HEARTH_OK || ev != JSON_OBJECT_BEGIN) break;
        st = read_tensor(l, &t, err);
        count_type(l, buf_str(&t.type), (uint64_t)i64_max(t.bytes, 0));
        if (st != HEARTH_OK || !l->tensors) continue;
        out_printf(c, "  %-44s %-6s %-20s %12lld\n", buf_str(&t.name).p, buf_str(&t.type).p,
                   buf_str(&t.shape).p, (long long)t.bytes);
    }
    buf_release(&t.name);
    buf_release(&t.type);
    buf_release(&t.shape);
    return st;
}

static void print_types(const listing *l)
{
    cli *c = l->c;
    char size[16];
    out_printf(c, "\n%sTensor types%s\n", out_colour(c, COLOUR_BOLD), out_colour(c, COLOUR_NONE));
    for (int i = 0; i < l->n_types; i++) {
        const type_count *t = &l->types[i];
        out_printf(c, "  %-8s %6lld tensors  %10s\n", t->name, (long long)t->tensors,
                   format_bytes(t->bytes, size));
    }
}

static hearth_status print_document(listing *l, buf *text, hearth_err *err)
{
    json_event ev;
    HEARTH_TRY(json_next(l->r, &ev, err)); // {
    for (;;) {
        HEARTH_TRY(json_next(l->r, &ev, err));
        if (ev != JSON_KEY) break;
        if (str_eq_z(json_text(l->r), "metadata")) {
            HEARTH_TRY(print_metadata(l, text, err));
        } else if (str_eq_z(json_text(l->r), "tensors")) {
            HEARTH_TRY(print_tensors(l, err));
        } else {
            HEARTH_TRY(json_skip(l->r, err));
        }
    }
    print_types(l);
    return HEARTH_OK;
}

static hearth_status print_readable(cli *c, const engine_info *info, bool tensors, str json,
                                    hearth_err *err)
{
    listing l = {.c = c, .tensors = tensors};
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    hearth_status st = json_open_memory(json.p, json.n, SIZE_MAX, &l.r, err);
    if (st == HEARTH_OK) {
        print_summary(c, info);
        st = print_document(&l, &text, err);
    }
    json_close(l.r);
    buf_release(&text);
    return st;
}

hearth_status cmd_show(cli *c, void *args, hearth_err *err)
{
    const show_args *a = args;
    engine_options o;
    engine *e = NULL;
    buf json;
    buf_init(&json, MEM_MISC, SIZE_MAX);
    fill_metadata_options(a->in_process, &o);
    hearth_status st = open_engine(a->common.words[0], &o, &e, NULL, err);
    if (st == HEARTH_OK) st = engine_describe(e, &json, err);
    if (st == HEARTH_OK && a->common.json) {
        out_bytes(c, buf_str(&json));
        out_bytes(c, STR("\n"));
    } else if (st == HEARTH_OK) {
        st = print_readable(c, engine_get_info(e), a->tensors, buf_str(&json), err);
    }
    engine_close(e);
    buf_release(&json);
    return st;
}
