// Filters that make strings and numbers.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tmpl/tmpl_int.h"

// The filter's input as a string.
static hearth_status self_text(interp *in, const call *c, value *out)
{
    HEARTH_TRY(to_text(in, c->self, out));
    return charge(in, out->u.s.n / 8);
}

static hearth_status filter_trim(interp *in, call *c, value *out)
{
    value s;
    str chars = {0};
    size_t from, n;
    bool given = arg_given(c, 0) && c->arg[0].kind != V_NONE;
    HEARTH_TRY(self_text(in, c, &s));
    if (given) HEARTH_TRY(arg_text(in, c, 0, &chars));
    text_trim(val_str(s), given ? &chars : NULL, true, true, &from, &n);
    *out = text_slice(s, from, n);
    return HEARTH_OK;
}

static hearth_status map_letters(interp *in, call *c, letter_case to, value *out)
{
    value s;
    builder b = build(in);
    HEARTH_TRY(self_text(in, c, &s));
    HEARTH_TRY(text_change_case(&b, s, 0, s.u.s.n, to));
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status filter_upper(interp *in, call *c, value *out)
{
    return map_letters(in, c, CASE_UPPER, out);
}

static hearth_status filter_lower(interp *in, call *c, value *out)
{
    return map_letters(in, c, CASE_LOWER, out);
}

static hearth_status filter_capitalize(interp *in, call *c, value *out)
{
    value s;
    builder b = build(in);
    HEARTH_TRY(self_text(in, c, &s));
    size_t first = text_offset(val_str(s), 1);
    HEARTH_TRY(text_change_case(&b, s, 0, first, CASE_UPPER));
    HEARTH_TRY(text_change_case(&b, s, first, s.u.s.n - first, CASE_LOWER));
    *out = build_done(&b);
    return HEARTH_OK;
}

// A letter is large when it comes first or after one of the characters that part words.
static hearth_status filter_title(interp *in, call *c, value *out)
{
    value s;
    builder b = build(in);
    bool begins = true;
    HEARTH_TRY(self_text(in, c, &s));
    for (size_t i = 0; i < s.u.s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.u.s.p + i, s.u.s.n - i, &cp);
        HEARTH_TRY(text_change_case(&b, s, i, n, begins ? CASE_UPPER : CASE_LOWER));
        begins = is_space(cp) || (cp < 128 && cp && strchr("-({[<", (int)cp));
        i += n;
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status filter_replace(interp *in, call *c, value *out)
{
    call m = {.name = "replace"};
    HEARTH_TRY(self_text(in, c, &m.self));
    HEARTH_TRY(to_text(in, c->arg[0], &m.arg[0]));
    HEARTH_TRY(to_text(in, c->arg[1], &m.arg[1]));
    m.arg[2] = c->arg[2];
    return find_in(string_methods, STR("replace"))->fn(in, &m, out);
}

static hearth_status filter_string(interp *in, call *c, value *out)
{
    return to_text(in, c->self, out);
}

static hearth_status filter_escape(interp *in, call *c, value *out)
{
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    value s;
    builder b = build(in);
    HEARTH_TRY(self_text(in, c, &s));
    for (size_t i = 0; i < s.u.s.n; i++) {
        char ch = s.u.s.p[i];
        const char *at = ch ? strchr(from, ch) : NULL;
        if (!at) HEARTH_TRY(build_slice(&b, s, i, 1));
        else HEARTH_TRY(build_bytes(&b, to[at - from], strlen(to[at - from]), text_user_at(s, i)));
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

// The line at `at` without its end; *next: where the next one begins.
static size_t line_length(str s, size_t at, size_t *next)
{
    for (size_t i = at; i < s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.p + i, s.n - i, &cp);
        bool ends = (cp >= 10 && cp <= 13) || (cp >= 28 && cp <= 30) || cp == 0x85 ||
                    cp == 0x2028 || cp == 0x2029;
        if (ends) {
            *next = i + n + (cp == '\r' && i + 1 < s.n && s.p[i + 1] == '\n');
            return i - at;
        }
        i += n;
    }
    *next = s.n;
    return s.n - at;
}

static hearth_status filter_indent(interp *in, call *c, value *out)
{
    value s, pad = c->arg[0];
    int64_t width;
    bool first = arg_truth(c, 1, false), blank = arg_truth(c, 2, false), is_first = true;
    builder b = build(in), spaces = build(in);
    if (c->self.kind != V_STRING) return fail(in, "indent: a value of type %s", val_type(c->self));
    HEARTH_TRY(self_text(in, c, &s));
    if (pad.kind != V_STRING) {
        HEARTH_TRY(arg_int(in, c, 0, 4, &width));
        HEARTH_TRY(build_fill(&spaces, ' ', (size_t)i64_max(width, 0), false));
        pad = build_done(&spaces);
    }
    for (size_t at = 0, end = 0, next;; at = next, is_first = false) {
        size_t n = line_length(val_str(s), at, &next);
        bool padded = is_first ? first : blank || n > 0;
        if (!is_first) HEARTH_TRY(build_bytes(&b, "\n", 1, text_user_at(s, end)));
        end = at + n;
        if (padded) HEARTH_TRY(build_slice(&b, pad, 0, pad.u.s.n));
        HEARTH_TRY(build_slice(&b, s, at, n));
        if (at + n == s.u.s.n) break; // a newline at the end begins one more, empty line
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status filter_center(interp *in, call *c, value *out)
{
    call m = {.name = "center"};
    HEARTH_TRY(self_text(in, c, &m.self));
    m.arg[0] = arg_given(c, 0) ? c->arg[0] : val_int(80, false);
    return find_in(string_methods, STR("center"))->fn(in, &m, out);
}

static hearth_status filter_format(interp *in, call *c, value *out)
{
    value s, args;
    list l = {c->pos, c->n_pos, c->n_pos};
    HEARTH_TRY(self_text(in, c, &s));
    HEARTH_TRY(make_list(in, V_TUPLE, l, &args));
    if (c->n_kw > 0) {
        dict *d;
        HEARTH_TRY(dict_new(in, &d));
        for (size_t i = 0; i < c->n_kw; i++) {
            HEARTH_TRY(dict_set(in, d, val_text(c->key[i], false), c->kw[i]));
        }
        args = (value){.kind = V_DICT, .u.d = d};
    }
    return format_percent(in, s, args, out);
}

static hearth_status filter_wordcount(interp *in, call *c, value *out)
{
    value s;
    int64_t n = 0;
    bool inside = false;
    HEARTH_TRY(self_text(in, c, &s));
    for (size_t i = 0; i < s.u.s.n; i++) {
        char ch = s.u.s.p[i];
        bool is_word = ch == '_' || (unsigned char)ch >= 0x80 || (ch >= '0' && ch <= '9') ||
                       (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
        n += is_word && !inside;
        inside = is_word;
    }
    *out = val_int(n, true);
    return HEARTH_OK;
}

// --- JSON ---------------------------------------------------------------------------------------

// (item separator, key separator)
static hearth_status read_separators(interp *in, value v, json_style *s)
{
    if (v.kind == V_ABSENT || v.kind == V_NONE) return HEARTH_OK;
    bool ok = (v.kind == V_TUPLE || v.kind == V_LIST) && v.u.l->n == 2 &&
              v.u.l->v[0].kind == V_STRING && v.u.l->v[1].kind == V_STRING;
    if (!ok) return fail(in, "tojson: separators must be two strings");
    s->comma = val_str(v.u.l->v[0]);
    s->colon = val_str(v.u.l->v[1]);
    return HEARTH_OK;
}

static hearth_status filter_tojson(interp *in, call *c, value *out)
{
    json_style s = {.ascii = arg_truth(c, 0, false), .sort = arg_truth(c, 3, false),
                    .comma = STR(", "), .colon = STR(": ")};
    builder b = build(in), pad = build(in);
    value indent = c->arg[1];
    if (indent.kind != V_ABSENT && indent.kind != V_NONE) {
        int64_t width = 0;
        s.has_indent = true;
        s.comma = STR(",");
        if (indent.kind == V_STRING) s.indent = val_str(indent);
        else HEARTH_TRY(arg_int(in, c, 1, 0, &width));
        HEARTH_TRY(build_fill(&pad, ' ', (size_t)i64_max(width, 0), true));
        if (pad.n > 0) s.indent = (str){pad.p, pad.n};
    }
    HEARTH_TRY(read_separators(in, c->arg[2], &s));
    HEARTH_TRY(build_json(&b, c->self, &s, 0));
    *out = build_done(&b);
    return HEARTH_OK;
}

// --- numbers ------------------------------------------------------------------------------------

// A number's text as Python's int() and float() take it: blanks around, underscores inside.
static bool clean_number(value v, char *out, size_t cap, str *s)
{
    size_t from, n, k = 0;
    text_trim(val_str(v), NULL, true, true, &from, &n);
    for (size_t i = from; i < from + n; i++) {
        char c = v.u.s.p[i];
        if (c == '_' && i > from && i + 1 < from + n) continue;
        if (k == cap) return false;
        out[k++] = c;
    }
    size_t skip = k > 1 && out[0] == '+';
    *s = (str){out + skip, k - skip};
    return true;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static bool parse_base(str s, int64_t base, int64_t *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    int64_t v = 0;
    s = (str){s.p + minus, s.n - minus};
    if (s.n > 2 && s.p[0] == '0') {
        char x = (char)(s.p[1] | 32);
        if ((base == 16 && x == 'x') || (base == 8 && x == 'o') || (base == 2 && x == 'b')) {
            s = (str){s.p + 2, s.n - 2};
        }
    }
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int d = digit_value(c);
        if (d >= base || !mul_ok_i64(v, base, &v) || v > INT64_MAX - d) return false;
        v += d;
    }
    *out = minus ? -v : v;
    return true;
}

// "inf", "infinity" and "nan", in any case.
static bool read_special(int sign, str s, double *out)
{
    char small[9];
    if (s.n == 0 || s.n >= sizeof small) return false;
    for (size_t i = 0; i < s.n; i++) small[i] = (char)(s.p[i] | 32);
    str t = {small, s.n};
    bool infinite = str_eq_z(t, "inf") || str_eq_z(t, "infinity");
    if (!infinite && !str_eq_z(t, "nan")) return false;
    *out = infinite ? sign * (double)INFINITY : (double)NAN;
    return true;
}

static bool read_float(value v, double *out)
{
    char text[80];
    str s;
    if (val_is_number(v)) {
        *out = val_number(v);
        return true;
    }
    if (v.kind != V_STRING || !clean_number(v, text, sizeof text, &s)) return false;
    if (str_parse_f64(s, out)) return true;
    bool minus = s.n > 0 && s.p[0] == '-';
    return read_special(minus ? -1 : 1, (str){s.p + minus, s.n - minus}, out);
}

static hearth_status filter_int(interp *in, call *c, value *out)
{
    value v = c->self;
    char text[80];
    str s;
    int64_t base, i;
    double f;
    HEARTH_TRY(arg_int(in, c, 1, 10, &base));
    if (v.kind == V_UNDEFINED) return fail(in, "'%.*s' is undefined", STR_ARG(val_str(v)));
    *out = arg_given(c, 0) ? c->arg[0] : val_int(0, false);
    if (v.kind == V_INT || v.kind == V_BOOL) {
        *out = val_int(v.kind == V_INT ? v.u.i : v.u.b, v.user);
    } else if (v.kind == V_STRING && clean_number(v, text, sizeof text, &s) &&
               parse_base(s, base, &i)) {
        *out = val_int(i, v.user);
    } else if (read_float(v, &f) && isfinite(f)) {
        if (fabs(f) >= 9.2e18) return fail(in, "an integer needs more than 64 bits");
        *out = val_int((int64_t)f, v.user);
    }
    return HEARTH_OK;
}

static hearth_status filter_float(interp *in, call *c, value *out)
{
    double f;
    value v = c->self;
    if (v.kind == V_UNDEFINED) return fail(in, "'%.*s' is undefined", STR_ARG(val_str(v)));
    *out = arg_given(c, 0) ? c->arg[0] : val_float(0, false);
    if (read_float(v, &f)) *out = val_float(f, v.user);
    return HEARTH_OK;
}

static hearth_status filter_abs(interp *in, call *c, value *out)
{
    value v = c->self;
    if (!val_is_number(v)) return fail(in, "abs: a value of type %s", val_type(v));
    return apply_sign(in, signbit(val_number(v)), v, out);
}

static double round_decimal(double v, int digits)
{
    char text[400];
    double out = v;
    snprintf(text, sizeof text, "%.*f", digits, v); // exact, halves to even, as Python's round()
    return str_parse_f64(str_from(text), &out) ? out : v;
}

static hearth_status filter_round(interp *in, call *c, value *out)
{
    int64_t digits;
    value v = c->self;
    str how = STR("common");
    HEARTH_TRY(arg_int(in, c, 0, 0, &digits));
    if (arg_given(c, 1)) HEARTH_TRY(arg_text(in, c, 1, &how));
    if (!val_is_number(v)) return fail(in, "round: a value of type %s", val_type(v));
    if (digits < -15 || digits > 15) return fail(in, "round: more than 15 digits");
    double scale = pow(10, (double)digits), f = val_number(v);
    if (str_eq_z(how, "common")) {
        if (v.kind != V_FLOAT && digits >= 0) return apply_sign(in, false, v, out);
        if (digits < 0) *out = val_float(nearbyint(f * scale) / scale, v.user);
        else *out = val_float(round_decimal(f, (int)digits), v.user);
    } else if (str_eq_z(how, "ceil") || str_eq_z(how, "floor")) {
        f *= scale;
        *out = val_float((how.p[0] == 'c' ? ceil(f) : floor(f)) / scale, v.user);
    } else {
        return fail(in, "round: the method must be common, ceil or floor");
    }
    return HEARTH_OK;
}

// --- any value ----------------------------------------------------------------------------------

static hearth_status filter_default(interp *in, call *c, value *out)
{
    bool missing = c->self.kind == V_UNDEFINED;
    if (arg_truth(c, 1, false)) missing = !val_truth(c->self);
    *out = c->self;
    if (missing) *out = arg_given(c, 0) ? c->arg[0] : val_text(STR(""), false);
    return charge(in, 1);
}

static hearth_status filter_length(interp *in, call *c, value *out)
{
    size_t n;
    HEARTH_TRY(val_length(in, c->self, &n));
    *out = val_int((int64_t)n, true);
    return HEARTH_OK;
}

const function text_filters[] = {
    {"trim", "chars", filter_trim},
    {"upper", "", filter_upper},
    {"lower", "", filter_lower},
    {"title", "", filter_title},
    {"capitalize", "", filter_capitalize},
    {"replace", "!old !new count", filter_replace},
    {"string", "", filter_string},
    {"safe", "", filter_string},
    {"escape", "", filter_escape},
    {"e", "", filter_escape},
    {"forceescape", "", filter_escape},
    {"indent", "width first blank", filter_indent},
    {"center", "width", filter_center},
    {"format", NULL, filter_format},
    {"wordcount", "", filter_wordcount},
    {"tojson", "ensure_ascii indent separators sort_keys", filter_tojson},
    {"int", "default base", filter_int},
    {"float", "default", filter_float},
    {"abs", "", filter_abs},
    {"round", "precision method", filter_round},
    {"default", "default_value boolean", filter_default},
    {"d", "default_value boolean", filter_default},
    {"length", "", filter_length},
    {"count", "", filter_length},
    {NULL, NULL, NULL},
};
