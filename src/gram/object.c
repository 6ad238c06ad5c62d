// Objects of schemas: which member may come next, and what is still owed.
//
//   OPEN '{' sp first            first: CLOSE '}' | member
//   member: KEY i "key" sp ':' sp value after     (or EXTRA for an undeclared key)
//   after:  sp ( CLOSE '}' | ',' sp member )
//
// The cost of a node is the length of the shortest way to the end of its rule. finish.c knows it as
// if the object could always close. What is missing comes on top of it: the debt, the sum over the
// missing members of each with its comma, which is the cost of its KEY node (the brace that this
// includes stands for the comma). Before a member is chosen there is one comma less, and with no
// debt the cheapest member that is still possible has to be paid; those nodes know the choice that
// they lead to (.other).
#include "gram/gram_int.h"

uint32_t cost_add(uint32_t a, uint32_t b)
{
    return a > GRAM_INF - b ? GRAM_INF : a + b;
}

static bool is_seen(const gram_register *r, uint32_t i)
{
    return r->seen[i / 64] >> (i % 64) & 1;
}

// In order: the first property that was not passed.
static uint32_t find_floor(const gram_object *o, const gram_register *r)
{
    uint32_t i = o->in_order ? o->n_property : 0;
    while (i > 0 && !is_seen(r, i - 1)) i--;
    return i;
}

static uint32_t count_missing(const gram_object *o, const gram_register *r, uint32_t from,
                              uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++) n += o->property[i].required && !is_seen(r, i);
    return n;
}

static bool may_key(const gram_object *o, const gram_register *r, uint32_t i)
{
    if (is_seen(r, i) || i < find_floor(o, r)) return false;
    if (o->in_order && count_missing(o, r, 0, i) > 0) return false;
    uint32_t missing = count_missing(o, r, 0, o->n_property) - o->property[i].required;
    return o->most == GRAM_INF || r->n + 1 + missing <= o->most;
}

static bool may_extra(const gram_object *o, const gram_register *r)
{
    uint32_t missing = count_missing(o, r, 0, o->n_property);
    if (o->in_order && missing > 0) return false;
    return o->most == GRAM_INF || r->n + 1 + missing <= o->most;
}

bool object_may(const gram *g, const gram_node *n, const gram_register *r)
{
    const gram_object *o = &g->object[n->other];
    if (n->kind == NODE_KEY) return may_key(o, r, n->index);
    if (n->kind == NODE_EXTRA) return may_extra(o, r);
    return count_missing(o, r, 0, o->n_property) == 0 && r->n >= o->least;
}

void object_take(const gram *g, const gram_node *n, gram_register *r)
{
    const gram_object *o = &g->object[n->other];
    if (n->kind == NODE_OPEN) {
        *r = (gram_register){.object = n->other + 1};
        return;
    }
    if (n->kind == NODE_KEY) r->seen[n->index / 64] |= UINT64_C(1) << (n->index % 64);
    if (r->n < o->n_cap) r->n++;
}

// The cheapest optional member that is not seen: its cost, and marks it.
static uint32_t fill_one(const gram *g, const gram_object *o, gram_register *r, uint32_t floor)
{
    uint32_t best = o->has_extra ? g->cost[o->extra_node] : GRAM_INF, at = o->n_property;
    for (uint32_t i = floor; i < o->n_property; i++) {
        uint32_t cost = g->cost[o->property[i].node];
        if (is_seen(r, i) || o->property[i].required || cost >= best) continue;
        best = cost;
        at = i;
    }
    if (at < o->n_property) r->seen[at / 64] |= UINT64_C(1) << (at % 64);
    return best;
}

uint32_t object_debt(const gram *g, const gram_object *o, const gram_register *r)
{
    uint32_t debt = 0, n = r->n;
    for (uint32_t i = 0; i < o->n_property; i++) {
        if (!o->property[i].required || is_seen(r, i)) continue;
        debt = cost_add(debt, g->cost[o->property[i].node]);
        n++;
    }
    if (n > o->most || o->least > o->most) return GRAM_INF; // GRAM_INF is above all
    if (n >= o->least) return debt;
    gram_register filled = *r;
    uint32_t floor = find_floor(o, r);
    for (; n < o->least && debt != GRAM_INF; n++)
        debt = cost_add(debt, fill_one(g, o, &filled, floor));
    return debt;
}

