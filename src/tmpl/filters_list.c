// Filters over lists and dictionaries.
#include <string.h>

#include "tmpl/tmpl_int.h"

// --- attributes ---------------------------------------------------------------------------------

static hearth_status attr_step(interp *in, value of, str part, value *out)
{
    int64_t i;
    bool is_number = part.n > 0 && part.p[0] >= '0' && part.p[0] <= '9' && str_parse_i64(part, &i);
    return get_item(in, of, is_number ? val_int(i, false) : val_text(part, false), out);
}

// "a.b.0" of a value; an integer is an index; none is the value itself. Every step that finds
// nothing gives `def`, if there is one.
static hearth_status follow_or(interp *in, value of, value path, value def, value *out)
{
    bool has_default = def.kind != V_ABSENT && def.kind != V_NONE;
    *out = of;
    if (path.kind == V_ABSENT || path.kind == V_NONE) return HEARTH_OK;
    if (path.kind != V_STRING && path.kind != V_INT) {
        return fail(in, "an attribute is of type %s", val_type(path));
    }
    str rest = path.kind == V_STRING ? val_str(path) : STR("");
    do {
        if (path.kind == V_INT) HEARTH_TRY(get_item(in, *out, path, out));
        else HEARTH_TRY(attr_step(in, *out, str_cut(&rest, '.'), out));
        if (out->kind == V_UNDEFINED && has_default) *out = def;
    } while (rest.n > 0);
    return HEARTH_OK;
}

static hearth_status follow(interp *in, value of, value path, value *out)
{
    return follow_or(in, of, path, (value){.kind = V_ABSENT}, out);
}

// What a value is sorted and compared by: the attribute, letters small unless case matters.
static hearth_status sort_key(interp *in, value v, value path, bool keeps_case, value *out)
{
    HEARTH_TRY(follow(in, v, path, out));
    if (keeps_case || out->kind != V_STRING) return HEARTH_OK;
    builder b = build(in);
    HEARTH_TRY(text_change_case(&b, *out, 0, out->u.s.n, CASE_LOWER));
    *out = build_done(&b);
    return HEARTH_OK;
}

// --- sorting ------------------------------------------------------------------------------------

typedef struct keyed { value key, v; } keyed;

// Merges the sorted halves [0, half) and [half, n) of a through b.
static hearth_status merge(interp *in, keyed *a, keyed *b, size_t half, size_t n, bool reverse)
{
    size_t i = 0, j = half;
    for (size_t k = 0; k < n; k++) {
        int order = 0;
        if (i < half && j < n) HEARTH_TRY(val_order(in, a[i].key, a[j].key, &order));
        bool left = j == n || (i < half && (reverse ? order >= 0 : order <= 0));
        b[k] = left ? a[i++] : a[j++];
    }
    memcpy(a, b, n * sizeof *a);
    return HEARTH_OK;
}

// Stable, also when reversed.
static hearth_status sort_keyed(interp *in, keyed *a, keyed *b, size_t n, bool reverse)
{
    if (n < 2) return HEARTH_OK;
    HEARTH_TRY(sort_keyed(in, a, b, n / 2, reverse));
    HEARTH_TRY(sort_keyed(in, a + n / 2, b, n - n / 2, reverse));
    return merge(in, a, b, n / 2, n, reverse);
}

static hearth_status sort_items(interp *in, list items, value path, bool keeps_case, bool reverse,
                                list *out)
{
    keyed *a = arena_new(&in->mem, keyed, items.n), *b = arena_new(&in->mem, keyed, items.n);
    if (!a || !b) return fail_memory(in);
    for (size_t i = 0; i < items.n; i++) {
        a[i].v = items.v[i];
        HEARTH_TRY(sort_key(in, items.v[i], path, keeps_case, &a[i].key));
    }
    HEARTH_TRY(sort_keyed(in, a, b, items.n, reverse));
    *out = (list){0};
    for (size_t i = 0; i < items.n; i++) HEARTH_TRY(list_add(in, out, a[i].v));
    return HEARTH_OK;
}

static hearth_status filter_sort(interp *in, call *c, value *out)
{
    list items;
    HEARTH_TRY(val_items(in, c->self, &items));
    HEARTH_TRY(sort_items(in, items, c->arg[2], arg_truth(c, 1, false), arg_truth(c, 0, false),
                          &items));
    return make_list(in, V_LIST, items, out);
}

