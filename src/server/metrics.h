// What the server counts of its own; the rest is the scheduler's.
#ifndef HEARTH_SERVER_METRICS_H
#define HEARTH_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

enum { METRICS_BOUNDS = 16 }; // 1 ms to 33 s
typedef struct metrics_times {
    atomic_uint_least64_t n[METRICS_BOUNDS + 1]; // the last one: longer than all bounds
    atomic_uint_least64_t sum_us;
} metrics_times;
void metrics_observe(metrics_times *h, uint64_t ns); // from any thread

#endif
