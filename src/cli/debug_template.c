// `hearth debug template`: what a chat template makes of messages.
//
// The template comes from a Jinja file or from a model's metadata (read by the engine, as `show`
// does). The key "date" ("2024-07-26", perhaps with "T10:30:00") is the clock of strftime_now(),
// and today is the default; every other key is a variable. The text goes to stdout to the byte.
#include <string.h>

#include "cli/args.h"
#include "base/date.h"
#include "tmpl/tmpl.h"

#define TEMPLATE_KEY "tokenizer.chat_template"

// --- the template -------------------------------------------------------------------------------

// The text of one key in the object that comes next.
static hearth_status find_text(json_reader *r, const char *key, buf *out, hearth_err *err)
{
    json_event ev;
    HEARTH_TRY(json_next(r, &ev, err)); // {
    for (;;) {
        HEARTH_TRY(json_next(r, &ev, err));
        if (ev != JSON_KEY) return HEARTH_OK;
        bool found = str_eq_z(json_text(r), key);
        HEARTH_TRY(json_next(r, &ev, err));
        if (found && ev == JSON_STRING) buf_append_str(out, json_text(r));
        HEARTH_TRY(json_skip(r, err));
    }
}

static hearth_status find_template(json_reader *r, buf *out, hearth_err *err)
{
    json_event ev;
    HEARTH_TRY(json_next(r, &ev, err)); // {
    for (;;) {
        HEARTH_TRY(json_next(r, &ev, err));
        if (ev != JSON_KEY) return HEARTH_OK;
        if (str_eq_z(json_text(r), "metadata")) return find_text(r, TEMPLATE_KEY, out, err);
        HEARTH_TRY(json_skip(r, err));
    }
}

static hearth_status read_model_template(const char *path, buf *out, hearth_err *err)
{
    engine_options o;
    engine *e = NULL;
    json_reader *r = NULL;
    buf json;
    buf_init(&json, MEM_MISC, SIZE_MAX);
    fill_metadata_options(false, &o);
    hearth_status st = open_engine(path, &o, &e, NULL, err);
    if (st == HEARTH_OK) st = engine_describe(e, &json, err);
    if (st == HEARTH_OK) st = json_open_memory(json.p, json.n, SIZE_MAX, &r, err);
    if (st == HEARTH_OK) st = find_template(r, out, err);
    if (st == HEARTH_OK && out->n == 0) {
        st = err_fail(err, HEARTH_E_NOTFOUND, "%s: has no " TEMPLATE_KEY, path);
    }
    json_close(r);
    engine_close(e);
    buf_release(&json);
    return st;
}

static hearth_status read_template(const char *path, buf *out, hearth_err *err)
{
    str s = str_from(path);
    if (!str_ends(s, STR(".jinja")) && !str_ends(s, STR(".jinja2")) && !str_ends(s, STR(".txt"))) {
        return read_model_template(path, out, err);
    }
    return read_file(path, out, err);
}

// --- the date -----------------------------------------------------------------------------------

static hearth_status choose_date(str json, tmpl_time *out, hearth_err *err)
{
    json_reader *r = NULL;
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    *out = date_now();
    hearth_status st = json_open_memory(json.p, json.n, SIZE_MAX, &r, err);
    if (st == HEARTH_OK) st = find_text(r, "date", &text, err);
    if (st == HEARTH_OK && text.n > 0 && !date_read(buf_str(&text), out)) {
        st = err_fail(err, HEARTH_E_FORMAT, "date '%.*s': expected YYYY-MM-DD[THH:MM:SS]",
                      STR_ARG(buf_str(&text)));
    }
    json_close(r);
    buf_release(&text);
    return st;
}

// --- the result ---------------------------------------------------------------------------------

static void print_runs(cli *c, const tmpl_output *o)
{
    json_writer w;
    size_t at = 0;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    put_text(&w, "text", buf_str(&o->text));
    json_write_key(&w, "runs");
    json_write_array(&w);
    for (size_t i = 0; i < o->n_runs; i++) {
        json_write_object(&w);
        put_text(&w, "from", o->runs[i].is_user ? STR("user") : STR("template"));
        put_text(&w, "text", (str){o->text.p + at, o->runs[i].n});
        json_write_object_end(&w);
        at += o->runs[i].n;
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

static hearth_status render_template(cli *c, const template_args *a, str source, str json,
                                     hearth_err *err)
{
    tmpl *t = NULL;
    tmpl_inputs *in = NULL;
    tmpl_output out = {0};
    tmpl_options o = {0};
    hearth_status st = tmpl_parse(source, &t, err);
    err_prefix(err, "%s: ", a->common.words[0]);
    if (st == HEARTH_OK) st = tmpl_inputs_open(&in, err);
    if (st == HEARTH_OK) {
        st = tmpl_inputs_read_json(in, json, err);
        if (st == HEARTH_OK) st = choose_date(json, &o.now, err);
        err_prefix(err, "%s: ", a->messages ? a->messages : "stdin");
    }
    if (st == HEARTH_OK) {
        st = tmpl_render(t, in, &o, &out, err);
        err_prefix(err, "%s: ", a->common.words[0]);
    }
    if (st == HEARTH_OK && a->common.json) print_runs(c, &out);
    else if (st == HEARTH_OK) out_bytes(c, buf_str(&out.text));
    tmpl_output_release(&out);
    tmpl_inputs_free(in);
    tmpl_free(t);
    return st;
}

hearth_status cmd_debug_template(cli *c, void *args, hearth_err *err)
{
    const template_args *a = args;
    buf source, json;
    buf_init(&source, MEM_MISC, LIMIT_GGUF_STRING);
    buf_init(&json, MEM_MISC, LIMIT_STDIN);
    hearth_status st = read_template(a->common.words[0], &source, err);
    if (st == HEARTH_OK) {
        st = a->messages ? read_file(a->messages, &json, err) : read_stdin(&json, err);
    }
    if (st == HEARTH_OK) st = render_template(c, a, buf_str(&source), buf_str(&json), err);
    buf_release(&source);
    buf_release(&json);
    return st;
}