static hearth_status dict_pairs(interp *in, value v, list *out)
{
    *out = (list){0};
    if (v.kind == V_UNDEFINED) return HEARTH_OK;
    if (v.kind != V_DICT) return fail(in, "a value of type %s has no key-value pairs", val_type(v));
    for (size_t i = 0; i < v.u.d->n; i++) {
        value two;
        HEARTH_TRY(make_pair(in, v.u.d->k[i], v.u.d->v[i], &two));
        HEARTH_TRY(list_add(in, out, two));
    }
    return HEARTH_OK;
}

static hearth_status filter_dictsort(interp *in, call *c, value *out)
{
    list items;
    bool by_value = c->arg[1].kind == V_STRING && str_eq_z(val_str(c->arg[1]), "value");
    if (c->self.kind != V_DICT) return fail(in, "dictsort: a value of type %s", val_type(c->self));
    HEARTH_TRY(dict_pairs(in, c->self, &items));
    HEARTH_TRY(sort_items(in, items, val_int(by_value, false), arg_truth(c, 0, false),
                          arg_truth(c, 2, false), &items));
    return make_list(in, V_LIST, items, out);
}

static hearth_status filter_unique(interp *in, call *c, value *out)
{
    list items, keys = {0}, l = {0};
    HEARTH_TRY(val_items(in, c->self, &items));
    for (size_t i = 0; i < items.n; i++) {
        value key;
        bool seen = false;
        HEARTH_TRY(sort_key(in, items.v[i], c->arg[1], arg_truth(c, 0, false), &key));
        if (key.kind == V_LIST || key.kind == V_DICT) {
            return fail(in, "unique: values of type %s", val_type(key));
        }
        for (size_t j = 0; j < keys.n && !seen; j++) {
            HEARTH_TRY(val_equal(in, keys.v[j], key, &seen));
        }
        if (seen) continue;
        HEARTH_TRY(list_add(in, &keys, key));
        HEARTH_TRY(list_add(in, &l, items.v[i]));
    }
    return make_iter(in, l, out);
}

static hearth_status find_extreme(interp *in, call *c, int sign, value *out)
{
    list items;
    value best = val_none(), key;
    HEARTH_TRY(val_items(in, c->self, &items));
    *out = val_undefined(STR("an item of an empty list"));
    for (size_t i = 0; i < items.n; i++) {
        int order = sign;
        HEARTH_TRY(sort_key(in, items.v[i], c->arg[1], arg_truth(c, 0, false), &key));
        if (i > 0) HEARTH_TRY(val_order(in, key, best, &order));
        if (i > 0 && order * sign <= 0) continue;
        best = key;
        *out = items.v[i];
    }
    return HEARTH_OK;
}

static hearth_status filter_min(interp *in, call *c, value *out)
{
    return find_extreme(in, c, -1, out);
}

static hearth_status filter_max(interp *in, call *c, value *out)
{
    return find_extreme(in, c, 1, out);
}

static hearth_status add_group(interp *in, value key, list group, list *out)
{
    value l, two;
    HEARTH_TRY(make_list(in, V_LIST, group, &l));
    HEARTH_TRY(make_pair(in, key, l, &two));
    return list_add(in, out, two);
}

static hearth_status filter_groupby(interp *in, call *c, value *out)
{
    list items, l = {0}, group = {0};
    bool keeps_case = arg_truth(c, 2, false);
    value first = val_none(), key, last = val_none();
    HEARTH_TRY(val_items(in, c->self, &items));
    HEARTH_TRY(sort_items(in, items, c->arg[0], keeps_case, false, &items));
    for (size_t i = 0; i < items.n; i++) {
        bool same = false;
        HEARTH_TRY(sort_key(in, items.v[i], c->arg[0], keeps_case, &key));
        if (i > 0) HEARTH_TRY(val_equal(in, key, last, &same));
        if (!same && i > 0) HEARTH_TRY(add_group(in, first, group, &l));
        if (!same) {
            HEARTH_TRY(follow_or(in, items.v[i], c->arg[0], c->arg[1], &first));
            group = (list){0};
        }
        last = key;
        HEARTH_TRY(list_add(in, &group, items.v[i]));
    }
    if (items.n > 0) HEARTH_TRY(add_group(in, first, group, &l));
    return make_list(in, V_LIST, l, out);
}

// --- choosing and mapping -----------------------------------------------------------------------

