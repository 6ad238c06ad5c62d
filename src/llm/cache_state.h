// Recurrent states: which slot holds what a sequence has come to, and where it can go back to.
//
// A slot holds the states of all layers after one position of one sequence. A step never writes a
// slot that a rollback or another sequence would read:
//
//   rows of a step      p     p+1   ...   k*64   k*64+1 ...
//   from               slot   next  ...   next   next'            slot: committed, -1 at position 0
//   to                 next   next  ...   next'  next'
//                                           ^ the slot left behind is a checkpoint at k*64
//
// Checkpoints stand at multiples of LLM_PAGE; of a step's only the last one is kept, and of those
// of a sequence at most STATE_MARKS, fewer where states are large. The one is dropped whose loss
// costs least: (positions computed again) / (positions gone back), so that they thin out with the
// distance from the end and going back a little computes little. Slots are counted: forks share
// them.
#ifndef HEARTH_LLM_CACHE_STATE_H
#define HEARTH_LLM_CACHE_STATE_H

#include "llm/llm.h"

enum {
    STATE_MARKS = 4,
    STATE_NONE = -1,
    STATE_BESIDE = 3, // slots of a sequence that are no checkpoints: committed, two of a step
    STATE_BUDGET = 1 << 26 // bytes of checkpoints of a sequence; one there always is
};

typedef struct state_mark { int32_t slot, pos; } state_mark;

typedef struct state_seq {
    int32_t slot, pos;  // committed: the state after `pos` positions
    int32_t next;       // what the running step writes; STATE_NONE: it has no row of this sequence
    state_mark fresh;   // the running step's checkpoint
    int32_t n_marks;
    state_mark mark[STATE_MARKS + 2]; // in order of position
} state_seq;

typedef struct state_table {
    int64_t n_seq, n_slots, most_marks;
    state_seq *seq;     // [n_seq]
    uint32_t *refs;     // [n_slots]
    uint32_t *free_slot; // [n_slots] a stack
    int64_t n_free;
} state_table;

// Slots for n_seq sequences; 0 where a slot has no bytes.
int64_t states_most(int64_t n_seq, uint64_t slot_bytes);
uint64_t states_host_bytes(int64_t n_seq, int64_t n_slots);
// `host`: states_host_bytes() bytes, aligned for uint32_t. n_slots 0: no layer has a state, and the
// functions below do nothing.
void states_init(state_table *t, int64_t n_seq, int64_t n_slots, void *host);

dev_state_row states_append(state_table *t, llm_seq s, int64_t pos);
void states_commit(state_table *t, llm_seq s, int64_t length);
void states_rollback(state_table *t, llm_seq s);
// The nearest position <= n whose state is held; 0 at the least.
int64_t states_nearest(const state_table *t, llm_seq s, int64_t n);
void states_rewind(state_table *t, llm_seq s, int64_t n); // n: as states_nearest() says
void states_share(state_table *t, llm_seq from, llm_seq to, int64_t n);
// A slot of its own for the state after `length` positions, to be written by the caller.
void states_fill(state_table *t, llm_seq s, int64_t length);

#endif
