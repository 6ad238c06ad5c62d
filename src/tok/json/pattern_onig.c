// Oniguruma's syntax in PCRE2's words; see pattern.h. What reads the same in both is copied:
//
//   \h \H           a hexadecimal digit        [0-9A-Fa-f]
//   \s \S \w \W \b  by Unicode's own lists     spelled out: PCRE2 counts U+180E as a space and
//                                              leaves marks out of words
//   \v              vertical tab               \x0b
//   \uHHHH                                     \x{HHHH}
//   \p{Han}         of that script             \p{sc:Han}: the bare name takes extensions in
//   \p{Alpha} ...   POSIX names                the properties behind them
//   {,n}            at most n                  {0,n}
//   {n,m}+          repeated                   (?:...{n,m})+: PCRE2 would not give back
//   (?m:            "." is any character       (?s:
//   [a[bc]] [a&&b]  union, intersection        one class, or lookaheads around classes
//
// A class becomes a list of items for one pair of brackets ("items") and, where brackets cannot say
// it, alternatives behind it ("others"), each an expression for one character.
#include <string.h>

#include "defs/limits.h"
#include "tok/json/pattern.h"

enum { GROUPS_MAX = 100, CLASSES_MAX = 16 };

typedef struct translation {
    str in;
    size_t at;
    buf *out;
    size_t atom;              // where in `out` the thing begins that a quantifier would repeat
    size_t group[GROUPS_MAX]; // the same for open groups
    int n_groups, n_classes;
    hearth_err *err;
} translation;

#define SPACE_ITEMS "\\t-\\r \\x{85}\\p{Z}"
#define WORD_ITEMS "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}" \
                   "\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
// Outside of classes Oniguruma takes the superscripts and fractions of Latin-1 for letters.
#define OUTER_WORD_ITEMS WORD_ITEMS "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

static hearth_status refuse(const translation *t, const char *what)
{
    return err_fail(t->err, HEARTH_E_UNSUPPORTED, "pattern '%.*s': %s at byte %zu",
                    STR_ARG(t->in), what, t->at);
}

static char peek(const translation *t, size_t ahead)
{
    return t->at + ahead < t->in.n ? t->in.p[t->at + ahead] : 0;
}

static void put(buf *out, const char *z) { buf_append(out, z, strlen(z)); }

// One character as it is.
static void copy_char(translation *t, buf *out)
{
    uint32_t cp;
    size_t n = utf8_decode(t->in.p + t->at, t->in.n - t->at, &cp);
    buf_append(out, t->in.p + t->at, n);
    t->at += n;
}

// --- sets of characters with a name -------------------------------------------------------------

