// Variables of a rendering, from JSON.
//
// All strings and numbers are a user's, with two exceptions: top-level strings named NAME_token
// (they come from the model), and the role of a message if it is one of those that models know,
// since templates spell control tokens with it.
#include <string.h>

#include "base/json.h"
#include "tmpl/tmpl_int.h"

static hearth_status set_variable(tmpl_inputs *in, str name, value v)
{
    char *copy = arena_copy_string(&in->in.mem, name.p, name.n);
    if (!copy) return fail_memory(&in->in);
    return dict_set(&in->in, in->vars, val_text((str){copy, name.n}, false), v);
}

static hearth_status set_defaults(tmpl_inputs *in)
{
    value empty;
    HEARTH_TRY(make_list(&in->in, V_LIST, (list){0}, &empty));
    HEARTH_TRY(set_variable(in, STR("messages"), empty));
    HEARTH_TRY(set_variable(in, STR("tools"), val_none()));
    HEARTH_TRY(set_variable(in, STR("documents"), val_none()));
    return set_variable(in, STR("add_generation_prompt"), val_bool(false));
}

hearth_status tmpl_inputs_open(tmpl_inputs **out, hearth_err *err)
{
    *out = NULL;
    tmpl_inputs *in = mem_alloc_zero(MEM_MISC, 1, sizeof *in);
    if (!in) return err_fail(err, HEARTH_E_NOMEM, "out of memory for the inputs of a template");
    arena_init(&in->in.mem, MEM_MISC, LIMIT_TMPL_MEMORY);
    in->in.steps = LIMIT_TMPL_STEPS;
    in->in.err = err;
    hearth_status st = dict_new(&in->in, &in->vars);
    if (st == HEARTH_OK) st = set_defaults(in);
    in->in.err = NULL;
    if (st == HEARTH_OK) *out = in;
    else tmpl_inputs_free(in);
    return st;
}

void tmpl_inputs_free(tmpl_inputs *in)
{
    if (!in) return;
    arena_release(&in->in.mem);
    mem_free(in);
}

hearth_status tmpl_inputs_set_text(tmpl_inputs *in, const char *name, str text, bool is_user,
                                   hearth_err *err)
{
    for (size_t i = 0; i < text.n;) {
        uint32_t cp;
        i += utf8_decode(text.p + i, text.n - i, &cp);
        if (cp == UTF8_BAD) return err_fail(err, HEARTH_E_ARG, "'%s' is not UTF-8", name);
    }
    in->in.err = err;
    char *copy = arena_copy_string(&in->in.mem, text.p, text.n);
    if (!copy) return fail_memory(&in->in);
    return set_variable(in, str_from(name), val_text((str){copy, text.n}, is_user));
}

hearth_status tmpl_inputs_set_bool(tmpl_inputs *in, const char *name, bool v, hearth_err *err)
{
    in->in.err = err;
    return set_variable(in, str_from(name), val_bool(v));
}

// --- JSON ---------------------------------------------------------------------------------------

typedef struct json_input { tmpl_inputs *to; json_reader *r; hearth_err *err; } json_input;

static hearth_status read_value(json_input *j, json_event event, value *out);

static hearth_status copy_text(json_input *j, value *out)
{
    str s = json_text(j->r);
    char *copy = arena_copy_string(&j->to->in.mem, s.p, s.n);
    if (!copy) return fail_memory(&j->to->in);
    *out = val_text((str){copy, s.n}, true);
    return HEARTH_OK;
}

static hearth_status read_array(json_input *j, value *out)
{
    list l = {0};
    for (;;) {
        json_event event;
        value v;
        HEARTH_TRY(json_next(j->r, &event, j->err));
        if (event == JSON_ARRAY_END) return make_list(&j->to->in, V_LIST, l, out);
        HEARTH_TRY(read_value(j, event, &v));
        HEARTH_TRY(list_add(&j->to->in, &l, v));
    }
}

static hearth_status read_object(json_input *j, value *out)
{
    dict *d;
    HEARTH_TRY(dict_new(&j->to->in, &d));
    for (;;) {
        json_event event;
        value k, v;
        HEARTH_TRY(json_next(j->r, &event, j->err));
        if (event == JSON_OBJECT_END) break;
        HEARTH_TRY(copy_text(j, &k));
        HEARTH_TRY(json_next(j->r, &event, j->err));
        HEARTH_TRY(read_value(j, event, &v));
        HEARTH_TRY(dict_set(&j->to->in, d, k, v));
    }
    *out = (value){.kind = V_DICT, .u.d = d};
    return HEARTH_OK;
}

