// Formatted text: "%s" % x, "{}".format(x), and dates.
#include <stdio.h>
#include <string.h>

#include "tmpl/tmpl_int.h"

// --- "%" ----------------------------------------------------------------------------------------

// %[(key)][flags][width][.precision]letter
typedef struct directive { char flags[8]; int width, precision; char letter; } directive;

typedef struct formatter {
    interp *in;
    value format, args;
    size_t at, next;  // of the format; of the arguments
    builder out;
} formatter;

static int read_count(formatter *f)
{
    int n = 0;
    str s = val_str(f->format);
    for (; f->at < s.n && s.p[f->at] >= '0' && s.p[f->at] <= '9'; f->at++) {
        if (n < 10000) n = n * 10 + (s.p[f->at] - '0');
    }
    return n;
}

static hearth_status next_arg(formatter *f, value *out)
{
    bool is_tuple = f->args.kind == V_TUPLE;
    size_t n = is_tuple ? f->args.u.l->n : 1;
    if (f->next >= n) return fail(f->in, "not enough values for the format");
    *out = is_tuple ? f->args.u.l->v[f->next] : f->args;
    f->next++;
    return HEARTH_OK;
}

static hearth_status key_arg(formatter *f, value *out)
{
    str s = val_str(f->format);
    size_t end = str_find(s, STR(")"), f->at);
    if (end == SIZE_MAX) return fail(f->in, "a format's key does not end");
    if (f->args.kind != V_DICT) return fail(f->in, "a format with keys needs a dict");
    size_t at = dict_find_text(f->args.u.d, (str){s.p + f->at, end - f->at});
    if (at == SIZE_MAX) return fail(f->in, "a format's key is not in the dict");
    f->at = end + 1;
    f->next = 1; // the dict counts as used
    *out = f->args.u.d->v[at];
    return HEARTH_OK;
}

// Text padded with blanks to the width.
static hearth_status put_padded(formatter *f, const directive *d, value s)
{
    size_t n = text_count(val_str(s)), width = (size_t)d->width;
    size_t pad = width > n ? width - n : 0;
    bool left = strchr(d->flags, '-') != NULL;
    if (!left) HEARTH_TRY(build_fill(&f->out, ' ', pad, f->format.user));
    HEARTH_TRY(build_slice(&f->out, s, 0, s.u.s.n));
    return left ? build_fill(&f->out, ' ', pad, f->format.user) : HEARTH_OK;
}

static hearth_status put_text(formatter *f, const directive *d, value v)
{
    builder b = build(f->in);
    if (d->letter == 'r') HEARTH_TRY(build_repr(&b, v));
    else HEARTH_TRY(build_value(&b, v));
    value s = build_done(&b);
    if (d->precision >= 0) {
        s = text_slice(s, 0, text_offset(val_str(s), (size_t)d->precision));
    }
    return put_padded(f, d, s);
}

static hearth_status put_number(formatter *f, const directive *d, value v)
{
    char spec[24], out[400];
    bool whole = strchr("diuxXo", d->letter) != NULL;
    if (!val_is_number(v)) return fail(f->in, "%%%c of a value of type %s", d->letter, val_type(v));
    double real = val_number(v);
    if (whole && !(real > -9.2e18 && real < 9.2e18)) {
        return fail(f->in, "%%%c of a value that needs more than 64 bits", d->letter);
    }
    int precision = d->precision < 0 ? (whole ? 1 : 6) : int_min(d->precision, 50);
    int width = int_min(d->width, 60);
    char letter = d->letter == 'i' || d->letter == 'u' ? 'd' : d->letter;
    int n;
    if (whole) {
        long long i = v.kind == V_INT ? (long long)v.u.i : (long long)real;
        if (d->precision < 0) {
            snprintf(spec, sizeof spec, "%%%s*ll%c", d->flags, letter);
            n = snprintf(out, sizeof out, spec, width, i);
        } else {
            snprintf(spec, sizeof spec, "%%%s*.*ll%c", d->flags, letter);
            n = snprintf(out, sizeof out, spec, width, precision, i);
        }
    } else {
        snprintf(spec, sizeof spec, "%%%s*.*%c", d->flags, letter);
        n = snprintf(out, sizeof out, spec, width, precision, real);
    }
    if (n < 0 || (size_t)n >= sizeof out) return fail(f->in, "a number is too long to format");
    return build_bytes(&f->out, out, (size_t)n, v.user);
}

