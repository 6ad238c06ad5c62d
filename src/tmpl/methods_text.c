// Methods of strings. They share their meaning, and code, with the filters of the same names.
#include <string.h>

#include "tmpl/tmpl_int.h"

// --- strings: parts -----------------------------------------------------------------------------

static hearth_status trim_self(interp *in, call *c, bool left, bool right, value *out)
{
    str chars = {0};
    size_t from, n;
    bool given = arg_given(c, 0) && c->arg[0].kind != V_NONE;
    if (given) HEARTH_TRY(arg_text(in, c, 0, &chars));
    text_trim(val_str(c->self), given ? &chars : NULL, left, right, &from, &n);
    *out = text_slice(c->self, from, n);
    return charge(in, c->self.u.s.n / 16);
}

static hearth_status text_strip(interp *in, call *c, value *out)
{
    return trim_self(in, c, true, true, out);
}

static hearth_status text_lstrip(interp *in, call *c, value *out)
{
    return trim_self(in, c, true, false, out);
}

static hearth_status text_rstrip(interp *in, call *c, value *out)
{
    return trim_self(in, c, false, true, out);
}

static hearth_status add_slice(interp *in, list *l, value s, size_t from, size_t to)
{
    return list_add(in, l, text_slice(s, from, to - from));
}

// At white space: empty parts do not count. The last part keeps what is behind it.
static hearth_status split_words(interp *in, value s, int64_t max, list *l)
{
    str t = val_str(s);
    for (size_t at = 0;;) {
        size_t from, n, end;
        text_trim((str){t.p + at, t.n - at}, NULL, true, false, &from, &n);
        at += from;
        if (at == t.n) return HEARTH_OK;
        if (max-- == 0) return add_slice(in, l, s, at, t.n);
        for (end = at; end < t.n;) {
            uint32_t cp;
            size_t k = utf8_decode(t.p + end, t.n - end, &cp);
            if (is_space(cp)) break;
            end += k;
        }
        HEARTH_TRY(add_slice(in, l, s, at, end));
        at = end;
    }
}

static hearth_status split_at(interp *in, value s, str sep, int64_t max, list *l)
{
    size_t at = 0, hit;
    while (max-- != 0 && (hit = str_find(val_str(s), sep, at)) != SIZE_MAX) {
        HEARTH_TRY(add_slice(in, l, s, at, hit));
        at = hit + sep.n;
    }
    return add_slice(in, l, s, at, s.u.s.n);
}

// The last position of sep that ends at or before `end`.
static size_t find_last(str s, str sep, size_t end)
{
    for (size_t i = end >= sep.n ? end - sep.n + 1 : 0; i-- > 0;) {
        if (memcmp(s.p + i, sep.p, sep.n) == 0) return i;
    }
    return SIZE_MAX;
}

static void reverse_list(list *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        value v = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
}

static hearth_status rsplit_at(interp *in, value s, str sep, int64_t max, list *l)
{
    size_t end = s.u.s.n, hit;
    while (max-- != 0 && (hit = find_last(val_str(s), sep, end)) != SIZE_MAX) {
        HEARTH_TRY(add_slice(in, l, s, hit + sep.n, end));
        end = hit;
    }
    HEARTH_TRY(add_slice(in, l, s, 0, end));
    reverse_list(l);
    return HEARTH_OK;
}

static hearth_status rsplit_words(interp *in, value s, int64_t max, list *l)
{
    list all = {0};
    HEARTH_TRY(split_words(in, s, -1, &all));
    if (max < 0 || (uint64_t)max >= all.n) {
        *l = all;
        return HEARTH_OK;
    }
    size_t first = all.n - (size_t)max; // words from here on stay apart
    if (first > 0) {
        value head = all.v[0], tail = all.v[first - 1];
        size_t from = (size_t)(head.u.s.p - s.u.s.p);
        size_t to = (size_t)(tail.u.s.p - s.u.s.p) + tail.u.s.n;
        size_t begin, n;
        text_trim((str){s.u.s.p, from}, NULL, true, false, &begin, &n);
        HEARTH_TRY(add_slice(in, l, s, n > 0 ? begin : from, to));
    }
    for (size_t i = first; i < all.n; i++) HEARTH_TRY(list_add(in, l, all.v[i]));
    return HEARTH_OK;
}

