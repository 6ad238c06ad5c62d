// How values look: str(), repr() and JSON, to the byte as Python writes them.
//
// Text inside keeps its origin, an escape that of the character it stands for. What the notation
// itself adds (quotes, brackets, commas) counts as a user's: no control token is spelled that way.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tmpl/tmpl_int.h"

#define BUILD(b, literal) build_bytes(b, literal, sizeof(literal) - 1, true)

static hearth_status build_z(builder *b, const char *z, bool user)
{
    return build_bytes(b, z, strlen(z), user);
}

// The shortest decimal that reads back, as digits and a power of ten: 0.d1d2d3... * 10^exponent.
static int shortest_digits(double v, char digits[24], int *exponent)
{
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        double again;
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (str_parse_f64(str_from(text), &again) && again == v) break;
    }
    int n = 0;
    const char *p = text;
    for (; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') digits[n++] = *p;
    }
    int64_t e = 0;
    str_parse_i64(str_from(p[1] == '+' ? p + 2 : p + 1), &e);
    while (n > 1 && digits[n - 1] == '0') n--;
    digits[n] = 0;
    *exponent = (int)e + 1;
    return n;
}

void format_float(double v, char text[40])
{
    char digits[24], out[512]; // the compiler cannot see how short it stays
    int e;
    if (isnan(v) || isinf(v)) {
        snprintf(out, sizeof out, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        memcpy(text, out, strlen(out) + 1);
        return;
    }
    const char *sign = signbit(v) ? "-" : "";
    int n = shortest_digits(fabs(v), digits, &e); // n <= 17, |e| <= 324
    if (v == 0) {
        snprintf(out, sizeof out, "%s0.0", sign);
    } else if (e > 16 || e < -3) { // 1e16 and 1e-5 are the first that get an exponent
        snprintf(out, sizeof out, "%s%c%s%s%s%02d", sign, digits[0], n > 1 ? "." : "", digits + 1,
                 e > 0 ? "e+" : "e-", e > 0 ? e - 1 : 1 - e);
    } else if (e <= 0) {
        snprintf(out, sizeof out, "%s0.%.*s%s", sign, -e, "0000", digits);
    } else if (n <= e) {
        snprintf(out, sizeof out, "%s%s%.*s.0", sign, digits, e - n, "0000000000000000");
    } else {
        snprintf(out, sizeof out, "%s%.*s.%s", sign, e, digits, digits + e);
    }
    ASSERT(strlen(out) < 40);
    memcpy(text, out, strlen(out) + 1);
}

static hearth_status build_number(builder *b, value v)
{
    char out[40];
    if (v.kind == V_BOOL) return build_z(b, v.u.b ? "True" : "False", v.user);
    if (v.kind == V_INT) snprintf(out, sizeof out, "%lld", (long long)v.u.i);
    else format_float(v.u.f, out);
    return build_z(b, out, v.user);
}

// --- repr ---------------------------------------------------------------------------------------

// Python escapes what it thinks cannot be seen. Unassigned code points are not known here.
static bool is_printable(uint32_t cp)
{
    static const uint32_t not[][2] = {
        {0, 0x1F}, {0x7F, 0xA0}, {0xAD, 0xAD}, {0x600, 0x605}, {0x61C, 0x61C}, {0x6DD, 0x6DD},
        {0x70F, 0x70F}, {0x890, 0x891}, {0x8E2, 0x8E2}, {0x1680, 0x1680}, {0x180E, 0x180E},
        {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F}, {0x3000, 0x3000}, {0xE000, 0xF8FF},
        {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x110BD, 0x110BD},
        {0x1D173, 0x1D17A}, {0xE0000, 0xE00FF}, {0xE01F0, 0x10FFFF}};
    for (size_t i = 0; i < COUNTOF(not); i++) {
        if (cp >= not[i][0] && cp <= not[i][1]) return false;
    }
    return true;
}

static hearth_status build_repr_char(builder *b, uint32_t cp, char quote, bool user)
{
    char out[16];
    size_t n;
    if (cp == '\n' || cp == '\r' || cp == '\t') {
        n = (size_t)snprintf(out, sizeof out, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
    } else if (cp == (unsigned char)quote || cp == '\\') {
        n = (size_t)snprintf(out, sizeof out, "\\%c", (char)cp);
    } else if (is_printable(cp)) {
        n = utf8_encode(cp, out);
    } else {
        n = cp < 0x100     ? (size_t)snprintf(out, sizeof out, "\\x%02x", (unsigned)cp)
            : cp < 0x10000 ? (size_t)snprintf(out, sizeof out, "\\u%04x", (unsigned)cp)
                           : (size_t)snprintf(out, sizeof out, "\\U%08x", (unsigned)cp);
    }
    return build_bytes(b, out, n, user);
}

static hearth_status build_repr_text(builder *b, value s)
{
    bool single = memchr(s.u.s.p, '\'', s.u.s.n) != NULL, both = memchr(s.u.s.p, '"', s.u.s.n);
    char quote = single && !both ? '"' : '\'';
    HEARTH_TRY(build_bytes(b, &quote, 1, true));
    for (size_t i = 0; i < s.u.s.n;) {
        uint32_t cp;
        bool user = text_user_at(s, i);
        i += utf8_decode(s.u.s.p + i, s.u.s.n - i, &cp);
        HEARTH_TRY(build_repr_char(b, cp, quote, user));
    }
    return build_bytes(b, &quote, 1, true);
}

static hearth_status build_items(builder *b, const list *l, const char *open, const char *close)
{
    HEARTH_TRY(build_z(b, open, true));
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0) HEARTH_TRY(BUILD(b, ", "));
        HEARTH_TRY(build_repr(b, l->v[i]));
    }
    if (l->n == 1 && *close == ')' && *open == '(') HEARTH_TRY(BUILD(b, ","));
    return build_z(b, close, true);
}

