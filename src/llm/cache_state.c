// See cache_state.h.
#include "llm/cache_state.h"

#include <string.h>

int64_t states_most(int64_t n_seq, uint64_t slot_bytes)
{
    if (!slot_bytes) return 0;
    int64_t marks = (int64_t)(STATE_BUDGET / slot_bytes);
    return n_seq * (i64_min(i64_max(marks, 1), STATE_MARKS) + STATE_BESIDE);
}

uint64_t states_host_bytes(int64_t n_seq, int64_t n_slots)
{
    if (!n_slots) return 0;
    return (uint64_t)n_seq * sizeof(state_seq) + 2 * (uint64_t)n_slots * sizeof(uint32_t);
}

static const state_mark no_mark = {STATE_NONE, 0};
static const state_seq no_state = {.slot = STATE_NONE, .next = STATE_NONE,
                                   .fresh = {STATE_NONE, 0}};

void states_init(state_table *t, int64_t n_seq, int64_t n_slots, void *host)
{
    *t = (state_table){.n_seq = n_seq, .n_slots = n_slots,
                       .most_marks = n_slots / n_seq - STATE_BESIDE};
    if (!n_slots) return;
    t->seq = host;
    t->refs = (uint32_t *)(t->seq + n_seq);
    t->free_slot = t->refs + n_slots;
    for (int64_t i = 0; i < n_seq; i++) t->seq[i] = no_state;
    memset(t->refs, 0, (size_t)n_slots * sizeof *t->refs);
    for (int64_t i = n_slots - 1; i >= 0; i--) t->free_slot[t->n_free++] = (uint32_t)i;
}

static int32_t take_slot(state_table *t)
{
    ASSERT(t->n_free > 0); // states_most()
    uint32_t slot = t->free_slot[--t->n_free];
    t->refs[slot] = 1;
    return (int32_t)slot;
}

static void drop_slot(state_table *t, int32_t slot)
{
    if (slot == STATE_NONE) return;
    ASSERT(t->refs[slot] > 0);
    if (--t->refs[slot] == 0) t->free_slot[t->n_free++] = (uint32_t)slot;
}

// A second checkpoint of one step takes the place of the first: the rows between them have been
// through that slot when the row that writes it again is reached.
dev_state_row states_append(state_table *t, llm_seq s, int64_t pos)
{
    if (!t->n_slots) return (dev_state_row){STATE_NONE, STATE_NONE};
    state_seq *q = &t->seq[s];
    if (q->next == STATE_NONE) {
        q->next = take_slot(t);
        return (dev_state_row){q->slot, q->next};
    }
    int32_t from = q->next;
    if (pos % LLM_PAGE == 0) {
        q->next = q->fresh.slot == STATE_NONE ? take_slot(t) : q->fresh.slot;
        q->fresh = (state_mark){from, (int32_t)pos};
    }
    return (dev_state_row){from, q->next};
}

static int64_t mark_pos(const state_seq *q, int32_t i)
{
    if (i < 0) return 0;
    return i < q->n_marks ? q->mark[i].pos : q->pos;
}

// Without mark i, going back to just before mark i + 1 computes from mark i - 1 on. Is that less
// per position gone back than without mark j?
static bool is_cheaper(const state_seq *q, int32_t i, int32_t j)
{
    int64_t gap_i = mark_pos(q, i + 1) - mark_pos(q, i - 1);
    int64_t gap_j = mark_pos(q, j + 1) - mark_pos(q, j - 1);
    int64_t back_i = q->pos - mark_pos(q, i + 1) + LLM_PAGE;
    int64_t back_j = q->pos - mark_pos(q, j + 1) + LLM_PAGE;
    return gap_i * back_j < gap_j * back_i; // positions are below 2^27
}

static void thin_marks(state_table *t, state_seq *q)
{
    while (q->n_marks > t->most_marks) {
        int32_t least = 0;
        for (int32_t i = 1; i < q->n_marks; i++)
            if (is_cheaper(q, i, least)) least = i;
        drop_slot(t, q->mark[least].slot);
        q->n_marks--;
        memmove(&q->mark[least], &q->mark[least + 1],
                (size_t)(q->n_marks - least) * sizeof *q->mark);
    }
}

void states_commit(state_table *t, llm_seq s, int64_t length)
{
    if (!t->n_slots || t->seq[s].next == STATE_NONE) return;
    state_seq *q = &t->seq[s];
    if (q->slot != STATE_NONE && q->pos % LLM_PAGE == 0)
        q->mark[q->n_marks++] = (state_mark){q->slot, q->pos};
    else
        drop_slot(t, q->slot);
    if (q->fresh.slot != STATE_NONE) q->mark[q->n_marks++] = q->fresh;
    q->slot = q->next;
    q->pos = (int32_t)length;
    q->next = STATE_NONE;
    q->fresh = no_mark;
    thin_marks(t, q);
}

void states_rollback(state_table *t, llm_seq s)
{
    if (!t->n_slots) return;
    state_seq *q = &t->seq[s];
    drop_slot(t, q->next);
    drop_slot(t, q->fresh.slot);
    q->next = STATE_NONE;
    q->fresh = no_mark;
}

// The last mark at or before n; -1: none.
static int32_t find_mark(const state_seq *q, int64_t n)
{
    int32_t i = q->n_marks - 1;
    while (i >= 0 && q->mark[i].pos > n) i--;
    return i;
}

int64_t states_nearest(const state_table *t, llm_seq s, int64_t n)
{
    if (!t->n_slots || n >= t->seq[s].pos) return n;
    return mark_pos(&t->seq[s], find_mark(&t->seq[s], n));
}

void states_rewind(state_table *t, llm_seq s, int64_t n)
{
    if (!t->n_slots || n == t->seq[s].pos) return;
    state_seq *q = &t->seq[s];
    int32_t i = find_mark(q, n);
    ASSERT(mark_pos(q, i) == n);
    drop_slot(t, q->slot);
    while (q->n_marks > i + 1) drop_slot(t, q->mark[--q->n_marks].slot);
    q->slot = i < 0 ? STATE_NONE : q->mark[--q->n_marks].slot;
    q->pos = (int32_t)n;
}

void states_share(state_table *t, llm_seq from, llm_seq to, int64_t n)
{
    if (!t->n_slots) return;
    state_seq *q = &t->seq[to];
    *q = t->seq[from];
    if (q->slot != STATE_NONE) t->refs[q->slot]++;
    for (int32_t i = 0; i < q->n_marks; i++) t->refs[q->mark[i].slot]++;
    states_rewind(t, to, n);
}

void states_fill(state_table *t, llm_seq s, int64_t length)
{
    ASSERT(t->n_slots && t->seq[s].slot == STATE_NONE && length > 0);
    t->seq[s].slot = take_slot(t);
    t->seq[s].pos = (int32_t)length;
}