static hearth_status split_self(interp *in, call *c, bool from_right, value *out)
{
    list l = {0};
    str sep;
    int64_t max;
    HEARTH_TRY(charge(in, c->self.u.s.n / 16));
    HEARTH_TRY(arg_int(in, c, 1, -1, &max));
    if (!arg_given(c, 0) || c->arg[0].kind == V_NONE) {
        HEARTH_TRY((from_right ? rsplit_words : split_words)(in, c->self, max, &l));
        return make_list(in, V_LIST, l, out);
    }
    HEARTH_TRY(arg_text(in, c, 0, &sep));
    if (sep.n == 0) return fail(in, "%s: the separator is empty", c->name);
    HEARTH_TRY((from_right ? rsplit_at : split_at)(in, c->self, sep, max, &l));
    return make_list(in, V_LIST, l, out);
}

static hearth_status text_split(interp *in, call *c, value *out)
{
    return split_self(in, c, false, out);
}

static hearth_status text_rsplit(interp *in, call *c, value *out)
{
    return split_self(in, c, true, out);
}

static hearth_status text_splitlines(interp *in, call *c, value *out)
{
    list l = {0};
    value s = c->self;
    bool keeps = arg_truth(c, 0, false);
    for (size_t at = 0, i = 0; i < s.u.s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.u.s.p + i, s.u.s.n - i, &cp), end = i;
        bool ends = (cp >= 10 && cp <= 13) || (cp >= 28 && cp <= 30) || cp == 0x85 ||
                    cp == 0x2028 || cp == 0x2029;
        i += n;
        if (cp == '\r' && i < s.u.s.n && s.u.s.p[i] == '\n') i++;
        if (!ends && i < s.u.s.n) continue;
        HEARTH_TRY(add_slice(in, &l, s, at, ends && !keeps ? end : i));
        at = i;
    }
    return make_list(in, V_LIST, l, out);
}

static hearth_status cut_in_three(interp *in, call *c, bool last, value *out)
{
    value s = c->self, empty = text_slice(s, 0, 0);
    list l = {0};
    str sep;
    HEARTH_TRY(arg_text(in, c, 0, &sep));
    if (sep.n == 0) return fail(in, "%s: the separator is empty", c->name);
    size_t at = last ? find_last(val_str(s), sep, s.u.s.n) : str_find(val_str(s), sep, 0);
    if (at == SIZE_MAX) {
        HEARTH_TRY(list_add(in, &l, last ? empty : s));
        HEARTH_TRY(list_add(in, &l, empty));
        HEARTH_TRY(list_add(in, &l, last ? s : empty));
    } else {
        HEARTH_TRY(add_slice(in, &l, s, 0, at));
        HEARTH_TRY(add_slice(in, &l, s, at, at + sep.n));
        HEARTH_TRY(add_slice(in, &l, s, at + sep.n, s.u.s.n));
    }
    return make_list(in, V_TUPLE, l, out);
}

static hearth_status text_partition(interp *in, call *c, value *out)
{
    return cut_in_three(in, c, false, out);
}

static hearth_status text_rpartition(interp *in, call *c, value *out)
{
    return cut_in_three(in, c, true, out);
}

static hearth_status text_removeprefix(interp *in, call *c, value *out)
{
    str s;
    HEARTH_TRY(arg_text(in, c, 0, &s));
    size_t cut = str_starts(val_str(c->self), s) ? s.n : 0;
    *out = text_slice(c->self, cut, c->self.u.s.n - cut);
    return HEARTH_OK;
}

static hearth_status text_removesuffix(interp *in, call *c, value *out)
{
    str s;
    HEARTH_TRY(arg_text(in, c, 0, &s));
    size_t cut = str_ends(val_str(c->self), s) ? s.n : 0;
    *out = text_slice(c->self, 0, c->self.u.s.n - cut);
    return HEARTH_OK;
}