static hearth_status read_directive(formatter *f, directive *d)
{
    str s = val_str(f->format);
    *d = (directive){.precision = -1};
    for (size_t k = 0; f->at < s.n && s.p[f->at] && strchr("-+ #0", s.p[f->at]); f->at++) {
        if (k + 1 < sizeof d->flags) d->flags[k++] = s.p[f->at];
    }
    d->width = read_count(f);
    if (f->at < s.n && s.p[f->at] == '.') {
        f->at++;
        d->precision = read_count(f);
    }
    if (f->at == s.n) return fail(f->in, "a format does not end");
    d->letter = s.p[f->at++];
    return HEARTH_OK;
}

static hearth_status put_directive(formatter *f)
{
    directive d;
    value v = val_none();
    str s = val_str(f->format);
    bool keyed = f->at < s.n && s.p[f->at] == '(';
    f->at += keyed;
    if (keyed) HEARTH_TRY(key_arg(f, &v));
    HEARTH_TRY(read_directive(f, &d));
    if (d.letter == '%') return build_bytes(&f->out, "%", 1, f->format.user);
    if (!keyed) HEARTH_TRY(next_arg(f, &v));
    if (d.letter == 's' || d.letter == 'r') return put_text(f, &d, v);
    if (d.letter && strchr("diuxXofFeEgG", d.letter)) return put_number(f, &d, v);
    return fail(f->in, "an unknown letter follows %% in a format");
}

hearth_status format_percent(interp *in, value format, value args, value *out)
{
    formatter f = {.in = in, .format = format, .args = args, .out = build(in)};
    str s = val_str(format);
    while (f.at < s.n) {
        size_t hit = size_min(str_find(s, STR("%"), f.at), s.n);
        HEARTH_TRY(build_slice(&f.out, format, f.at, hit - f.at));
        f.at = hit + 1;
        if (hit < s.n) HEARTH_TRY(put_directive(&f));
    }
    size_t n = args.kind == V_TUPLE ? args.u.l->n : args.kind == V_DICT ? f.next : 1;
    if (f.next < n) return fail(in, "not all values were used by the format");
    *out = build_done(&f.out);
    return HEARTH_OK;
}

// --- str.format() -------------------------------------------------------------------------------

// "", "0" or "name"; *next counts the empty ones.
static hearth_status field_value(interp *in, const call *c, str name, size_t *next, value *out)
{
    int64_t i = (int64_t)*next;
    if (name.n == 0) ++*next;
    if (name.n == 0 || str_parse_i64(name, &i)) {
        if (i < 0 || (size_t)i >= c->n_pos) return fail(in, "format: too few arguments");
        *out = c->pos[i];
        return HEARTH_OK;
    }
    for (size_t k = 0; k < c->n_kw; k++) {
        if (!str_eq(c->key[k], name)) continue;
        *out = c->kw[k];
        return HEARTH_OK;
    }
    return fail(in, "format: there is no argument '%.*s'", STR_ARG(name));
}

