// The last steps of a compilation: costs, left recursion, byte classes.
//
// Costs are the least solution of cost(node) = 1 + cost(next) and so on over all rules at once,
// found by rounds that only lower them. A rule with cost 0 may be empty. A rule that can call
// itself before it has read a byte would be run for ever and is refused.
#include "gram/gram_int.h"

static uint32_t find_cost(const gram *g, const gram_node *n)
{
    uint32_t out = g->cost[n->out];
    switch ((node_kind)n->kind) {
    case NODE_BYTE: return cost_add(out, 1);
    case NODE_SPLIT: return out < g->cost[n->other] ? out : g->cost[n->other];
    case NODE_CALL: return cost_add(out, g->cost[g->entry[n->other]]);
    case NODE_RETURN: return 0;
    case NODE_FAIL: return GRAM_INF;
    case NODE_OPEN: break;
    case NODE_KEY:
    case NODE_EXTRA:
    case NODE_CLOSE: return out;
    }
    gram_register empty = {.object = n->other + 1};
    uint32_t debt = object_debt(g, &g->object[n->other], &empty);
    return debt == 0 || out == GRAM_INF ? out : cost_add(out - 1, debt); // no comma but a brace
}

static void find_costs(gram *g)
{
    for (uint32_t i = 0; i < g->n_node; i++) g->cost[i] = GRAM_INF;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < g->n_node; i++) {
            uint32_t cost = find_cost(g, &g->node[i]);
            if (cost >= g->cost[i]) continue;
            g->cost[i] = cost;
            changed = true;
        }
    }
}

// --- left recursion -----------------------------------------------------------------------------

typedef struct left_search {
    const gram *g;
    uint8_t *rule_state;  // [n_rule] 0 new, 1 being looked at, 2 done
    uint32_t *node_seen;  // [n_node] rule + 1 that saw it last
    uint32_t *work;       // [2 n_node + 2] nodes to visit
} left_search;

enum { RULE_NEW, RULE_OPEN, RULE_DONE };

// Rules that `rule` can call before its first byte, into list[0..), each at most once a node.
static uint32_t list_first_calls(left_search *s, uint32_t rule, uint32_t *list)
{
    const gram *g = s->g;
    uint32_t n_work = 0, n = 0;
    s->work[n_work++] = g->entry[rule];
    while (n_work > 0) {
        uint32_t at = s->work[--n_work];
        const gram_node *node = &g->node[at];
        if (node->kind == NODE_BYTE || at <= GRAM_RETURN || s->node_seen[at] == rule + 1) continue;
        s->node_seen[at] = rule + 1;
        bool passes = node->kind != NODE_CALL || g->cost[g->entry[node->other]] == 0;
        if (node->kind == NODE_CALL) list[n++] = node->other;
        if (passes) s->work[n_work++] = node->out;
        if (node->kind == NODE_SPLIT) s->work[n_work++] = node->other;
    }
    return n;
}

typedef struct call_frame { uint32_t rule, at, end; } call_frame;

// Depth first with a stack of its own; `list` holds the calls of all open rules one after another.
static bool find_left_loop(left_search *s, uint32_t root, call_frame *stack, uint32_t *list,
                           uint32_t *out)
{
    uint32_t depth = 0;
    stack[depth++] = (call_frame){root, 0, list_first_calls(s, root, list)};
    s->rule_state[root] = RULE_OPEN;
    while (depth > 0) {
        call_frame *top = &stack[depth - 1];
        if (top->at == top->end) {
            s->rule_state[top->rule] = RULE_DONE;
            depth--;
            continue;
        }
        uint32_t rule = list[top->at++], from = top->end;
        if (s->rule_state[rule] == RULE_OPEN) {
            *out = rule;
            return true;
        }
        if (s->rule_state[rule] == RULE_DONE) continue;
        s->rule_state[rule] = RULE_OPEN;
        stack[depth++] = (call_frame){rule, from, from + list_first_calls(s, rule, list + from)};
    }
    return false;
}

static hearth_status refuse_left_recursion(gram_build *b, hearth_err *err)
{
    const gram *g = b->g;
    left_search s = {.g = g};
    s.rule_state = arena_new(&b->mem, uint8_t, g->n_rule);
    s.node_seen = arena_new(&b->mem, uint32_t, g->n_node);
    s.work = arena_new(&b->mem, uint32_t, 2 * (size_t)g->n_node + 2);
    call_frame *stack = arena_new(&b->mem, call_frame, g->n_rule);
    uint32_t *list = arena_new(&b->mem, uint32_t, (size_t)g->n_node + g->n_rule), rule = 0;
    if (!s.rule_state || !s.node_seen || !s.work || !stack || !list)
        return err_fail(err, HEARTH_E_NOMEM, "grammar: out of memory");
    for (uint32_t i = 0; i < g->n_rule; i++) {
        if (s.rule_state[i] != RULE_NEW || !find_left_loop(&s, i, stack, list, &rule)) continue;
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "grammar: rule '%.*s' can call itself before it reads anything (left "
                        "recursion)", STR_ARG(b->name[rule]));
    }
    return HEARTH_OK;
}

// --- byte classes -------------------------------------------------------------------------------

static void find_classes(gram *g)
{
    bool begins[257] = {[0] = true};
    for (uint32_t i = 0; i < g->n_node; i++) {
        if (g->node[i].kind != NODE_BYTE) continue;
        begins[g->node[i].lo] = true;
        begins[g->node[i].hi + 1] = true;
    }
    int class = -1;
    for (int i = 0; i < 256; i++) {
        class += begins[i];
        g->class_of[i] = (uint8_t)class;
    }
    g->n_class = class + 1;
}

hearth_status gram_finish(gram_build *b, hearth_err *err)
{
    gram *g = b->g;
    g->cost = arena_new(&g->mem, uint32_t, g->n_node);
    if (!g->cost) return err_fail(err, HEARTH_E_NOMEM, "grammar: out of memory");
    find_costs(g);
    find_classes(g);
    if (g->cost[g->entry[g->root]] == GRAM_INF)
        return err_fail(err, HEARTH_E_ARG, "grammar: no text satisfies it");
    return refuse_left_recursion(b, err);
}