#define GRAPH_ITEMS "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}"
static const struct { const char *name, *items; } PROPERTIES[] = { // names in lower case, joined
    {"alpha", "\\p{Alphabetic}"}, {"alphabetic", "\\p{Alphabetic}"},
    {"alnum", "\\p{Alphabetic}\\p{Nd}"}, {"ascii", "\\x00-\\x7F"}, {"any", "\\x00-\\x{10FFFF}"},
    {"blank", "\\t\\p{Zs}"}, {"cntrl", "\\p{Cc}"}, {"digit", "\\p{Nd}"},
    {"lower", "\\p{Lowercase}"}, {"lowercase", "\\p{Lowercase}"}, {"upper", "\\p{Uppercase}"},
    {"uppercase", "\\p{Uppercase}"}, {"punct", "\\p{P}"}, {"graph", GRAPH_ITEMS},
    {"print", GRAPH_ITEMS "\\p{Zs}"}, {"space", SPACE_ITEMS},
    {"whitespace", SPACE_ITEMS}, {"word", WORD_ITEMS}, {"xdigit", "0-9A-Fa-f"},
    {"assigned", "\\P{Cn}"}, {"emoji", "\\p{Emoji}"}, {"ideographic", "\\p{Ideographic}"},
    {"extendedpictographic", "\\p{Extended_Pictographic}"},
    {"letter", "\\p{L}"}, {"uppercaseletter", "\\p{Lu}"}, {"lowercaseletter", "\\p{Ll}"},
    {"titlecaseletter", "\\p{Lt}"}, {"casedletter", "\\p{Lu}\\p{Ll}\\p{Lt}"},
    {"modifierletter", "\\p{Lm}"}, {"otherletter", "\\p{Lo}"}, {"mark", "\\p{M}"},
    {"nonspacingmark", "\\p{Mn}"}, {"spacingmark", "\\p{Mc}"}, {"enclosingmark", "\\p{Me}"},
    {"number", "\\p{N}"}, {"decimalnumber", "\\p{Nd}"}, {"letternumber", "\\p{Nl}"},
    {"othernumber", "\\p{No}"}, {"punctuation", "\\p{P}"}, {"connectorpunctuation", "\\p{Pc}"},
    {"dashpunctuation", "\\p{Pd}"}, {"openpunctuation", "\\p{Ps}"},
    {"closepunctuation", "\\p{Pe}"}, {"initialpunctuation", "\\p{Pi}"},
    {"finalpunctuation", "\\p{Pf}"}, {"otherpunctuation", "\\p{Po}"}, {"symbol", "\\p{S}"},
    {"mathsymbol", "\\p{Sm}"}, {"currencysymbol", "\\p{Sc}"}, {"modifiersymbol", "\\p{Sk}"},
    {"othersymbol", "\\p{So}"}, {"separator", "\\p{Z}"}, {"spaceseparator", "\\p{Zs}"},
    {"lineseparator", "\\p{Zl}"}, {"paragraphseparator", "\\p{Zp}"}, {"other", "\\p{C}"},
    {"control", "\\p{Cc}"}, {"format", "\\p{Cf}"}, {"surrogate", "\\p{Cs}"},
    {"privateuse", "\\p{Co}"}, {"unassigned", "\\p{Cn}"},
};