// The arguments of a filter or test whose name is argument number `skip` - 1 of c.
static call inner_call(const call *c, size_t skip, value self)
{
    call inner = *c;
    inner.self = self;
    inner.pos = c->pos + skip;
    inner.n_pos = c->n_pos - skip;
    return inner;
}

// Does the test named by c->pos[skip - 1] hold? Without a name: is it true?
static hearth_status test_item(interp *in, const call *c, size_t skip, value v, bool *out)
{
    *out = val_truth(v);
    if (c->n_pos < skip) return charge(in, 1);
    if (c->pos[skip - 1].kind != V_STRING) return fail(in, "the name of a test is no string");
    call inner = inner_call(c, skip, v);
    return run_test(in, val_str(c->pos[skip - 1]), &inner, out);
}

static hearth_status choose(interp *in, call *c, bool by_attr, bool wanted, value *out)
{
    list items, l = {0};
    if (!val_truth(c->self)) return make_iter(in, l, out); // none is no items here, as in Jinja2
    if (by_attr && c->n_pos == 0) return fail(in, "%s: the attribute is missing", c->name);
    HEARTH_TRY(val_items(in, c->self, &items));
    for (size_t i = 0; i < items.n; i++) {
        value v = items.v[i];
        bool holds;
        if (by_attr) HEARTH_TRY(follow(in, items.v[i], c->pos[0], &v));
        HEARTH_TRY(test_item(in, c, by_attr ? 2 : 1, v, &holds));
        if (holds == wanted) HEARTH_TRY(list_add(in, &l, items.v[i]));
    }
    return make_iter(in, l, out);
}

static hearth_status filter_select(interp *in, call *c, value *out)
{
    return choose(in, c, false, true, out);
}

static hearth_status filter_reject(interp *in, call *c, value *out)
{
    return choose(in, c, false, false, out);
}

static hearth_status filter_selectattr(interp *in, call *c, value *out)
{
    return choose(in, c, true, true, out);
}

static hearth_status filter_rejectattr(interp *in, call *c, value *out)
{
    return choose(in, c, true, false, out);
}

static value keyword(const call *c, const char *name)
{
    for (size_t i = 0; i < c->n_kw; i++) {
        if (str_eq_z(c->key[i], name)) return c->kw[i];
    }
    return (value){.kind = V_ABSENT};
}

static hearth_status filter_map(interp *in, call *c, value *out)
{
    list items, l = {0};
    value path = keyword(c, "attribute"), def = keyword(c, "default");
    const function *f = NULL;
    if (!val_truth(c->self)) return make_iter(in, l, out);
    if (c->n_pos > 0) {
        if (c->pos[0].kind != V_STRING) return fail(in, "map: the filter's name is no string");
        f = find_filter(val_str(c->pos[0]));
        if (!f) return fail(in, "unknown filter '%.*s'", STR_ARG(val_str(c->pos[0])));
    } else if (path.kind == V_ABSENT) {
        return fail(in, "map: expected a filter or attribute=");
    }
    HEARTH_TRY(val_items(in, c->self, &items));
    for (size_t i = 0; i < items.n; i++) {
        value v;
        if (f) {
            call inner = inner_call(c, 1, items.v[i]);
            HEARTH_TRY(run_function(in, f, &inner, &v));
        } else {
            HEARTH_TRY(follow_or(in, items.v[i], path, def, &v));
        }
        HEARTH_TRY(list_add(in, &l, v));
    }
    return make_iter(in, l, out);
}

static hearth_status filter_attr(interp *in, call *c, value *out)
{
    str name;
    HEARTH_TRY(arg_text(in, c, 0, &name));
    *out = val_undefined(name); // keys of a dict are no attributes
    return c->self.kind == V_DICT ? HEARTH_OK : get_attr(in, c->self, name, out);
}

// --- parts and wholes ---------------------------------------------------------------------------

static hearth_status filter_first(interp *in, call *c, value *out)
{
    list items;
    iter *it = c->self.kind == V_ITER ? c->self.u.it : NULL;
    size_t at = it ? it->at : 0;
    HEARTH_TRY(val_items(in, c->self, &items));
    if (it) it->at = at + (items.n > 0); // one was read
    *out = items.n > 0 ? items.v[0] : val_undefined(STR("the first item of an empty list"));
    return HEARTH_OK;
}

static hearth_status filter_last(interp *in, call *c, value *out)
{
    list items;
    if (c->self.kind == V_ITER) return fail(in, "last: a generator cannot be reversed");
    HEARTH_TRY(val_items(in, c->self, &items));
    *out = val_undefined(STR("the last item of an empty list"));
    if (items.n > 0) *out = items.v[items.n - 1];
    return HEARTH_OK;
}

