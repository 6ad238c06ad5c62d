// From expressions to nodes, from the end to the beginning: emit_expr(x, next) returns where a text
// of x that goes on at `next` begins. So most edges lead to smaller numbers, and the costs of
// finish.c need few rounds.
//
// Copies: x{m,n} has n copies of x. What is larger than a string and repeated often becomes a rule
// of its own, so that a copy is one node.
#include "gram/gram_int.h"

enum { COPIES_MAX = 4 }; // of anything larger than a string or a call

static bool grow_nodes(gram *g)
{
    uint32_t cap = g->cap_node ? 2 * g->cap_node : 256;
    gram_node *grown = mem_realloc(MEM_MISC, g->node, cap * sizeof *grown);
    if (!grown) return false;
    g->node = grown;
    g->cap_node = cap;
    return true;
}

uint32_t emit_node(gram_build *b, gram_node node)
{
    gram *g = b->g;
    if (g->n_node == LIMIT_GRAM_NODES)
        build_fail(b, HEARTH_E_LIMIT, "more than 262144 positions; repeat less often");
    if (b->failed == HEARTH_OK && g->n_node == g->cap_node && !grow_nodes(g))
        build_fail(b, HEARTH_E_NOMEM, "out of memory");
    if (b->failed != HEARTH_OK) return GRAM_FAIL;
    g->node[g->n_node] = node;
    return g->n_node++;
}

uint32_t emit_byte(gram_build *b, uint8_t lo, uint8_t hi, uint32_t next)
{
    if (next == GRAM_FAIL) return GRAM_FAIL;
    return emit_node(b, (gram_node){.kind = NODE_BYTE, .lo = lo, .hi = hi, .out = next,
                                    .other = GRAM_NONE_NODE});
}

uint32_t emit_either(gram_build *b, uint32_t x, uint32_t y)
{
    if (x == GRAM_FAIL || x == y) return y;
    if (y == GRAM_FAIL) return x;
    return emit_node(b, (gram_node){.kind = NODE_SPLIT, .out = x, .other = y});
}

static uint32_t emit_bytes(gram_build *b, str s, uint32_t next)
{
    for (size_t i = s.n; i > 0; i--)
        next = emit_byte(b, (uint8_t)s.p[i - 1], (uint8_t)s.p[i - 1], next);
    return next;
}

// --- characters ---------------------------------------------------------------------------------

// Code points that differ only in continuation bytes, each over its whole range or not at all.
static uint32_t emit_sequence(gram_build *b, gram_range r, uint32_t next)
{
    char lo[4], hi[4];
    size_t n = utf8_encode(r.lo, lo);
    utf8_encode(r.hi, hi);
    for (size_t i = n; i > 0; i--)
        next = emit_byte(b, (uint8_t)lo[i - 1], (uint8_t)hi[i - 1], next);
    return next;
}

// The end of the first part of the range that is one sequence of byte ranges.
static uint32_t find_cut(gram_range r)
{
    static const uint32_t last[] = {0x7F, 0x7FF, 0xFFFF}; // of 1, 2, 3 bytes
    uint32_t hi = r.hi;
    for (size_t i = 0; i < COUNTOF(last); i++)
        if (r.lo <= last[i] && hi > last[i]) hi = last[i];
    if (r.lo <= 0x7F) return hi;
    for (int bits = 6; bits <= 18; bits += 6) {
        uint32_t mask = (1u << bits) - 1;
        if ((r.lo & ~mask) == (hi & ~mask)) break;
        if (r.lo & mask) return r.lo | mask;
        if ((hi & mask) != mask) hi = (hi & ~mask) - 1;
    }
    return hi;
}

static uint32_t emit_utf8(gram_build *b, gram_range r, uint32_t next, uint32_t other)
{
    for (;;) {
        uint32_t hi = find_cut(r);
        other = emit_either(b, emit_sequence(b, (gram_range){r.lo, hi}, next), other);
        if (hi == r.hi) return other;
        r.lo = hi + 1;
    }
}

// One character that a JSON string has to escape.
static uint32_t emit_escape(gram_build *b, uint32_t cp, uint32_t next)
{
    static const char hex[] = "0123456789abcdef", plain[] = "\"\\\b\f\n\r\t";
    static const char letter[] = "\"\\bfnrt";
    char text[6] = {'\\', 'u', '0', '0', hex[cp >> 4 & 15], hex[cp & 15]};
    for (size_t i = 0; i < sizeof plain - 1; i++) {
        if ((uint8_t)plain[i] != cp) continue;
        text[1] = letter[i];
        return emit_bytes(b, (str){text, 2}, next);
    }
    return emit_bytes(b, (str){text, 6}, next);
}