static void put_property(str name, buf *items)
{
    char key[40];
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < sizeof key - 1; i++) {
        char c = name.p[i];
        if (c == ' ' || c == '_' || c == '-') continue;
        key[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    key[n] = 0;
    for (size_t i = 0; i < COUNTOF(PROPERTIES); i++) {
        if (strcmp(key, PROPERTIES[i].name) == 0) {
            put(items, PROPERTIES[i].items);
            return;
        }
    }
    put(items, n <= 2 ? "\\p{" : "\\p{sc:"); // L, Lu, ...; what is no script, PCRE2 refuses
    if (n > 0 && n <= 2) { // lu, LU
        if (key[0] >= 'a' && key[0] <= 'z') key[0] = (char)(key[0] - 'a' + 'A');
        put(items, key);
    } else {
        buf_append_str(items, name);
    }
    put(items, "}");
}

// \p{..} \P{..} \p{^..} behind "\p".
static hearth_status read_property(translation *t, bool *negated, buf *items)
{
    *negated = peek(t, 1) == 'P';
    t->at += 2;
    size_t end = peek(t, 0) == '{' ? str_find(t->in, STR("}"), t->at) : SIZE_MAX;
    if (end == SIZE_MAX) return refuse(t, "a property without braces");
    str name = {t->in.p + t->at + 1, end - t->at - 1};
    if (name.n && name.p[0] == '^') {
        *negated = !*negated;
        name = (str){name.p + 1, name.n - 1};
    }
    t->at = end + 1;
    put_property(name, items);
    return HEARTH_OK;
}

// \s \w \d \h \p and their opposites; `is_set` says whether there is one at the backslash.
static hearth_status read_set(translation *t, bool *is_set, bool *negated, buf *items)
{
    static const struct { char lower; const char *items; } sets[] = {
        {'s', SPACE_ITEMS}, {'w', WORD_ITEMS}, {'d', "\\p{Nd}"}, {'h', "0-9A-Fa-f"}};
    char c = peek(t, 1);
    *is_set = c == 'p' || c == 'P';
    if (*is_set) return read_property(t, negated, items);
    for (size_t i = 0; i < COUNTOF(sets); i++) {
        char upper = (char)(sets[i].lower - 'a' + 'A');
        if (c != sets[i].lower && c != upper) continue;
        *is_set = true;
        *negated = c == upper;
        t->at += 2;
        put(items, sets[i].items);
        return HEARTH_OK;
    }
    return HEARTH_OK;
}

// An escape that stands for one character, inside a class or outside.
static hearth_status copy_escape(translation *t, buf *out)
{
    char c = peek(t, 1);
    if (!c) return refuse(t, "a backslash at the end");
    if (c == 'v') {
        t->at += 2;
        put(out, "\\x0b");
    } else if (c == 'u') {
        if (t->at + 6 > t->in.n) return refuse(t, "\\u without four digits");
        put(out, "\\x{");
        buf_append(out, t->in.p + t->at + 2, 4);
        put(out, "}");
        t->at += 6;
    } else {
        t->at++;
        if ((uint8_t)c < 0x80) buf_append_char(out, '\\');
        copy_char(t, out);
    }
    return HEARTH_OK;
}

// --- classes ------------------------------------------------------------------------------------

typedef struct class {
    buf items, others; // others: "|X|Y"
    bool negated, plain; // plain: items are all there is
} class;

static void init_class(class *c)
{
    *c = (class){.plain = true};
    buf_init(&c->items, MEM_TOKENIZER, LIMIT_PATTERN_BYTES * 4);
    buf_init(&c->others, MEM_TOKENIZER, LIMIT_PATTERN_BYTES * 8);
}

static void release_class(class *c)
{
    buf_release(&c->items);
    buf_release(&c->others);
}

// A list that could not grow makes `out` fail, too.
static void pass_failure(const class *c, buf *out)
{
    if (c->items.failed != HEARTH_OK) out->failed = c->items.failed;
    if (c->others.failed != HEARTH_OK) out->failed = c->others.failed;
}

static void add_items(class *c, const class *from)
{
    pass_failure(from, &c->items);
    buf_append_str(&c->items, buf_str(&from->items));
}

// Without the class's own negation.
static void put_union(const class *c, buf *out)
{
    pass_failure(c, out);
    if (out->failed != HEARTH_OK) return;
    str others = buf_str(&c->others);
    if (c->plain) {
        put(out, "[");
        buf_append_str(out, buf_str(&c->items));
        put(out, "]");
        return;
    }
    put(out, "(?:");
    if (c->items.n) {
        put(out, "[");
        buf_append_str(out, buf_str(&c->items));
        put(out, "]");
    } else {
        others = (str){others.p + 1, others.n - 1};
    }
    buf_append_str(out, others);
    put(out, ")");
}

static void put_class(const class *c, buf *out)
{
    if (!c->negated) {
        put_union(c, out);
    } else if (c->plain) {
        pass_failure(c, out);
        put(out, "[^");
        buf_append_str(out, buf_str(&c->items));
        put(out, "]");
    } else {
        put(out, "(?:(?!");
        put_union(c, out);
        put(out, ")(?s:.))");
    }
}

static void add_other(class *c, const class *other)
{
    c->plain = false;
    put(&c->others, "|");
    put_class(other, &c->others);
}

// Everything before "&&" and what follows it become one alternative.
static void intersect(class *c, const class *right)
{
    class both;
    init_class(&both);
    both.plain = false;
    put(&both.others, "|(?:(?=");
    put_class(right, &both.others);
    put(&both.others, ")");
    put_union(c, &both.others);
    put(&both.others, ")");
    both.negated = c->negated;
    release_class(c);
    *c = both;
}

static hearth_status read_class(translation *t, class *c);

static hearth_status read_class_set(translation *t, class *c, bool *is_set)
{
    class set;
    init_class(&set);
    hearth_status status = read_set(t, is_set, &set.negated, &set.items);
    if (status == HEARTH_OK && *is_set) {
        if (set.negated) add_other(c, &set);
        else add_items(c, &set);
    }
    release_class(&set);
    return status;
}

static hearth_status read_posix(translation *t, class *c)
{
    size_t end = str_find(t->in, STR(":]"), t->at + 2); // behind "[:"
    if (end == SIZE_MAX) return refuse(t, "a class name without end");
    str name = {t->in.p + t->at + 2, end - t->at - 2};
    class set;
    init_class(&set);
    set.negated = name.n && name.p[0] == '^';
    if (set.negated) name = (str){name.p + 1, name.n - 1};
    put_property(name, &set.items);
    if (str_eq_z(name, "punct")) put(&set.items, "$+<=>\\^`|~"); // in brackets only
    t->at = end + 2;
    if (set.negated) add_other(c, &set);
    else add_items(c, &set);
    release_class(&set);
    return HEARTH_OK;
}

static hearth_status read_nested(translation *t, class *c)
{
    class inner;
    init_class(&inner);
    hearth_status status = read_class(t, &inner);
    if (status == HEARTH_OK) {
        if (inner.plain && !inner.negated) add_items(c, &inner);
        else add_other(c, &inner);
    }
    release_class(&inner);
    return status;
}

static hearth_status read_item(translation *t, class *c)
{
    if (peek(t, 0) == '[') return peek(t, 1) == ':' ? read_posix(t, c) : read_nested(t, c);
    if (peek(t, 0) == '\\') {
        bool is_set = false;
        HEARTH_TRY(read_class_set(t, c, &is_set));
        return is_set ? HEARTH_OK : copy_escape(t, &c->items);
    }
    if (peek(t, 0) == '^') put(&c->items, "\\");
    copy_char(t, &c->items);
    return HEARTH_OK;
}

static bool is_empty(const class *c) { return c->items.n == 0 && c->others.n == 0; }

// Items up to the bracket or the next "&&".
static hearth_status read_items(translation *t, class *c)
{
    if (peek(t, 0) == ']') { // the first is a character
        put(&c->items, "\\]");
        t->at++;
    }
    while (t->at < t->in.n && peek(t, 0) != ']') {
        if (peek(t, 0) == '&' && peek(t, 1) == '&') break;
        HEARTH_TRY(read_item(t, c));
    }
    if (t->at >= t->in.n) return refuse(t, "a class without end");
    return is_empty(c) && c->items.failed == HEARTH_OK ? refuse(t, "an empty class") : HEARTH_OK;
}

static hearth_status read_class(translation *t, class *c)
{
    if (++t->n_classes > CLASSES_MAX) return refuse(t, "too many classes in each other");
    t->at++;
    if (peek(t, 0) == '^') {
        c->negated = true;
        t->at++;
    }
    HEARTH_TRY(read_items(t, c));
    while (peek(t, 0) == '&') {
        class right;
        init_class(&right);
        t->at += 2;
        hearth_status status = read_items(t, &right);
        if (status == HEARTH_OK) intersect(c, &right);
        release_class(&right);
        HEARTH_TRY(status);
    }
    t->at++;
    t->n_classes--;
    return HEARTH_OK;
}

// --- outside classes ----------------------------------------------------------------------------

static hearth_status take_class(translation *t)
{
    class c;
    init_class(&c);
    hearth_status status = read_class(t, &c);
    if (status == HEARTH_OK) put_class(&c, t->out);
    release_class(&c);
    return status;
}

#define WORD "[" OUTER_WORD_ITEMS "]"

static hearth_status take_escape(translation *t)
{
    char c = peek(t, 1);
    if (c == 'b' || c == 'B') {
        put(t->out, c == 'b' ? "(?:(?<=" WORD ")(?!" WORD ")|(?<!" WORD ")(?=" WORD "))"
                             : "(?:(?<=" WORD ")(?=" WORD ")|(?<!" WORD ")(?!" WORD "))");
        t->at += 2;
        return HEARTH_OK;
    }
    if (c == 'w' || c == 'W') {
        put(t->out, c == 'w' ? WORD : "[^" OUTER_WORD_ITEMS "]");
        t->at += 2;
        return HEARTH_OK;
    }
    if (c == 'O') {
        put(t->out, "(?s:.)");
        t->at += 2;
        return HEARTH_OK;
    }
    class set;
    bool is_set = false;
    init_class(&set);
    hearth_status status = read_set(t, &is_set, &set.negated, &set.items);
    if (status == HEARTH_OK && is_set) put_class(&set, t->out);
    else if (status == HEARTH_OK) status = copy_escape(t, t->out);
    release_class(&set);
    return status;
}

// "(", "(?:", "(?i-m:" and so on; names and lookarounds read the same.
static hearth_status take_group(translation *t)
{
    if (t->n_groups == GROUPS_MAX) return refuse(t, "too many groups in each other");
    t->group[t->n_groups++] = t->out->n;
    buf_append_char(t->out, '(');
    t->at++;
    if (peek(t, 0) != '?') return HEARTH_OK;
    if (peek(t, 1) == '~') return refuse(t, "an absent operator, which is not supported,");
    buf_append_char(t->out, '?');
    t->at++;
    for (char c; (c = peek(t, 0)) == 'i' || c == 'm' || c == 'x' || c == '-'; t->at++) {
        buf_append_char(t->out, c == 'm' ? 's' : c);
    }
    return HEARTH_OK;
}

static hearth_status take_group_end(translation *t)
{
    if (t->n_groups == 0) return refuse(t, "a ')' too many");
    t->atom = t->group[--t->n_groups];
    buf_append_char(t->out, ')');
    t->at++;
    return HEARTH_OK;
}

static size_t skip_digits(const translation *t, size_t ahead)
{
    while (peek(t, ahead) >= '0' && peek(t, ahead) <= '9') ahead++;
    return ahead;
}

// How long "{n}", "{n,}", "{n,m}" or "{,m}" is; 0 when it is text.
static size_t measure_interval(const translation *t)
{
    size_t low = skip_digits(t, 1), end = low;
    if (peek(t, low) == ',') end = skip_digits(t, low + 1);
    bool digits = low > 1 || end > low + 1;
    return digits && peek(t, end) == '}' ? end + 1 : 0;
}

static void insert(buf *out, size_t at, str text)
{
    size_t n = out->n - at;
    if (buf_append_str(out, text) != HEARTH_OK) return;
    memmove(out->p + at + text.n, out->p + at, n);
    memcpy(out->p + at, text.p, text.n);
}

static void take_interval(translation *t)
{
    size_t n = measure_interval(t);
    if (n == 0) {
        put(t->out, "\\{");
        t->at++;
        return;
    }
    put(t->out, peek(t, 1) == ',' ? "{0" : "{");
    buf_append(t->out, t->in.p + t->at + 1, n - 1);
    t->at += n;
    if (peek(t, 0) != '+') return;
    insert(t->out, t->atom, STR("(?:"));
    put(t->out, ")");
}

static hearth_status take_one(translation *t)
{
    char c = peek(t, 0);
    bool repeats = c == '*' || c == '+' || c == '?' || c == '{';
    if (!repeats) t->atom = t->out->n;
    switch (c) {
    case '\\': return take_escape(t);
    case '[': return take_class(t);
    case '(': return take_group(t);
    case ')': return take_group_end(t);
    case '{': take_interval(t); return HEARTH_OK;
    default: copy_char(t, t->out); return HEARTH_OK;
    }
}

hearth_status pattern_translate(str source, buf *out, hearth_err *err)
{
    if (source.n > LIMIT_PATTERN_BYTES) {
        return err_fail(err, HEARTH_E_LIMIT, "a pattern of %zu bytes, at most %d", source.n,
                        LIMIT_PATTERN_BYTES);
    }
    translation t = {.in = source, .out = out, .err = err};
    uint32_t cp;
    for (size_t i = 0; i < source.n;) {
        i += utf8_decode(source.p + i, source.n - i, &cp);
        if (cp == UTF8_BAD || cp == 0) return refuse(&t, "a byte that is not text");
    }
    while (t.at < source.n) HEARTH_TRY(take_one(&t));
    if (t.n_groups > 0) return refuse(&t, "a '(' without end");
    return out->failed == HEARTH_OK ? HEARTH_OK
                                    : err_fail(err, out->failed, "no memory for a pattern");
}