// --- strings: searching -------------------------------------------------------------------------

// One string or a tuple of them.
static hearth_status match_end(interp *in, call *c, bool (*match)(str, str), value *out)
{
    list l = {c->arg, 1, 1};
    bool found = false;
    if (c->arg[0].kind == V_TUPLE) l = *c->arg[0].u.l;
    for (size_t i = 0; i < l.n; i++) {
        if (l.v[i].kind != V_STRING) {
            return fail(in, "%s: expected a string, found %s", c->name, val_type(l.v[i]));
        }
        found |= match(val_str(c->self), val_str(l.v[i]));
    }
    *out = val_bool(found);
    return HEARTH_OK;
}

static hearth_status text_startswith(interp *in, call *c, value *out)
{
    return match_end(in, c, str_starts, out);
}

static hearth_status text_endswith(interp *in, call *c, value *out)
{
    return match_end(in, c, str_ends, out);
}

static hearth_status search(interp *in, call *c, bool last, bool must, value *out)
{
    str s = val_str(c->self), what;
    int64_t from;
    HEARTH_TRY(charge(in, s.n / 8));
    HEARTH_TRY(arg_text(in, c, 0, &what));
    HEARTH_TRY(arg_int(in, c, 1, 0, &from));
    if (from < 0) from = i64_max(0, from + (int64_t)text_count(s));
    size_t begin = text_offset(s, (size_t)from);
    size_t at = last ? find_last(s, what, s.n) : str_find(s, what, begin);
    if (at != SIZE_MAX && at < begin) at = SIZE_MAX;
    if (at == SIZE_MAX && must) return fail(in, "%s: there is no such text", c->name);
    *out = val_int(at == SIZE_MAX ? -1 : (int64_t)text_count((str){s.p, at}), true);
    return HEARTH_OK;
}

static hearth_status text_find(interp *in, call *c, value *out)
{
    return search(in, c, false, false, out);
}

static hearth_status text_rfind(interp *in, call *c, value *out)
{
    return search(in, c, true, false, out);
}

static hearth_status text_index(interp *in, call *c, value *out)
{
    return search(in, c, false, true, out);
}

static hearth_status text_rindex(interp *in, call *c, value *out)
{
    return search(in, c, true, true, out);
}

static hearth_status text_count_of(interp *in, call *c, value *out)
{
    str s = val_str(c->self), what;
    int64_t n = 0;
    HEARTH_TRY(charge(in, s.n / 8));
    HEARTH_TRY(arg_text(in, c, 0, &what));
    if (what.n == 0) n = (int64_t)text_count(s) + 1;
    for (size_t at = 0; what.n > 0 && (at = str_find(s, what, at)) != SIZE_MAX; at += what.n) n++;
    *out = val_int(n, true);
    return HEARTH_OK;
}

// --- strings: new ones --------------------------------------------------------------------------