static hearth_status build_dict(builder *b, const dict *d)
{
    HEARTH_TRY(BUILD(b, "{"));
    for (size_t i = 0; i < d->n; i++) {
        if (i > 0) HEARTH_TRY(BUILD(b, ", "));
        HEARTH_TRY(build_repr(b, d->k[i]));
        HEARTH_TRY(BUILD(b, ": "));
        HEARTH_TRY(build_repr(b, d->v[i]));
    }
    return BUILD(b, "}");
}

static hearth_status build_view(builder *b, const view *v)
{
    HEARTH_TRY(build_z(b, v->name, true));
    return build_items(b, &v->l, "([", "])");
}

static hearth_status build_object(builder *b, value v)
{
    HEARTH_TRY(BUILD(b, "<"));
    HEARTH_TRY(build_z(b, val_type(v), true));
    if (v.kind == V_NAMESPACE) {
        HEARTH_TRY(BUILD(b, " "));
        HEARTH_TRY(build_dict(b, v.u.d));
    }
    return BUILD(b, ">");
}

static hearth_status build_repr_inner(builder *b, value v)
{
    switch (v.kind) {
    case V_UNDEFINED: case V_ABSENT: return BUILD(b, "Undefined");
    case V_NONE: return build_z(b, "None", false);
    case V_BOOL: case V_INT: case V_FLOAT: return build_number(b, v);
    case V_STRING: return build_repr_text(b, v);
    case V_LIST: return build_items(b, v.u.l, "[", "]");
    case V_TUPLE: return build_items(b, v.u.l, "(", ")");
    case V_DICT: return build_dict(b, v.u.d);
    case V_VIEW: return build_view(b, v.u.view);
    default: return build_object(b, v);
    }
}

hearth_status build_repr(builder *b, value v)
{
    HEARTH_TRY(enter(b->in));
    hearth_status st = build_repr_inner(b, v);
    leave(b->in);
    return st;
}

hearth_status build_value(builder *b, value v)
{
    if (v.kind == V_STRING) return build_slice(b, v, 0, v.u.s.n);
    if (v.kind == V_UNDEFINED) return HEARTH_OK;
    return build_repr(b, v);
}

// --- JSON ---------------------------------------------------------------------------------------

static size_t escape_json(uint32_t cp, bool ascii, char out[16])
{
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    const char *at = cp && cp < 128 ? strchr(from, (int)cp) : NULL;
    if (at) return (size_t)snprintf(out, 16, "\\%c", to[at - from]);
    if (ascii && cp > 0xFFFF) {
        unsigned high = 0xD800 + ((cp - 0x10000) >> 10), low = 0xDC00 + (cp & 0x3FF);
        return (size_t)snprintf(out, 16, "\\u%04x\\u%04x", high, low);
    }
    if (cp < 0x20 || (ascii && cp > 0x7E)) {
        if (cp == 0x7F) return utf8_encode(cp, out);
        return (size_t)snprintf(out, 16, "\\u%04x", (unsigned)cp);
    }
    return utf8_encode(cp, out);
}

