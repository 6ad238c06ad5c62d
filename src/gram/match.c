// States and steps of a matcher.
//
// A step moves every config that can read the byte, and follows all edges that read none. The set
// that comes out is looked up among the known states, so equal situations share one state and its
// mask. A call in the last place of a rule pushes nothing: lists that are written by recursion do
// not grow the stack. Configs that cannot be completed are dropped at once, so a state that is
// alive always has a completion.
#include <stdlib.h>
#include <string.h>

#include "gram/match_int.h"

static hearth_status fail_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_LIMIT, "constraint: more than %u MB for its states",
                    LIMIT_GRAM_MEMORY >> 20);
}

// Room for one more in a list that grows by doubling; false: no memory.
static bool reserve_one(void **list, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) return true;
    uint32_t more = *cap ? 2 * *cap : 64;
    void *grown = mem_realloc(MEM_SAMPLER, *list, more * size);
    if (!grown) return false;
    *list = grown;
    *cap = more;
    return true;
}

// The number of `key` among those in `ids`, a new one if it was not there (*is_new).
static bool find_id(map *ids, arena *mem, const void *key, size_t n, uint32_t next, uint32_t *out,
                    bool *is_new)
{
    *is_new = !map_get(ids, (str){key, n}, out);
    if (!*is_new) return true;
    char *copy = arena_alloc(mem, n, 1, 4);
    if (!copy) return false;
    if (n > 0) memcpy(copy, key, n);
    *out = next;
    return map_put(ids, (str){copy, n}, next, NULL) == HEARTH_OK;
}

static hearth_status find_register(gram_matcher *m, const gram_register *r, uint32_t *out,
                                   hearth_err *err)
{
    bool is_new;
    if (!reserve_one((void **)&m->reg, m->n_reg, &m->cap_reg, sizeof *m->reg) ||
        !find_id(&m->register_ids, &m->kept, r, sizeof *r, m->n_reg, out, &is_new))
        return fail_memory(err);
    if (is_new) m->reg[m->n_reg++] = *r;
    return HEARTH_OK;
}

static hearth_status push_frame(gram_matcher *m, uint32_t ret, uint32_t reg, uint32_t below,
                                uint32_t *out, hearth_err *err)
{
    uint32_t key[3] = {ret, reg, below};
    bool is_new;
    if (m->frame[below].depth == LIMIT_GRAM_DEPTH) {
        *out = 0; // too deep: as if the text could not go on here
        return HEARTH_OK;
    }
    if (!reserve_one((void **)&m->frame, m->n_frame, &m->cap_frame, sizeof *m->frame) ||
        !find_id(&m->frame_ids, &m->kept, key, sizeof key, m->n_frame, out, &is_new))
        return fail_memory(err);
    if (!is_new) return HEARTH_OK;
    uint32_t cost = object_cost(m->g, ret, &m->reg[reg]);
    m->frame[m->n_frame++] = (gram_frame){ret, reg, below, cost_add(cost, m->frame[below].cost),
                                          m->frame[below].depth + 1};
    return HEARTH_OK;
}

// --- closure ------------------------------------------------------------------------------------

static bool is_same(gram_config a, gram_config b)
{
    return a.node == b.node && a.reg == b.reg && a.stack == b.stack;
}

// True the first time since the set was begun.
static bool visit(gram_matcher *m, gram_config c)
{
    uint32_t mask = 2 * LIMIT_GRAM_CONFIGS - 1;
    uint32_t at = c.node * 0x9E3779B1u ^ c.reg * 0x85EBCA77u ^ c.stack * 0xC2B2AE3Du;
    for (at = (at ^ at >> 15) & mask; m->visited[at].stamp == m->stamp; at = (at + 1) & mask)
        if (is_same(m->visited[at].config, c)) return false;
    m->visited[at] = (visit_slot){c, m->stamp};
    m->n_visited++;
    return true;
}

static hearth_status put_work(gram_matcher *m, uint32_t *n, gram_config c, hearth_err *err)
{
    if (c.node == GRAM_FAIL || !visit(m, c)) return HEARTH_OK;
    if (m->n_visited >= LIMIT_GRAM_CONFIGS)
        return err_fail(err, HEARTH_E_LIMIT, "constraint: more than %d ways to read one text",
                        LIMIT_GRAM_CONFIGS);
    m->work[(*n)++] = c;
    return HEARTH_OK;
}

static hearth_status follow_call(gram_matcher *m, uint32_t *n, gram_config c, hearth_err *err)
{
    const gram_node *node = &m->g->node[c.node];
    gram_config to = {m->g->entry[node->other], 0, c.stack};
    if (node->out != GRAM_RETURN) {
        HEARTH_TRY(push_frame(m, node->out, c.reg, c.stack, &to.stack, err));
        if (to.stack == 0) return HEARTH_OK;
    }
    return put_work(m, n, to, err);
}