static hearth_status replace_empty(interp *in, value s, value by, int64_t max, value *out)
{
    builder b = build(in);
    list chars;
    HEARTH_TRY(val_items(in, s, &chars));
    for (size_t i = 0; i <= chars.n; i++) {
        if (max-- != 0) HEARTH_TRY(build_slice(&b, by, 0, by.u.s.n));
        else max = 0;
        if (i < chars.n) HEARTH_TRY(build_slice(&b, chars.v[i], 0, chars.v[i].u.s.n));
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status text_replace(interp *in, call *c, value *out)
{
    value s = c->self, by = c->arg[1];
    str what, by_text;
    int64_t max;
    size_t at = 0, hit;
    builder b = build(in);
    HEARTH_TRY(arg_text(in, c, 0, &what));
    HEARTH_TRY(arg_text(in, c, 1, &by_text));
    HEARTH_TRY(arg_int(in, c, 2, -1, &max));
    if (what.n == 0) return replace_empty(in, s, by, max, out);
    while (max-- != 0 && (hit = str_find(val_str(s), what, at)) != SIZE_MAX) {
        HEARTH_TRY(build_slice(&b, s, at, hit - at));
        HEARTH_TRY(build_slice(&b, by, 0, by.u.s.n));
        at = hit + what.n;
    }
    HEARTH_TRY(build_slice(&b, s, at, s.u.s.n - at));
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status run_filter(interp *in, const char *name, call *c, value *out)
{
    return find_in(text_filters, str_from(name))->fn(in, c, out);
}

static hearth_status text_upper(interp *in, call *c, value *out)
{
    return run_filter(in, "upper", c, out);
}

static hearth_status text_lower(interp *in, call *c, value *out)
{
    return run_filter(in, "lower", c, out);
}

static hearth_status text_capitalize(interp *in, call *c, value *out)
{
    return run_filter(in, "capitalize", c, out);
}

static hearth_status text_swapcase(interp *in, call *c, value *out)
{
    builder b = build(in);
    HEARTH_TRY(text_change_case(&b, c->self, 0, c->self.u.s.n, CASE_SWAP));
    *out = build_done(&b);
    return HEARTH_OK;
}

static bool has_two_cases(uint32_t cp)
{
    return cp == 0xDF || change_case(cp, CASE_UPPER) != cp || change_case(cp, CASE_LOWER) != cp;
}

// Large after everything that is no letter with case.
static hearth_status text_title(interp *in, call *c, value *out)
{
    builder b = build(in);
    value s = c->self;
    bool inside = false;
    for (size_t i = 0; i < s.u.s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.u.s.p + i, s.u.s.n - i, &cp);
        HEARTH_TRY(text_change_case(&b, s, i, n, inside ? CASE_LOWER : CASE_UPPER));
        inside = has_two_cases(cp);
        i += n;
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status text_join(interp *in, call *c, value *out)
{
    list l;
    builder b = build(in);
    HEARTH_TRY(val_items(in, c->arg[0], &l));
    for (size_t i = 0; i < l.n; i++) {
        if (l.v[i].kind != V_STRING) {
            return fail(in, "join: item %zu is of type %s, expected a string", i, val_type(l.v[i]));
        }
        if (i > 0) HEARTH_TRY(build_slice(&b, c->self, 0, c->self.u.s.n));
        HEARTH_TRY(build_slice(&b, l.v[i], 0, l.v[i].u.s.n));
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

// `left` and `right`: whether white space, or another character, may be added there.
static hearth_status pad_self(interp *in, call *c, bool left, bool right, value *out)
{
    value s = c->self, pad = val_text(STR(" "), false);
    int64_t width, n = (int64_t)text_count(val_str(s));
    builder b = build(in);
    HEARTH_TRY(arg_int(in, c, 0, 0, &width));
    if (arg_given(c, 1)) pad = c->arg[1];
    if (pad.kind != V_STRING || text_count(val_str(pad)) != 1) {
        return fail(in, "%s: expected one character to fill with", c->name);
    }
    int64_t missing = i64_max(width - n, 0), before = left ? missing : 0;
    if (left && right) before = missing / 2 + (missing & width & 1); // as CPython rounds
    for (int64_t i = 0; i < before; i++) HEARTH_TRY(build_slice(&b, pad, 0, pad.u.s.n));
    HEARTH_TRY(build_slice(&b, s, 0, s.u.s.n));
    for (int64_t i = before; i < missing; i++) HEARTH_TRY(build_slice(&b, pad, 0, pad.u.s.n));
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status text_ljust(interp *in, call *c, value *out)
{
    return pad_self(in, c, false, true, out);
}

static hearth_status text_rjust(interp *in, call *c, value *out)
{
    return pad_self(in, c, true, false, out);
}

static hearth_status text_center(interp *in, call *c, value *out)
{
    return pad_self(in, c, true, true, out);
}

static hearth_status text_zfill(interp *in, call *c, value *out)
{
    value s = c->self;
    int64_t width, n = (int64_t)text_count(val_str(s));
    builder b = build(in);
    HEARTH_TRY(arg_int(in, c, 0, 0, &width));
    size_t sign = s.u.s.n > 0 && (s.u.s.p[0] == '-' || s.u.s.p[0] == '+');
    HEARTH_TRY(build_slice(&b, s, 0, sign));
    HEARTH_TRY(build_fill(&b, '0', (size_t)i64_max(width - n, 0), true));
    HEARTH_TRY(build_slice(&b, s, sign, s.u.s.n - sign));
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status text_format(interp *in, call *c, value *out)
{
    return format_fields(in, c->self, c, out);
}

// --- strings: questions -------------------------------------------------------------------------

static bool is_digit(uint32_t cp) { return cp >= '0' && cp <= '9'; }

// Beyond ASCII everything that is no white space counts as a letter: no table of categories here.
static bool is_letter(uint32_t cp)
{
    return (cp | 32) - 'a' < 26 || (cp >= 0xAA && !is_space(cp));
}

static bool is_alphanumeric(uint32_t cp) { return is_digit(cp) || is_letter(cp); }

static hearth_status ask_all(call *c, bool (*is)(uint32_t cp), value *out)
{
    str s = val_str(c->self);
    bool yes = s.n > 0;
    for (size_t i = 0; i < s.n && yes;) {
        uint32_t cp;
        i += utf8_decode(s.p + i, s.n - i, &cp);
        yes = is(cp);
    }
    *out = val_bool(yes);
    return HEARTH_OK;
}

static hearth_status text_isdigit(interp *in, call *c, value *out)
{
    (void)in;
    return ask_all(c, is_digit, out);
}

static hearth_status text_isalpha(interp *in, call *c, value *out)
{
    (void)in;
    return ask_all(c, is_letter, out);
}

static hearth_status text_isalnum(interp *in, call *c, value *out)
{
    (void)in;
    return ask_all(c, is_alphanumeric, out);
}

static hearth_status text_isspace(interp *in, call *c, value *out)
{
    (void)in;
    return ask_all(c, is_space, out);
}

static hearth_status ask_test(interp *in, call *c, str test, value *out)
{
    bool yes;
    call plain = {.self = c->self};
    HEARTH_TRY(run_test(in, test, &plain, &yes));
    *out = val_bool(yes);
    return HEARTH_OK;
}

static hearth_status text_isupper(interp *in, call *c, value *out)
{
    return ask_test(in, c, STR("upper"), out);
}

static hearth_status text_islower(interp *in, call *c, value *out)
{
    return ask_test(in, c, STR("lower"), out);
}

const function string_methods[] = {
    {"strip", "chars", text_strip},
    {"lstrip", "chars", text_lstrip},
    {"rstrip", "chars", text_rstrip},
    {"split", "sep maxsplit", text_split},
    {"rsplit", "sep maxsplit", text_rsplit},
    {"splitlines", "keepends", text_splitlines},
    {"partition", "!sep", text_partition},
    {"rpartition", "!sep", text_rpartition},
    {"removeprefix", "!prefix", text_removeprefix},
    {"removesuffix", "!suffix", text_removesuffix},
    {"startswith", "!prefix", text_startswith},
    {"endswith", "!suffix", text_endswith},
    {"find", "!sub start", text_find},
    {"rfind", "!sub start", text_rfind},
    {"index", "!sub start", text_index},
    {"rindex", "!sub start", text_rindex},
    {"count", "!sub", text_count_of},
    {"replace", "!old !new count", text_replace},
    {"upper", "", text_upper},
    {"lower", "", text_lower},
    {"casefold", "", text_lower},
    {"title", "", text_title},
    {"capitalize", "", text_capitalize},
    {"swapcase", "", text_swapcase},
    {"join", "!iterable", text_join},
    {"ljust", "!width fillchar", text_ljust},
    {"rjust", "!width fillchar", text_rjust},
    {"center", "!width fillchar", text_center},
    {"zfill", "!width", text_zfill},
    {"format", NULL, text_format},
    {"isdigit", "", text_isdigit},
    {"isdecimal", "", text_isdigit},
    {"isnumeric", "", text_isdigit},
    {"isalpha", "", text_isalpha},
    {"isalnum", "", text_isalnum},
    {"isspace", "", text_isspace},
    {"isupper", "", text_isupper},
    {"islower", "", text_islower},
    {NULL, NULL, NULL},
};
