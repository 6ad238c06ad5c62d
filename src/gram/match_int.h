// Private to gram/: a text being matched.
//
// A state is the set of all positions that the text so far can be at. States are found once and
// kept, with their transitions and masks, so a text that goes in circles costs a look-up a byte.
//
//   config   node + register + stack     stack: the calls that are open, as a shared list
//   state    a sorted set of configs, all at NODE_BYTE; whether the text may end
//
// Stacks and registers stay as long as the matcher; states are dropped when there are too many.
#ifndef HEARTH_GRAM_MATCH_INT_H
#define HEARTH_GRAM_MATCH_INT_H

#include "gram/gram_int.h"

typedef struct vocab_node { // in the order of a depth-first walk
    uint32_t end;         // the node after all below this one
    uint32_t first, n;    // tokens of exactly these bytes: order[first .. first + n)
    uint16_t depth;       // bytes, the root has 0
    uint8_t byte;         // the last one
} vocab_node;

struct gram_vocab {
    arena mem;
    vocab_node *node;     // [n_node], node 0 is the root
    uint32_t n_node;
    int32_t *order;       // [n_order] token ids by their bytes
    str *text;            // [n] spelling, empty: never allowed
    bool *is_end;         // [n]
    int32_t n, n_order;
    uint32_t longest;     // bytes of a token
    bool has_byte[256];   // there is a token of this byte alone
};

typedef struct gram_config { uint32_t node, reg, stack; } gram_config;
typedef struct gram_frame {
    uint32_t ret, reg, below; // where to go on; frame 0 is the bottom
    uint32_t cost, depth;     // bytes from `ret` to the end of the text
} gram_frame;

enum { STATE_DEAD = 0 };
#define STATE_UNKNOWN UINT32_MAX
typedef struct gram_state {
    const gram_config *config;
    uint32_t n;
    uint32_t cost;        // bytes of the shortest completion
    uint8_t next_byte;    // its first one
    bool may_end;
    uint32_t *next;       // [n_class] state, STATE_UNKNOWN: not looked at
    int64_t tokens;       // of a completion; -1: not looked at, INT64_MAX: none
    uint64_t *mask;       // NULL: not made
    uint32_t mask_cost;   // the largest cost after one of its tokens
} gram_state;

typedef struct visit_slot { gram_config config; uint32_t stamp; } visit_slot;

struct gram_matcher {
    const gram *g;
    const gram_vocab *v;
    arena kept;           // stacks and registers
    map frame_ids, register_ids;
    gram_frame *frame;
    gram_register *reg;   // 0: empty, of no object
    uint32_t n_frame, cap_frame, n_reg, cap_reg;
    arena cache;          // states
    map state_ids;
    gram_state *state;    // [n_state], 0 is dead
    uint32_t n_state, cap_state;
    uint32_t now, start;  // state; start is found again after the states were dropped
    gram_config *work, *set; // [LIMIT_GRAM_CONFIGS]
    visit_slot *visited;  // [2 * LIMIT_GRAM_CONFIGS]
    uint32_t stamp, n_visited, n_set;
    bool set_may_end;
    uint32_t *path;       // [longest + 1] states along a spelling
    uint64_t *bits;       // mask for one budget
    bool ended;
};

hearth_status match_step(gram_matcher *m, uint32_t state, uint8_t byte, uint32_t *out,
                         hearth_err *err);
hearth_status match_bytes(gram_matcher *m, uint32_t state, str bytes, uint32_t *out,
                          hearth_err *err);
hearth_status match_start(gram_matcher *m, hearth_err *err); // sets ->start and ->now
hearth_status match_make_room(gram_matcher *m, hearth_err *err); // drops states when they are many
hearth_status match_tokens(gram_matcher *m, uint32_t state, int64_t *out, hearth_err *err);

#endif