hearth_status format_fields(interp *in, value format, const call *c, value *out)
{
    builder b = build(in);
    str s = val_str(format);
    size_t next = 0;
    for (size_t i = 0; i < s.n;) {
        char ch = s.p[i];
        bool twice = i + 1 < s.n && s.p[i + 1] == ch;
        if ((ch != '{' && ch != '}') || twice) {
            HEARTH_TRY(build_slice(&b, format, i, 1));
            i += ch == '{' || ch == '}' ? 2 : 1;
            continue;
        }
        size_t end = ch == '{' ? str_find(s, STR("}"), i) : SIZE_MAX;
        if (end == SIZE_MAX) return fail(in, "format: a brace stands alone");
        str name = {s.p + i + 1, end - i - 1};
        value v;
        if (str_find(name, STR(":"), 0) != SIZE_MAX || str_find(name, STR("!"), 0) != SIZE_MAX) {
            return fail(in, "format: '{%.*s}' is more than a name", STR_ARG(name));
        }
        HEARTH_TRY(field_value(in, c, name, &next, &v));
        HEARTH_TRY(build_value(&b, v));
        i = end + 1;
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

// --- dates --------------------------------------------------------------------------------------

static bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int day_of_year(const tmpl_time *t)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return before[t->month - 1] + t->day + (t->month > 2 && is_leap(t->year));
}

// 0: Sunday. The first of January of year 1 was a Monday.
static int day_of_week(const tmpl_time *t)
{
    int y = t->year - 1;
    return (y + y / 4 - y / 100 + y / 400 + day_of_year(t)) % 7;
}

static const char *const day_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
                                        "Friday", "Saturday"};
static const char *const month_names[] = {"January", "February", "March", "April", "May", "June",
                                          "July", "August", "September", "October", "November",
                                          "December"};

// One directive as text; false when it is not known.
static bool format_date_part(char letter, bool no_zero, const tmpl_time *t, char *out, size_t cap)
{
    int twelve = t->hour % 12 ? t->hour % 12 : 12;
    int v;
    switch (letter) {
    case 'Y': snprintf(out, cap, "%d", t->year); return true;
    case 'B': snprintf(out, cap, "%s", month_names[t->month - 1]); return true;
    case 'b': case 'h': snprintf(out, cap, "%.3s", month_names[t->month - 1]); return true;
    case 'A': snprintf(out, cap, "%s", day_names[day_of_week(t)]); return true;
    case 'a': snprintf(out, cap, "%.3s", day_names[day_of_week(t)]); return true;
    case 'p': snprintf(out, cap, "%s", t->hour < 12 ? "AM" : "PM"); return true;
    case 'j': snprintf(out, cap, no_zero ? "%d" : "%03d", day_of_year(t)); return true;
    case 'w': snprintf(out, cap, "%d", day_of_week(t)); return true;
    case 'e': snprintf(out, cap, "%2d", t->day); return true;
    case 'F': snprintf(out, cap, "%d-%02d-%02d", t->year, t->month, t->day); return true;
    case 'T': snprintf(out, cap, "%02d:%02d:%02d", t->hour, t->minute, t->second); return true;
    case 'n': snprintf(out, cap, "\n"); return true;
    case '%': snprintf(out, cap, "%%"); return true;
    case 'd': v = t->day; break;
    case 'm': v = t->month; break;
    case 'y': v = t->year % 100; break;
    case 'H': v = t->hour; break;
    case 'I': v = twelve; break;
    case 'M': v = t->minute; break;
    case 'S': v = t->second; break;
    default: return false;
    }
    if (no_zero) snprintf(out, cap, "%d", v);
    else snprintf(out, cap, "%02d", v);
    return true;
}

hearth_status format_time(builder *b, value format, const tmpl_time *t)
{
    str s = val_str(format);
    for (size_t i = 0; i < s.n; i++) {
        char out[40];
        if (s.p[i] != '%') {
            HEARTH_TRY(build_slice(b, format, i, 1));
            continue;
        }
        bool no_zero = i + 1 < s.n && s.p[i + 1] == '-';
        i += no_zero ? 2 : 1;
        if (i >= s.n || !format_date_part(s.p[i], no_zero, t, out, sizeof out)) {
            return fail(b->in, "strftime_now: an unknown letter follows %%");
        }
        HEARTH_TRY(build_bytes(b, out, strlen(out), false));
    }
    return HEARTH_OK;
}