static hearth_status read_number(json_input *j, value *out)
{
    str s = json_text(j->r);
    int64_t i;
    double f;
    bool whole = !memchr(s.p, '.', s.n) && !memchr(s.p, 'e', s.n) && !memchr(s.p, 'E', s.n);
    if (whole && json_i64(j->r, &i)) *out = val_int(i, true);
    else if (!whole && json_f64(j->r, &f)) *out = val_float(f, true);
    else return err_fail(j->err, HEARTH_E_LIMIT, "number %.*s is out of range", STR_ARG(s));
    return HEARTH_OK;
}

static hearth_status read_value(json_input *j, json_event event, value *out)
{
    switch (event) {
    case JSON_OBJECT_BEGIN: return read_object(j, out);
    case JSON_ARRAY_BEGIN: return read_array(j, out);
    case JSON_STRING: return copy_text(j, out);
    case JSON_NUMBER: return read_number(j, out);
    case JSON_TRUE: case JSON_FALSE: *out = val_bool(event == JSON_TRUE); return HEARTH_OK;
    default: *out = val_none(); return HEARTH_OK;
    }
}

static bool is_known_role(str s)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool", "developer",
                                        "ipython", "function", "model", "tool_results"};
    for (size_t i = 0; i < COUNTOF(roles); i++) {
        if (str_eq_z(s, roles[i])) return true;
    }
    return false;
}

// Known roles count as the template's.
static void release_roles(value messages)
{
    if (messages.kind != V_LIST) return;
    for (size_t i = 0; i < messages.u.l->n; i++) {
        value m = messages.u.l->v[i];
        size_t at = m.kind == V_DICT ? dict_find_text(m.u.d, STR("role")) : SIZE_MAX;
        if (at == SIZE_MAX || m.u.d->v[at].kind != V_STRING) continue;
        if (is_known_role(val_str(m.u.d->v[at]))) m.u.d->v[at].user = false;
    }
}

// What a message reasons is passed under three names; like transformers, templates get it under the
// first two, whichever the caller used.
static hearth_status alias_reasoning(interp *in, dict *m)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    value v = val_none();
    for (size_t i = 0; i < COUNTOF(names) && v.kind == V_NONE; i++) {
        size_t at = dict_find_text(m, str_from(names[i]));
        if (at != SIZE_MAX) v = m->v[at];
    }
    if (v.kind == V_NONE) return HEARTH_OK;
    dict *d;
    HEARTH_TRY(dict_new(in, &d));
    HEARTH_TRY(dict_set(in, d, val_text(STR("thinking"), false), v));
    for (size_t i = 0; i < m->n; i++) HEARTH_TRY(dict_set(in, d, m->k[i], m->v[i]));
    HEARTH_TRY(dict_set(in, d, val_text(STR("reasoning_content"), false), v));
    *m = *d;
    return HEARTH_OK;
}

static hearth_status prepare_messages(interp *in, value messages)
{
    release_roles(messages);
    for (size_t i = 0; messages.kind == V_LIST && i < messages.u.l->n; i++) {
        value m = messages.u.l->v[i];
        if (m.kind == V_DICT) HEARTH_TRY(alias_reasoning(in, m.u.d));
    }
    return HEARTH_OK;
}

static hearth_status read_variables(json_input *j)
{
    json_event event;
    value all;
    HEARTH_TRY(json_next(j->r, &event, j->err));
    if (event != JSON_OBJECT_BEGIN) {
        return err_fail(j->err, HEARTH_E_FORMAT, "expected a JSON object of variables");
    }
    HEARTH_TRY(read_object(j, &all));
    HEARTH_TRY(json_next(j->r, &event, j->err)); // the end, or what follows it is an error
    for (size_t i = 0; i < all.u.d->n; i++) {
        str name = val_str(all.u.d->k[i]);
        value v = all.u.d->v[i];
        if (v.kind == V_STRING && str_ends(name, STR("_token"))) v.user = false;
        if (str_eq_z(name, "messages")) HEARTH_TRY(prepare_messages(&j->to->in, v));
        HEARTH_TRY(set_variable(j->to, name, v));
    }
    return HEARTH_OK;
}

hearth_status tmpl_inputs_read_json(tmpl_inputs *in, str json, hearth_err *err)
{
    json_input j = {in, NULL, err};
    in->in.err = err;
    in->in.steps = LIMIT_TMPL_STEPS;
    HEARTH_TRY(json_open_memory(json.p, json.n, size_max(json.n, 1), &j.r, err));
    hearth_status st = read_variables(&j);
    json_close(j.r);
    return st;
}