static hearth_status follow_return(gram_matcher *m, uint32_t *n, gram_config c, hearth_err *err)
{
    if (c.stack == 0) {
        m->set_may_end = true;
        return HEARTH_OK;
    }
    gram_frame f = m->frame[c.stack];
    return put_work(m, n, (gram_config){f.ret, f.reg, f.below}, err);
}

static hearth_status follow_guard(gram_matcher *m, uint32_t *n, gram_config c, hearth_err *err)
{
    const gram_node *node = &m->g->node[c.node];
    gram_register r = m->reg[c.reg];
    if (node->kind != NODE_OPEN && !object_may(m->g, node, &r)) return HEARTH_OK;
    if (node->kind != NODE_CLOSE) object_take(m->g, node, &r);
    gram_config to = {node->out, c.reg, c.stack};
    HEARTH_TRY(find_register(m, &r, &to.reg, err));
    return put_work(m, n, to, err);
}

static uint32_t find_config_cost(const gram_matcher *m, gram_config c)
{
    return cost_add(object_cost(m->g, c.node, &m->reg[c.reg]), m->frame[c.stack].cost);
}

static hearth_status follow(gram_matcher *m, uint32_t *n, gram_config c, hearth_err *err)
{
    const gram_node *node = &m->g->node[c.node];
    switch ((node_kind)node->kind) {
    case NODE_BYTE:
        if (find_config_cost(m, c) != GRAM_INF) m->set[m->n_set++] = c;
        return HEARTH_OK;
    case NODE_SPLIT:
        HEARTH_TRY(put_work(m, n, (gram_config){node->other, c.reg, c.stack}, err));
        return put_work(m, n, (gram_config){node->out, c.reg, c.stack}, err);
    case NODE_CALL: return follow_call(m, n, c, err);
    case NODE_RETURN: return follow_return(m, n, c, err);
    case NODE_FAIL: return HEARTH_OK;
    case NODE_OPEN:
    case NODE_KEY:
    case NODE_EXTRA:
    case NODE_CLOSE: break;
    }
    return follow_guard(m, n, c, err);
}

static void begin_set(gram_matcher *m)
{
    if (++m->stamp == 0) {
        memset(m->visited, 0, 2 * LIMIT_GRAM_CONFIGS * sizeof *m->visited);
        m->stamp = 1;
    }
    m->n_set = m->n_visited = 0;
    m->set_may_end = false;
}

static hearth_status add_to_set(gram_matcher *m, gram_config c, hearth_err *err)
{
    uint32_t n = 0;
    HEARTH_TRY(put_work(m, &n, c, err));
    while (n > 0) {
        gram_config next = m->work[--n];
        HEARTH_TRY(follow(m, &n, next, err));
    }
    return HEARTH_OK;
}

// --- states -------------------------------------------------------------------------------------

static int compare_configs(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(gram_config)); // any order will do
}

// The byte that goes on with the shortest completion, one that is a token by itself if possible.
static uint8_t find_good_byte(const gram_matcher *m, const gram_node *n)
{
    for (int byte = n->lo; byte <= n->hi; byte++)
        if (m->v->has_byte[byte]) return (uint8_t)byte;
    return n->lo;
}

static void find_state_cost(gram_matcher *m, gram_state *s)
{
    s->cost = s->may_end ? 0 : GRAM_INF;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t cost = find_config_cost(m, s->config[i]);
        if (cost >= s->cost) continue;
        s->cost = cost;
        s->next_byte = find_good_byte(m, &m->g->node[s->config[i].node]);
    }
}

static hearth_status add_state(gram_matcher *m, hearth_err *err)
{
    gram_state *s = &m->state[m->n_state];
    *s = (gram_state){.n = m->n_set, .may_end = m->set_may_end, .tokens = -1};
    gram_config *copy = arena_new(&m->cache, gram_config, m->n_set);
    s->next = arena_new(&m->cache, uint32_t, (size_t)m->g->n_class);
    if (!copy || !s->next) return fail_memory(err);
    if (m->n_set > 0) memcpy(copy, m->set, m->n_set * sizeof *copy);
    s->config = copy;
    for (int i = 0; i < m->g->n_class; i++) s->next[i] = STATE_UNKNOWN;
    find_state_cost(m, s);
    m->n_state++;
    return HEARTH_OK;
}