static uint32_t emit_json_range(gram_build *b, gram_range r, uint32_t next, uint32_t other)
{
    for (uint32_t at = r.lo; at <= r.hi;) {
        if (at < 0x20 || at == '"' || at == '\\') {
            other = emit_either(b, emit_escape(b, at++, next), other);
            continue;
        }
        uint32_t stop = at <= '"' ? '"' : at <= '\\' ? '\\' : 0x110000;
        uint32_t hi = r.hi < stop ? r.hi : stop - 1;
        other = emit_utf8(b, (gram_range){at, hi}, next, other);
        at = hi + 1;
    }
    return other;
}

uint32_t emit_class(gram_build *b, const gram_expr *x, uint32_t next)
{
    uint32_t entry = GRAM_FAIL;
    for (uint32_t i = 0; i < x->n_range && b->failed == HEARTH_OK; i++)
        entry = x->in_json ? emit_json_range(b, x->range[i], next, entry)
                           : emit_utf8(b, x->range[i], next, entry);
    return entry;
}

// --- expressions --------------------------------------------------------------------------------

static uint32_t emit_call(gram_build *b, uint32_t rule, uint32_t next)
{
    if (next == GRAM_FAIL) return GRAM_FAIL;
    return emit_node(b, (gram_node){.kind = NODE_CALL, .out = next, .other = rule});
}

static uint32_t emit_loop(gram_build *b, const gram_expr *part, uint32_t next)
{
    uint32_t loop = emit_node(b, (gram_node){.kind = NODE_SPLIT, .out = next, .other = next});
    uint32_t body = emit_expr(b, part, loop);
    if (b->failed == HEARTH_OK) b->g->node[loop].out = body;
    return loop;
}

static uint32_t emit_repeat(gram_build *b, const gram_expr *x, uint32_t next)
{
    gram_expr call;
    const gram_expr *part = x->last;
    uint32_t most = x->most == GRAM_INF ? x->least : x->most, end = next;
    bool is_small = part->kind == EXPR_RULE || (part->kind == EXPR_BYTES && part->bytes.n < 16);
    if (most > COPIES_MAX && !is_small) {
        call = (gram_expr){.kind = EXPR_RULE, .index = build_rule(b, STR(""))};
        build_define(b, call.index, x->last);
        part = &call;
    }
    if (x->most == GRAM_INF) next = emit_loop(b, part, next);
    for (uint32_t i = x->least; i < most && b->failed == HEARTH_OK; i++)
        next = emit_either(b, emit_expr(b, part, next), end);
    for (uint32_t i = 0; i < x->least && b->failed == HEARTH_OK; i++)
        next = emit_expr(b, part, next);
    return next;
}

static uint32_t emit_alternatives(gram_build *b, const gram_expr *x, uint32_t next)
{
    uint32_t entry = GRAM_FAIL;
    for (const gram_expr *part = x->last; part; part = part->before)
        entry = emit_either(b, emit_expr(b, part, next), entry);
    return entry;
}

uint32_t emit_expr(gram_build *b, const gram_expr *x, uint32_t next)
{
    if (b->failed != HEARTH_OK) return GRAM_FAIL;
    switch (x->kind) {
    case EXPR_BYTES: return emit_bytes(b, x->bytes, next);
    case EXPR_CLASS: return emit_class(b, x, next);
    case EXPR_ALT: return emit_alternatives(b, x, next);
    case EXPR_REPEAT: return emit_repeat(b, x, next);
    case EXPR_RULE: return emit_call(b, x->index, next);
    case EXPR_OBJECT: return emit_object(b, x->index, next);
    case EXPR_SEQ: break;
    }
    for (const gram_expr *part = x->last; part; part = part->before)
        next = emit_expr(b, part, next);
    return next;
}

hearth_status gram_emit(gram_build *b, hearth_err *err)
{
    gram *g = b->g;
    emit_node(b, (gram_node){.kind = NODE_FAIL});
    emit_node(b, (gram_node){.kind = NODE_RETURN});
    g->entry = arena_new(&g->mem, uint32_t, LIMIT_GRAM_RULES);
    if (!g->entry) build_fail(b, HEARTH_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < g->n_rule && b->failed == HEARTH_OK; i++) // emitting adds rules
        g->entry[i] = emit_expr(b, b->rule[i], GRAM_RETURN);
    HEARTH_TRY(build_status(b, err));
    return gram_finish(b, err);
}
