// A pool of threads that runs one job at a time, cut into chunks.
//
// Chunks are claimed from a counter, so a slow thread takes fewer. The cut is chosen by the caller
// from the shapes alone, never from the number of threads; with one writer per output this is what
// keeps results independent of the thread count. Idle threads spin for a few microseconds and then
// sleep. The calling thread works too (it is worker 0): a pool of n has n - 1 threads of its own.
#ifndef HEARTH_BASE_POOL_H
#define HEARTH_BASE_POOL_H

#include "defs/err.h"

typedef struct pool pool;
// n_threads in [1, LIMIT_THREADS]; with 1, or where the platform has no threads, all runs inline.
hearth_status pool_create(int n_threads, pool **out, hearth_err *err);
void pool_free(pool *p); // NULL is legal
int pool_threads(const pool *p);

// Calls fn(ctx, chunk, worker) once for each chunk in [0, n_chunks), worker in [0, pool_threads),
// and returns when all are done. Not reentrant, one caller at a time. p may be NULL: runs inline.
typedef void (*pool_fn)(void *ctx, int64_t chunk, int worker);
void pool_run(pool *p, int64_t n_chunks, pool_fn fn, void *ctx);

#endif
