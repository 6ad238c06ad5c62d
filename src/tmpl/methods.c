// Methods of lists, dictionaries and loops, and which names an object has.
//
// Those that would change a value exist only as names that hide a dict's keys behind a dot, as in
// the sandbox of the reference: calling one is an error.
#include "tmpl/tmpl_int.h"

static hearth_status make_view(interp *in, const char *name, list l, value *out)
{
    view *v = arena_new(&in->mem, view, 1);
    if (!v) return fail_memory(in);
    *v = (view){name, l};
    *out = (value){.kind = V_VIEW, .u.view = v};
    return HEARTH_OK;
}

static hearth_status dict_items(interp *in, call *c, value *out)
{
    const dict *d = c->self.u.d;
    list l = {0};
    for (size_t i = 0; i < d->n; i++) {
        value two;
        HEARTH_TRY(make_pair(in, d->k[i], d->v[i], &two));
        HEARTH_TRY(list_add(in, &l, two));
    }
    return make_view(in, "dict_items", l, out);
}

static hearth_status dict_keys(interp *in, call *c, value *out)
{
    return make_view(in, "dict_keys", (list){c->self.u.d->k, c->self.u.d->n, 0}, out);
}

static hearth_status dict_values(interp *in, call *c, value *out)
{
    return make_view(in, "dict_values", (list){c->self.u.d->v, c->self.u.d->n, 0}, out);
}

static hearth_status dict_get(interp *in, call *c, value *out)
{
    size_t at;
    HEARTH_TRY(dict_find(in, c->self.u.d, c->arg[0], &at));
    if (at != SIZE_MAX) *out = c->self.u.d->v[at];
    else *out = arg_given(c, 1) ? c->arg[1] : val_none();
    return HEARTH_OK;
}

static hearth_status copy_self(interp *in, call *c, value *out)
{
    *out = c->self; // nothing can change it
    return charge(in, 1);
}

static hearth_status list_count(interp *in, call *c, value *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < c->self.u.l->n; i++) {
        bool same;
        HEARTH_TRY(val_equal(in, c->self.u.l->v[i], c->arg[0], &same));
        n += same;
    }
    *out = val_int(n, true);
    return HEARTH_OK;
}

static hearth_status list_index(interp *in, call *c, value *out)
{
    for (size_t i = 0; i < c->self.u.l->n; i++) {
        bool same;
        HEARTH_TRY(val_equal(in, c->self.u.l->v[i], c->arg[0], &same));
        *out = val_int((int64_t)i, true);
        if (same) return HEARTH_OK;
    }
    return fail(in, "index: the value is not in the list");
}

static hearth_status loop_cycle(interp *in, call *c, value *out)
{
    if (c->n_pos == 0) return fail(in, "cycle: no values to choose from");
    *out = c->pos[c->self.u.loop->at % c->n_pos];
    return HEARTH_OK;
}

static hearth_status loop_changed(interp *in, call *c, value *out)
{
    loop *l = c->self.u.loop;
    list args = {c->pos, c->n_pos, c->n_pos};
    value now;
    bool same = false;
    HEARTH_TRY(make_list(in, V_TUPLE, args, &now));
    if (l->has_changed) HEARTH_TRY(val_equal(in, now, l->changed, &same));
    l->has_changed = true;
    l->changed = now;
    *out = val_bool(!same);
    return HEARTH_OK;
}

static const function dict_methods[] = {
    {"items", "", dict_items}, {"keys", "", dict_keys}, {"values", "", dict_values},
    {"get", "!key default", dict_get}, {"copy", "", copy_self}, {NULL, NULL, NULL}};
static const function list_methods[] = {
    {"count", "!value", list_count}, {"index", "!value", list_index}, {"copy", "", copy_self},
    {NULL, NULL, NULL}};
static const function loop_methods[] = {
    {"cycle", NULL, loop_cycle}, {"changed", NULL, loop_changed}, {NULL, NULL, NULL}};

static bool is_word_of(str name, const char *words)
{
    str rest = str_from(words);
    while (rest.n > 0) {
        if (str_eq(str_cut(&rest, ' '), name)) return true;
    }
    return false;
}

const function *find_method(value of, str name, bool *is_unsafe)
{
    switch (of.kind) {
    case V_STRING: return find_in(string_methods, name);
    case V_DICT:
        *is_unsafe = is_word_of(name, "clear pop popitem setdefault update fromkeys");
        return find_in(dict_methods, name);
    case V_LIST:
        *is_unsafe = is_word_of(name, "append clear extend insert pop remove reverse sort");
        return find_in(list_methods, name);
    case V_TUPLE: return is_word_of(name, "copy") ? NULL : find_in(list_methods, name);
    case V_LOOP: return find_in(loop_methods, name);
    default: return NULL;
    }
}