static hearth_status find_state(gram_matcher *m, uint32_t *out, hearth_err *err)
{
    if (m->n_set == 0 && !m->set_may_end) {
        *out = STATE_DEAD;
        return HEARTH_OK;
    }
    qsort(m->set, m->n_set, sizeof *m->set, compare_configs);
    gram_config mark = {m->set_may_end, 0, 0}; // a part of the key; there is room for it
    m->set[m->n_set] = mark;
    bool is_new;
    if (!reserve_one((void **)&m->state, m->n_state, &m->cap_state, sizeof *m->state) ||
        !find_id(&m->state_ids, &m->cache, m->set, (m->n_set + 1) * sizeof *m->set, m->n_state,
                 out, &is_new))
        return fail_memory(err);
    return is_new ? add_state(m, err) : HEARTH_OK;
}

static hearth_status find_step(gram_matcher *m, uint32_t from, uint8_t byte, uint32_t *out,
                               hearth_err *err)
{
    begin_set(m);
    const gram_config *config = m->state[from].config; // in the arena: does not move
    for (uint32_t i = 0, n = m->state[from].n; i < n; i++) {
        const gram_node *node = &m->g->node[config[i].node];
        if (byte < node->lo || byte > node->hi) continue;
        gram_config to = {node->out, config[i].reg, config[i].stack};
        HEARTH_TRY(add_to_set(m, to, err));
    }
    HEARTH_TRY(find_state(m, out, err));
    m->state[from].next[m->g->class_of[byte]] = *out;
    return HEARTH_OK;
}

hearth_status match_step(gram_matcher *m, uint32_t state, uint8_t byte, uint32_t *out,
                         hearth_err *err)
{
    ASSERT(state < m->n_state && state != STATE_DEAD);
    *out = m->state[state].next[m->g->class_of[byte]];
    return *out == STATE_UNKNOWN ? find_step(m, state, byte, out, err) : HEARTH_OK;
}

hearth_status match_bytes(gram_matcher *m, uint32_t state, str bytes, uint32_t *out,
                          hearth_err *err)
{
    for (size_t i = 0; i < bytes.n && state != STATE_DEAD; i++)
        HEARTH_TRY(match_step(m, state, (uint8_t)bytes.p[i], &state, err));
    *out = state;
    return HEARTH_OK;
}

hearth_status match_start(gram_matcher *m, hearth_err *err)
{
    begin_set(m);
    HEARTH_TRY(add_to_set(m, (gram_config){m->g->entry[m->g->root], 0, 0}, err));
    HEARTH_TRY(find_state(m, &m->start, err));
    m->now = m->start;
    return HEARTH_OK;
}

// All states go but the one that the text is in, which is found again from its configs.
hearth_status match_make_room(gram_matcher *m, hearth_err *err)
{
    if (m->n_state < LIMIT_GRAM_STATES && m->cache.used_bytes < LIMIT_GRAM_MEMORY / 2)
        return HEARTH_OK;
    begin_set(m);
    const gram_state *s = &m->state[m->now];
    m->n_set = s->n;
    m->set_may_end = s->may_end;
    if (s->n > 0) memcpy(m->set, s->config, s->n * sizeof *m->set);
    map_release(&m->state_ids);
    arena_release(&m->cache);
    map_init(&m->state_ids, MEM_SAMPLER);
    arena_init(&m->cache, MEM_SAMPLER, LIMIT_GRAM_MEMORY);
    m->n_state = 1;
    m->start = STATE_DEAD;
    return find_state(m, &m->now, err);
}

// --- tokens to the end --------------------------------------------------------------------------

// Reads the longest token along the shortest completion; *state is where it ends, *found false when
// no token begins like it.
static hearth_status take_longest(gram_matcher *m, uint32_t *state, bool *found, hearth_err *err)
{
    const vocab_node *node = m->v->node;
    uint32_t at = 0, s = *state;
    *found = false;
    while (m->state[s].cost > 0) {
        uint8_t byte = m->state[s].next_byte;
        uint32_t child = at + 1;
        while (child < node[at].end && node[child].byte != byte) child = node[child].end;
        if (child >= node[at].end) break;
        HEARTH_TRY(match_step(m, s, byte, &s, err));
        ASSERT(s != STATE_DEAD);
        at = child;
        if (node[at].n == 0) continue;
        *state = s;
        *found = true;
    }
    return HEARTH_OK;
}

// A chain of states, of which each knows the next one's tokens: walked twice, first to count.
hearth_status match_tokens(gram_matcher *m, uint32_t state, int64_t *out, hearth_err *err)
{
    int64_t n = 0;
    uint32_t s = state;
    while (m->state[s].tokens < 0 && m->state[s].cost > 0) {
        bool found;
        HEARTH_TRY(take_longest(m, &s, &found, err));
        if (!found) {
            m->state[s].tokens = INT64_MAX;
            break;
        }
        n++;
    }
    int64_t rest = m->state[s].cost == 0 ? 0 : m->state[s].tokens;
    *out = rest == INT64_MAX ? rest : n + rest;
    m->state[state].tokens = *out;
    return HEARTH_OK;
}