static hearth_status build_json_text(builder *b, value s, const json_style *style)
{
    HEARTH_TRY(BUILD(b, "\""));
    for (size_t i = 0; i < s.u.s.n;) {
        uint32_t cp;
        char out[16];
        bool user = text_user_at(s, i);
        i += utf8_decode(s.u.s.p + i, s.u.s.n - i, &cp);
        size_t n = escape_json(cp, style->ascii, out);
        HEARTH_TRY(build_bytes(b, out, n, user));
    }
    return BUILD(b, "\"");
}

static hearth_status build_json_number(builder *b, value v)
{
    char out[40];
    if (v.kind != V_FLOAT) return build_number(b, v);
    format_float(v.u.f, out);
    if (isnan(v.u.f)) return build_z(b, "NaN", true);
    if (isinf(v.u.f)) return build_z(b, v.u.f > 0 ? "Infinity" : "-Infinity", true);
    return build_z(b, out, v.user);
}

static hearth_status build_break(builder *b, const json_style *s, int level)
{
    if (!s->has_indent) return HEARTH_OK;
    HEARTH_TRY(BUILD(b, "\n"));
    for (int i = 0; i < level; i++) HEARTH_TRY(build_bytes(b, s->indent.p, s->indent.n, true));
    return HEARTH_OK;
}

static hearth_status build_json_list(builder *b, const list *l, const json_style *s, int level)
{
    if (l->n == 0) return BUILD(b, "[]");
    HEARTH_TRY(BUILD(b, "["));
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0) HEARTH_TRY(build_bytes(b, s->comma.p, s->comma.n, true));
        HEARTH_TRY(build_break(b, s, level + 1));
        HEARTH_TRY(build_json(b, l->v[i], s, level + 1));
    }
    HEARTH_TRY(build_break(b, s, level));
    return BUILD(b, "]");
}

static hearth_status build_json_key(builder *b, value k, const json_style *s)
{
    if (k.kind == V_STRING) return build_json_text(b, k, s);
    if (k.kind != V_NONE && !val_is_number(k)) {
        return fail(b->in, "tojson: a key of type %s", val_type(k));
    }
    HEARTH_TRY(BUILD(b, "\""));
    HEARTH_TRY(build_json(b, k, s, 0));
    return BUILD(b, "\"");
}

// The order in which keys are written: theirs, or sorted.
static hearth_status order_keys(interp *in, const dict *d, bool sort, size_t **out)
{
    size_t *at = *out = arena_new(&in->mem, size_t, d->n);
    if (!at) return fail_memory(in);
    for (size_t i = 0; i < d->n; i++) {
        size_t j = i;
        for (; sort && j > 0; j--) {
            int order;
            HEARTH_TRY(val_order(in, d->k[at[j - 1]], d->k[i], &order));
            if (order <= 0) break;
            at[j] = at[j - 1];
        }
        at[j] = i;
    }
    return HEARTH_OK;
}

static hearth_status build_json_dict(builder *b, const dict *d, const json_style *s, int level)
{
    size_t *at;
    if (d->n == 0) return BUILD(b, "{}");
    HEARTH_TRY(order_keys(b->in, d, s->sort, &at));
    HEARTH_TRY(BUILD(b, "{"));
    for (size_t i = 0; i < d->n; i++) {
        if (i > 0) HEARTH_TRY(build_bytes(b, s->comma.p, s->comma.n, true));
        HEARTH_TRY(build_break(b, s, level + 1));
        HEARTH_TRY(build_json_key(b, d->k[at[i]], s));
        HEARTH_TRY(build_bytes(b, s->colon.p, s->colon.n, true));
        HEARTH_TRY(build_json(b, d->v[at[i]], s, level + 1));
    }
    HEARTH_TRY(build_break(b, s, level));
    return BUILD(b, "}");
}

static hearth_status build_json_inner(builder *b, value v, const json_style *s, int level)
{
    switch (v.kind) {
    case V_NONE: return build_z(b, "null", true);
    case V_BOOL: return build_z(b, v.u.b ? "true" : "false", true);
    case V_INT: case V_FLOAT: return build_json_number(b, v);
    case V_STRING: return build_json_text(b, v, s);
    case V_LIST: case V_TUPLE: return build_json_list(b, v.u.l, s, level);
    case V_DICT: return build_json_dict(b, v.u.d, s, level);
    default: return fail(b->in, "tojson: a value of type %s has no JSON", val_type(v));
    }
}

hearth_status build_json(builder *b, value v, const json_style *s, int level)
{
    HEARTH_TRY(enter(b->in));
    hearth_status st = build_json_inner(b, v, s, level);
    leave(b->in);
    return st;
}
