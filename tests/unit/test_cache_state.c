// Which slot holds which state, against a model that remembers everything: random steps, rollbacks,
// forks and rewinds, with the hash of all tokens so far as "the state".
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/rng.h"
#include "llm/cache_state.h"

enum { N_SEQ = 3, N_EACH = STATE_MARKS + STATE_BESIDE, N_SLOTS = N_SEQ * N_EACH };
enum { MAX_POS = 2000, N_STEPS = 20000 };

typedef struct world {
    rng r;
    state_table t;
    uint64_t slot[N_SLOTS];                // what a device would hold
    uint64_t truth[N_SEQ][MAX_POS + 1];    // [s][n]: the state after n positions
    int64_t length[N_SEQ];                 // -1: not in use
    int64_t pending[N_SEQ];
} world;

static uint64_t advance(uint64_t state, uint64_t token)
{
    return hash_bytes(&token, sizeof token, state);
}

static void append_rows(world *w, int s, int n)
{
    for (int i = 0; i < n && w->length[s] + w->pending[s] < MAX_POS; i++) {
        int64_t pos = w->length[s] + w->pending[s]++;
        uint64_t token = rng_u64(&w->r);
        dev_state_row row = states_append(&w->t, s, pos);
        uint64_t before = row.from == STATE_NONE ? 0 : w->slot[row.from];
        assert_int_equal(before, w->truth[s][pos]);
        assert_in_range(row.to, 0, w->t.n_slots - 1);
        w->slot[row.to] = advance(before, token);
        w->truth[s][pos + 1] = advance(w->truth[s][pos], token);
    }
}

static void check_seq(const world *w, int s)
{
    const state_seq *q = &w->t.seq[s];
    assert_int_equal(q->pos, w->length[s]);
    if (q->slot == STATE_NONE) assert_int_equal(q->pos, 0);
    else assert_int_equal(w->slot[q->slot], w->truth[s][q->pos]);
    assert_in_range(q->n_marks, 0, w->t.most_marks);
    for (int i = 0; i < q->n_marks; i++) {
        assert_int_equal(q->mark[i].pos % LLM_PAGE, 0);
        assert_int_equal(w->slot[q->mark[i].slot], w->truth[s][q->mark[i].pos]);
        assert_true(i == 0 || q->mark[i - 1].pos < q->mark[i].pos);
    }
}

// Every slot is free, or counted as often as sequences name it.
static void check_counts(const world *w)
{
    uint32_t seen[N_SLOTS] = {0};
    int64_t n_free = 0;
    for (int s = 0; s < N_SEQ; s++) {
        const state_seq *q = &w->t.seq[s];
        if (q->slot != STATE_NONE) seen[q->slot]++;
        for (int i = 0; i < q->n_marks; i++) seen[q->mark[i].slot]++;
    }
    for (int64_t i = 0; i < w->t.n_slots; i++) {
        assert_int_equal(w->t.refs[i], seen[i]);
        n_free += !seen[i];
    }
    assert_int_equal(w->t.n_free, n_free);
}

static void step(world *w)
{
    static const int sizes[] = {1, 1, 1, 5, 64, 100, 300};
    bool fails = rng_below(&w->r, 5) == 0;
    for (int k = 0; k < 4; k++) {
        int s = (int)rng_below(&w->r, N_SEQ);
        if (w->length[s] >= 0) append_rows(w, s, sizes[rng_below(&w->r, COUNTOF(sizes))]);
    }
    for (int s = 0; s < N_SEQ; s++) {
        if (fails) {
            states_rollback(&w->t, s);
        } else if (w->pending[s]) {
            w->length[s] += w->pending[s];
            states_commit(&w->t, s, w->length[s]);
        }
        w->pending[s] = 0;
    }
}

static int64_t pick_back(world *w, int s)
{
    int64_t n = (int64_t)rng_below(&w->r, (uint32_t)w->length[s] + 1);
    int64_t near = states_nearest(&w->t, s, n);
    assert_in_range(near, 0, n);
    return near;
}

static void change(world *w)
{
    int s = (int)rng_below(&w->r, N_SEQ), to = (int)rng_below(&w->r, N_SEQ);
    if (w->length[s] < 0) {
        w->length[s] = 0;
    } else if (w->length[to] < 0) {
        int64_t n = rng_below(&w->r, 2) ? w->length[s] : pick_back(w, s);
        states_share(&w->t, s, to, n);
        memcpy(w->truth[to], w->truth[s], sizeof w->truth[s]);
        w->length[to] = n;
    } else if (rng_below(&w->r, 3) == 0) {
        states_rewind(&w->t, s, 0);
        w->length[s] = -1;
    } else {
        int64_t n = pick_back(w, s);
        states_rewind(&w->t, s, n);
        w->length[s] = n;
    }
}

// With as many checkpoints as there may be, and with one.
static void live(int64_t n_slots)
{
    world *w = calloc(1, sizeof *w);
    void *host = malloc((size_t)states_host_bytes(N_SEQ, n_slots));
    assert_non_null(w);
    assert_non_null(host);
    rng_seed(&w->r, 7);
    states_init(&w->t, N_SEQ, n_slots, host);
    for (int s = 0; s < N_SEQ; s++) w->length[s] = -1;
    for (int i = 0; i < N_STEPS; i++) {
        if (rng_below(&w->r, 8) == 0) change(w);
        else step(w);
        check_counts(w);
        for (int s = 0; s < N_SEQ; s++)
            if (w->length[s] >= 0) check_seq(w, s);
    }
    free(host);
    free(w);
}

static void test_random_lives(void **state)
{
    (void)state;
    live(N_SLOTS);
    live(N_SEQ * (1 + STATE_BESIDE));
}

// After a long generation, going back by d positions computes a small multiple of d again.
static void test_checkpoints_thin_out(void **state)
{
    (void)state;
    state_table t;
    void *host = malloc((size_t)states_host_bytes(1, N_EACH));
    assert_non_null(host);
    states_init(&t, 1, N_EACH, host);
    for (int64_t pos = 0; pos < 4000; pos++) {
        states_append(&t, 0, pos);
        states_commit(&t, 0, pos + 1);
    }
    for (int64_t back = 1; back < 1000; back++) {
        int64_t again = 4000 - back - states_nearest(&t, 0, 4000 - back);
        assert_true(again <= 3 * (back + LLM_PAGE));
    }
    free(host);
}

static void test_large_states_have_fewer(void **state)
{
    (void)state;
    assert_int_equal(states_most(3, 0), 0);
    assert_int_equal(states_most(3, 4096), N_SLOTS);
    assert_int_equal(states_most(3, STATE_BUDGET / 2), 3 * (2 + STATE_BESIDE));
    assert_int_equal(states_most(3, (uint64_t)1 << 40), 3 * (1 + STATE_BESIDE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lives), cmocka_unit_test(test_checkpoints_thin_out),
        cmocka_unit_test(test_large_states_have_fewer),
    };
    return cmocka_run_group_tests_name("cache states", tests, NULL, NULL);
}
