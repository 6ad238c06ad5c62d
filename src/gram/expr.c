// Expressions: what the front ends make of their texts.
//
// All memory is one arena that goes when the automaton stands. A failure is remembered, and an
// empty expression returned in place of the one that could not be made: parsers need not look at
// each step. Parts are kept last first, because nodes are made from the end to the beginning.
#include <stdlib.h>
#include <string.h>

#include "gram/gram_int.h"

void build_init(gram_build *b, gram *g, gram_style style)
{
    *b = (gram_build){.g = g, .style = style};
    b->nothing.kind = EXPR_SEQ;
    arena_init(&b->mem, MEM_MISC, LIMIT_GRAM_MEMORY);
}

void build_release(gram_build *b)
{
    arena_release(&b->mem);
    mem_free(b->rule);
    mem_free(b->name);
}

void build_fail(gram_build *b, hearth_status status, const char *why)
{
    if (b->failed != HEARTH_OK) return;
    b->failed = status;
    b->failed_why = why;
}

hearth_status build_status(const gram_build *b, hearth_err *err)
{
    if (b->failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, b->failed, "grammar: %s", b->failed_why);
}

gram_expr *expr_new(gram_build *b, expr_kind kind)
{
    gram_expr *x = b->failed == HEARTH_OK ? arena_new(&b->mem, gram_expr, 1) : NULL;
    if (!x) {
        build_fail(b, HEARTH_E_NOMEM, "out of memory");
        return &b->nothing;
    }
    x->kind = kind;
    return x;
}

gram_expr *expr_bytes(gram_build *b, str bytes)
{
    gram_expr *x = expr_new(b, EXPR_BYTES);
    if (x != &b->nothing) x->bytes = bytes;
    return x;
}

gram_expr *expr_copy(gram_build *b, str bytes)
{
    char *p = arena_copy_string(&b->mem, bytes.p, bytes.n);
    if (!p) build_fail(b, HEARTH_E_NOMEM, "out of memory");
    return expr_bytes(b, (str){p, p ? bytes.n : 0});
}

// A part that stands in two places is copied: its ->before is its place.
void expr_add(gram_build *b, gram_expr *to, gram_expr *part)
{
    gram_expr *x = expr_new(b, part->kind);
    if (x == &b->nothing || to == &b->nothing) return;
    *x = *part;
    x->before = to->last;
    to->last = x;
    to->n_part++;
}

static gram_expr *join(gram_build *b, expr_kind kind, gram_expr *x, gram_expr *y)
{
    gram_expr *both = expr_new(b, kind);
    expr_add(b, both, x);
    expr_add(b, both, y);
    return both;
}

gram_expr *expr_seq(gram_build *b, gram_expr *x, gram_expr *y)
{
    return join(b, EXPR_SEQ, x, y);
}

gram_expr *expr_either(gram_build *b, gram_expr *x, gram_expr *y)
{
    return join(b, EXPR_ALT, x, y);
}

gram_expr *expr_repeat(gram_build *b, gram_expr *part, uint32_t least, uint32_t most)
{
    ASSERT(least <= most);
    if (least > LIMIT_GRAM_REPEAT || (most != GRAM_INF && most > LIMIT_GRAM_REPEAT))
        build_fail(b, HEARTH_E_LIMIT, "more than 65536 repetitions");
    gram_expr *x = expr_new(b, EXPR_REPEAT);
    if (x == &b->nothing) return x;
    x->least = least;
    x->most = most;
    expr_add(b, x, part);
    return x;
}

gram_expr *expr_rule(gram_build *b, uint32_t rule)
{
    gram_expr *x = expr_new(b, EXPR_RULE);
    if (x != &b->nothing) x->index = rule;
    return x;
}

// --- classes ------------------------------------------------------------------------------------

static int compare_ranges(const void *x, const void *y)
{
    uint32_t a = ((const gram_range *)x)->lo, b = ((const gram_range *)y)->lo;
    return a < b ? -1 : a > b;
}

