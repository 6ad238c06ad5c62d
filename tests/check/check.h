// checkkern: every slot of the kernel table, on every instruction set, against a definition.
//
// A family file exports one check_family. The main program makes a table per level, from the
// reference up, and runs for each level the slots whose pointer that level changed. A slot's check
// makes as many calls as it likes and reports what it finds through check_fail(); a slot passes
// when nothing was reported.
//
// Buffers end exactly at, or start exactly after, an unreadable page. Kernels run under
// check_call(), which turns SIGSEGV, SIGBUS, SIGILL and SIGFPE into a report, so that one bad
// kernel does not hide the others.
#ifndef TESTS_CHECK_CHECK_H
#define TESTS_CHECK_CHECK_H

#include "kern/kern.h"

#include <stdio.h>

typedef struct check_family {
    const char *name;
    // Calls check_slot() for each of the family's slots, and when that says yes, tests it.
    void (*run)(const kern *k, const kern *below);
    void (*bench)(const kern *k, const kern *below); // may be NULL
} check_family;

extern const check_family check_dequant, check_act, check_matmul, check_vec, check_attn,
    check_recur, check_delta;

// Is this slot to be run: did its pointer change, and does its name pass the filter? Counts the
// slot before it, so a family needs no closing call.
bool check_slot(const char *name, const char *type, bool changed);
// Reports what is wrong with the current slot (the first few are printed).
void check_fail(const char *fmt, ...) ATTR_PRINTF(1, 2);
bool check_failed(void); // has the current slot failed? Long loops stop then.
// Runs fn(arg); a signal is reported as a failure. Returns false then.
bool check_call(void (*fn)(void *), void *arg);

// --- inputs -------------------------------------------------------------------------------------
void check_seed(uint64_t seed); // each slot starts from the same one
uint64_t check_random(void);
float check_uniform(float lo, float hi);
float check_normal(void);

// Contents of float arrays.
typedef enum fill {
    FILL_MIN,         // all -3.5
    FILL_MAX,         // all 3.5
    FILL_ALTERNATING, // 3.5, -3.5
    FILL_SPARSE,      // zeros, one element in 16 random
    FILL_RANDOM,      // normal
    FILL_WIDE,        // magnitudes from denormal to 1e4
    FILL_ZERO,
    FILL_INF,         // random with one infinity
    FILL_NAN,         // random with one NaN
    FILL_COUNT
} fill;
extern const char *const fill_names[FILL_COUNT];
void check_fill(float *x, int64_t n, fill f);

// --- guarded memory -----------------------------------------------------------------------------
typedef enum edge { EDGE_END, EDGE_START, EDGE_COUNT } edge; // which side touches the guard

typedef struct guarded {
    void *data; // n bytes, filled with 0xA5
    void *base;
    size_t mapped;
} guarded;
guarded guarded_new(size_t n, edge e);
void guarded_free(guarded *g);

// --- judgement ----------------------------------------------------------------------------------
// Same bits, where all NaN count as one.
bool same_bits(const float *a, const float *b, int64_t n);
// Within `bound` of `want`; where that is not finite, of the same class (and sign, for infinity).
bool within(float got, double want, double bound);

// --- measurement --------------------------------------------------------------------------------
// Seconds per call: the best of several batches, after one to warm up.
double bench_seconds(void (*fn)(void *), void *arg);
// One JSON line on stdout. Pass 0 for what does not apply; ref_seconds gives the factor.
void bench_report(const char *slot, const char *type, const char *shape, double seconds,
                  double bytes, double macs, double ref_seconds);

#endif