static hearth_status filter_list(interp *in, call *c, value *out)
{
    list items;
    HEARTH_TRY(val_items(in, c->self, &items));
    return make_list(in, V_LIST, items, out);
}

static hearth_status filter_items(interp *in, call *c, value *out)
{
    list items;
    HEARTH_TRY(dict_pairs(in, c->self, &items));
    return make_iter(in, items, out);
}

static hearth_status filter_join(interp *in, call *c, value *out)
{
    list items;
    value between = val_text(STR(""), false), v;
    builder b = build(in);
    if (arg_given(c, 0)) HEARTH_TRY(to_text(in, c->arg[0], &between));
    HEARTH_TRY(val_items(in, c->self, &items));
    for (size_t i = 0; i < items.n; i++) {
        if (i > 0) HEARTH_TRY(build_slice(&b, between, 0, between.u.s.n));
        HEARTH_TRY(follow(in, items.v[i], c->arg[1], &v));
        HEARTH_TRY(build_value(&b, v));
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status filter_reverse(interp *in, call *c, value *out)
{
    list items, l = {0};
    builder b = build(in);
    HEARTH_TRY(val_items(in, c->self, &items));
    for (size_t i = items.n; i-- > 0;) {
        if (c->self.kind != V_STRING) HEARTH_TRY(list_add(in, &l, items.v[i]));
        else HEARTH_TRY(build_slice(&b, items.v[i], 0, items.v[i].u.s.n));
    }
    if (c->self.kind != V_STRING) return make_iter(in, l, out);
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status filter_sum(interp *in, call *c, value *out)
{
    list items;
    HEARTH_TRY(val_items(in, c->self, &items));
    *out = arg_given(c, 1) ? c->arg[1] : val_int(0, false);
    for (size_t i = 0; i < items.n; i++) {
        value v;
        HEARTH_TRY(follow(in, items.v[i], c->arg[0], &v));
        HEARTH_TRY(apply_operator(in, TK_ADD, *out, v, out));
    }
    return HEARTH_OK;
}

static hearth_status filter_batch(interp *in, call *c, value *out)
{
    list items, l = {0}, row = {0};
    int64_t n;
    value v;
    HEARTH_TRY(arg_int(in, c, 0, 0, &n));
    if (n < 1) return fail(in, "batch: %lld items in a row", (long long)n);
    HEARTH_TRY(val_items(in, c->self, &items));
    for (size_t i = 0; i < items.n; i++) {
        if (row.n == (size_t)n) {
            HEARTH_TRY(make_list(in, V_LIST, row, &v));
            HEARTH_TRY(list_add(in, &l, v));
            row = (list){0};
        }
        HEARTH_TRY(list_add(in, &row, items.v[i]));
    }
    bool fills = arg_given(c, 1) && c->arg[1].kind != V_NONE;
    while (row.n > 0 && fills && row.n < (size_t)n) HEARTH_TRY(list_add(in, &row, c->arg[1]));
    if (row.n > 0) {
        HEARTH_TRY(make_list(in, V_LIST, row, &v));
        HEARTH_TRY(list_add(in, &l, v));
    }
    return make_iter(in, l, out);
}

const function list_filters[] = {
    {"join", "d attribute", filter_join},
    {"first", "", filter_first},
    {"last", "", filter_last},
    {"list", "", filter_list},
    {"items", "", filter_items},
    {"map", NULL, filter_map},
    {"select", NULL, filter_select},
    {"reject", NULL, filter_reject},
    {"selectattr", NULL, filter_selectattr},
    {"rejectattr", NULL, filter_rejectattr},
    {"sort", "reverse case_sensitive attribute", filter_sort},
    {"dictsort", "case_sensitive by reverse", filter_dictsort},
    {"unique", "case_sensitive attribute", filter_unique},
    {"min", "case_sensitive attribute", filter_min},
    {"max", "case_sensitive attribute", filter_max},
    {"groupby", "!attribute default case_sensitive", filter_groupby},
    {"reverse", "", filter_reverse},
    {"sum", "attribute start", filter_sum},
    {"batch", "!linecount fill_with", filter_batch},
    {"attr", "!name", filter_attr},
    {NULL, NULL, NULL},
};

const function *find_filter(str name)
{
    const function *f = find_in(text_filters, name);
    return f ? f : find_in(list_filters, name);
}