// Sorted ranges, none touching another. Returns how many.
static uint32_t join_ranges(gram_range *r, uint32_t n)
{
    if (n == 0) return 0;
    qsort(r, n, sizeof *r, compare_ranges);
    uint32_t k = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (r[i].lo <= r[k].hi + 1) {
            if (r[i].hi > r[k].hi) r[k].hi = r[i].hi;
        } else {
            r[++k] = r[i];
        }
    }
    return k + 1;
}

static uint32_t invert_ranges(const gram_range *r, uint32_t n, gram_range *out)
{
    uint32_t at = 0, k = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (r[i].lo > at) out[k++] = (gram_range){at, r[i].lo - 1};
        at = r[i].hi + 1;
    }
    if (at <= 0x10FFFF) out[k++] = (gram_range){at, 0x10FFFF};
    return k;
}

// Without U+D800..U+DFFF, which are no characters; may make one range more.
static uint32_t drop_surrogates(const gram_range *r, uint32_t n, gram_range *out)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (r[i].lo < 0xD800)
            out[k++] = (gram_range){r[i].lo, r[i].hi < 0xD800 ? r[i].hi : 0xD7FF};
        if (r[i].hi > 0xDFFF)
            out[k++] = (gram_range){r[i].lo > 0xDFFF ? r[i].lo : 0xE000, r[i].hi};
    }
    return k;
}

gram_expr *expr_class(gram_build *b, const gram_range *range, uint32_t n, bool not, bool in_json)
{
    gram_expr *x = expr_new(b, EXPR_CLASS);
    gram_range *sorted = arena_new(&b->mem, gram_range, (size_t)n + 2);
    gram_range *kept = arena_new(&b->mem, gram_range, 2 * (size_t)n + 4);
    if (x == &b->nothing || !sorted || !kept) {
        build_fail(b, HEARTH_E_NOMEM, "out of memory");
        return &b->nothing;
    }
    if (n > 0) memcpy(sorted, range, n * sizeof *range);
    n = join_ranges(sorted, n);
    if (not) {
        n = invert_ranges(sorted, n, kept);
        memcpy(sorted, kept, n * sizeof *kept);
    }
    x->n_range = drop_surrogates(sorted, n, kept);
    x->range = kept;
    x->in_json = in_json;
    return x;
}

// --- rules --------------------------------------------------------------------------------------

static bool grow_rules(gram_build *b)
{
    uint32_t cap = b->cap_rule ? 2 * b->cap_rule : 64;
    gram_expr **rule = mem_realloc(MEM_MISC, b->rule, cap * sizeof *rule);
    if (rule) b->rule = rule;
    str *name = mem_realloc(MEM_MISC, b->name, cap * sizeof *name);
    if (name) b->name = name;
    if (rule && name) b->cap_rule = cap;
    return rule && name;
}

// After a failure 0, which is a rule as soon as there is one.
uint32_t build_rule(gram_build *b, str name)
{
    if (b->g->n_rule == LIMIT_GRAM_RULES) build_fail(b, HEARTH_E_LIMIT, "more than 16384 rules");
    if (b->failed == HEARTH_OK && b->g->n_rule == b->cap_rule && !grow_rules(b))
        build_fail(b, HEARTH_E_NOMEM, "out of memory");
    if (b->failed != HEARTH_OK) return 0;
    b->rule[b->g->n_rule] = NULL;
    b->name[b->g->n_rule] = name;
    return b->g->n_rule++;
}

void build_define(gram_build *b, uint32_t rule, gram_expr *x)
{
    if (b->failed != HEARTH_OK) return;
    ASSERT(rule < b->g->n_rule);
    b->rule[rule] = x;
}

gram_expr *expr_object(gram_build *b, const gram_object *o)
{
    gram *g = b->g;
    if (g->n_object == g->cap_object) {
        uint32_t cap = g->cap_object ? 2 * g->cap_object : 16;
        gram_object *grown = mem_realloc(MEM_MISC, g->object, cap * sizeof *grown);
        if (!grown) {
            build_fail(b, HEARTH_E_NOMEM, "out of memory");
            return &b->nothing;
        }
        g->object = grown;
        g->cap_object = cap;
    }
    gram_expr *x = expr_new(b, EXPR_OBJECT);
    if (x == &b->nothing) return x;
    x->index = g->n_object;
    g->object[g->n_object++] = *o;
    return x;
}