static uint32_t find_cheapest(const gram *g, const gram_object *o, const gram_register *r)
{
    uint32_t best = o->has_extra && may_extra(o, r) ? g->cost[o->extra_node] : GRAM_INF;
    for (uint32_t i = 0; i < o->n_property; i++) {
        uint32_t cost = g->cost[o->property[i].node];
        if (cost < best && may_key(o, r, i)) best = cost;
    }
    return best;
}

uint32_t object_cost(const gram *g, uint32_t node, const gram_register *r)
{
    uint32_t cost = g->cost[node], choice = g->node[node].other;
    if (r->object == 0 || cost == GRAM_INF) return cost;
    const gram_object *o = &g->object[r->object - 1];
    uint32_t debt = object_debt(g, o, r);
    if (g->node[node].kind != NODE_BYTE || choice == GRAM_NONE_NODE) return cost_add(cost, debt);
    uint32_t way = cost - g->cost[choice]; // to the choice: nothing else can follow
    if (debt == 0 && choice == o->first) return cost;
    return cost_add(way, debt > 0 ? debt : find_cheapest(g, o, r));
}

// --- nodes --------------------------------------------------------------------------------------

static uint32_t emit_guard(gram_build *b, node_kind kind, uint32_t object, uint32_t index,
                           uint32_t next)
{
    if (next == GRAM_FAIL) return GRAM_FAIL;
    return emit_node(b, (gram_node){.kind = (uint8_t)kind, .index = (uint16_t)index, .out = next,
                                    .other = object});
}

// The byte and the white space behind it, before a member is chosen at `choice`.
static uint32_t emit_before(gram_build *b, uint8_t byte, uint32_t choice)
{
    uint32_t begin = b->g->n_node;
    uint32_t entry = emit_byte(b, byte, byte, emit_expr(b, json_space(b), choice));
    for (uint32_t i = begin; i < b->g->n_node; i++)
        if (b->g->node[i].kind == NODE_BYTE) b->g->node[i].other = choice;
    return entry;
}

static uint32_t emit_value(gram_build *b, uint32_t rule, uint32_t after)
{
    gram_expr *x = expr_new(b, EXPR_SEQ);
    expr_add(b, x, json_space(b));
    expr_add(b, x, expr_bytes(b, STR(":")));
    expr_add(b, x, json_space(b));
    expr_add(b, x, expr_rule(b, rule));
    return emit_expr(b, x, after);
}

static uint32_t emit_members(gram_build *b, gram_object *o, uint32_t index, uint32_t after)
{
    uint32_t entry = GRAM_FAIL;
    if (o->has_extra) {
        uint32_t key = emit_expr(b, o->extra_key, emit_value(b, o->extra_value, after));
        o->extra_node = entry = emit_guard(b, NODE_EXTRA, index, 0, key);
    }
    for (uint32_t i = o->n_property; i > 0; i--) {
        gram_property *p = &o->property[i - 1];
        uint32_t key = emit_expr(b, json_spelled(b, p->key), emit_value(b, p->value, after));
        p->node = emit_guard(b, NODE_KEY, index, i - 1, key);
        entry = emit_either(b, p->node, entry);
    }
    return entry;
}

// `after` is a split that exists before its branches do. The expression is a rule's whole one, so
// that the register belongs to nothing else.
uint32_t emit_object(gram_build *b, uint32_t index, uint32_t next)
{
    gram_object *o = &b->g->object[index]; // emitting makes no objects
    uint32_t end = emit_byte(b, '}', '}', next);
    uint32_t close = emit_guard(b, NODE_CLOSE, index, 0, end);
    uint32_t after = emit_node(b, (gram_node){.kind = NODE_SPLIT, .out = close, .other = close});
    o->member = emit_members(b, o, index, emit_expr(b, json_space(b), after));
    if (b->failed != HEARTH_OK) return GRAM_FAIL;
    if (o->member != GRAM_FAIL) {
        uint32_t comma = emit_before(b, ',', o->member);
        b->g->node[after].other = comma;
    }
    o->first = emit_either(b, close, o->member);
    return emit_guard(b, NODE_OPEN, index, 0, emit_before(b, '{', o->first));
}
