// See pool.h.
//
// One atomic word, the gate, carries all coordination; the job's fields are plain memory that only
// the caller writes, while nobody is inside:
//
//    63 .............. 19 | 18    | 17     | 16   | 15 ......... 0
//    serial of the job    | quit  | waiter | open | workers inside
//
//   run    store serial + 1 | open | 0 inside  (release: publishes the fields)
//   worker sees a new serial, open: +1 inside by compare-and-swap; claims chunks; -1 inside
//   run    claims chunks too; clears open; waits until nobody is inside
//
// A worker that comes too late finds the gate closed and never looks at the fields, so the caller
// waits only for workers that took part: a descheduled thread delays nobody. Claims come from a
// separate counter. Waiting is first a spin, then a sleep on a condition; the spin is what makes a
// job cost about a microsecond when jobs follow each other closely, as the layers of a model do.
// With more threads than processors nobody spins: the spinner would hold up the one it waits for.
//
// Rejected: a barrier that every thread passes for every job (one sleeping thread costs its wake-up
// time each job), and work stealing (the cut is fine enough, chunks are alike).
#include "base/pool.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "defs/limits.h"
#include "os/os.h"

#define GATE_INSIDE UINT64_C(0xFFFF)
#define GATE_OPEN (UINT64_C(1) << 16)
#define GATE_WAITER (UINT64_C(1) << 17)
#define GATE_QUIT (UINT64_C(1) << 18)
#define GATE_SERIAL_SHIFT 19
STATIC_ASSERT(LIMIT_THREADS < GATE_INSIDE, "the count of workers fits its field");

// Longer than the serial work between two jobs of a step, shorter than anyone would notice.
enum { SPIN_NS = 20000, SPIN_BATCH = 16 };

typedef struct worker {
    pool *owner;
    os_thread *thread;
    int index;
} worker;

struct pool {
    alignas(64) _Atomic uint64_t gate;
    alignas(64) _Atomic int64_t next; // the first chunk that nobody has claimed
    alignas(64) atomic_int sleepers;  // workers in or about to enter `work_cond`
    pool_fn fn;                       // the job: written by pool_run while nobody is inside
    void *ctx;
    int64_t n_chunks;
    int n_threads;   // with the caller's
    int n_started;   // workers that have a thread
    uint64_t spin_ns;
    os_mutex *mutex; // for sleeping only
    os_cond *work_cond, *done_cond;
    worker *workers;
};

static uint64_t load_gate(pool *p)
{
    return atomic_load_explicit(&p->gate, memory_order_acquire);
}

static void work(pool *p, int index)
{
    for (;;) {
        int64_t chunk = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (chunk >= p->n_chunks) return;
        p->fn(p->ctx, chunk, index);
    }
}

// --- workers ------------------------------------------------------------------------------------

static bool is_new(uint64_t gate, uint64_t last_serial)
{
    if (gate & GATE_QUIT) return true;
    return (gate & GATE_OPEN) && gate >> GATE_SERIAL_SHIFT != last_serial;
}

static bool spin_for_work(pool *p, uint64_t last_serial)
{
    if (p->spin_ns == 0) return is_new(load_gate(p), last_serial);
    uint64_t until = os_now_ns() + p->spin_ns;
    do {
        for (int i = 0; i < SPIN_BATCH; i++) {
            if (is_new(load_gate(p), last_serial)) return true;
            os_cpu_relax();
        }
    } while (os_now_ns() < until);
    return false;
}

// The sleeper announces itself, then looks at the gate; pool_run changes the gate, then looks for
// sleepers. Both in sequentially consistent order: one of the two sees the other.
static void sleep_for_work(pool *p, uint64_t last_serial)
{
    os_mutex_lock(p->mutex);
    atomic_fetch_add(&p->sleepers, 1);
    while (!is_new(atomic_load(&p->gate), last_serial)) os_cond_wait(p->work_cond, p->mutex);
    atomic_fetch_sub(&p->sleepers, 1);
    os_mutex_unlock(p->mutex);
}

// True when this worker is inside the gate; *serial is then the job's.
static bool enter_gate(pool *p, uint64_t *serial)
{
    uint64_t gate = load_gate(p);
    while (is_new(gate, *serial) && !(gate & GATE_QUIT)) {
        if (atomic_compare_exchange_weak_explicit(&p->gate, &gate, gate + 1, memory_order_acquire,
                                                  memory_order_acquire)) {
            *serial = gate >> GATE_SERIAL_SHIFT;
            return true;
        }
    }
    return false;
}

static void leave_gate(pool *p)
{
    uint64_t gate = atomic_fetch_sub_explicit(&p->gate, 1, memory_order_acq_rel);
    if ((gate & GATE_INSIDE) != 1 || !(gate & GATE_WAITER)) return;
    os_mutex_lock(p->mutex); // the waiter is in os_cond_wait or has not looked yet
    os_cond_signal(p->done_cond);
    os_mutex_unlock(p->mutex);
}

static void run_worker(void *arg)
{
    worker *w = arg;
    pool *p = w->owner;
    uint64_t serial = 0;
    while (!(load_gate(p) & GATE_QUIT)) {
        if (enter_gate(p, &serial)) {
            work(p, w->index);
            leave_gate(p);
        }
        if (!spin_for_work(p, serial)) sleep_for_work(p, serial);
    }
}

// --- the caller ---------------------------------------------------------------------------------

static void open_gate(pool *p)
{
    uint64_t serial = (load_gate(p) >> GATE_SERIAL_SHIFT) + 1;
    atomic_store(&p->gate, serial << GATE_SERIAL_SHIFT | GATE_OPEN);
    if (atomic_load(&p->sleepers) == 0) return;
    os_mutex_lock(p->mutex);
    if (p->n_chunks >= p->n_threads) os_cond_broadcast(p->work_cond);
    else for (int64_t i = 1; i < p->n_chunks; i++) os_cond_signal(p->work_cond);
    os_mutex_unlock(p->mutex);
}

static bool spin_until_empty(pool *p)
{
    if (!(load_gate(p) & GATE_INSIDE)) return true;
    if (p->spin_ns == 0) return false;
    uint64_t until = os_now_ns() + p->spin_ns;
    do {
        for (int i = 0; i < SPIN_BATCH; i++) {
            if (!(load_gate(p) & GATE_INSIDE)) return true;
            os_cpu_relax();
        }
    } while (os_now_ns() < until);
    return false;
}

static void close_gate(pool *p)
{
    atomic_fetch_and_explicit(&p->gate, ~GATE_OPEN, memory_order_acq_rel);
    if (spin_until_empty(p)) return;
    os_mutex_lock(p->mutex);
    atomic_fetch_or_explicit(&p->gate, GATE_WAITER, memory_order_acq_rel);
    while (load_gate(p) & GATE_INSIDE) os_cond_wait(p->done_cond, p->mutex);
    os_mutex_unlock(p->mutex);
}

void pool_run(pool *p, int64_t n_chunks, pool_fn fn, void *ctx)
{
    ASSERT(n_chunks >= 0);
    if (!p || p->n_threads == 1 || n_chunks <= 1) {
        for (int64_t i = 0; i < n_chunks; i++) fn(ctx, i, 0);
        return;
    }
    ASSERT(!(load_gate(p) & (GATE_INSIDE | GATE_OPEN))); // not reentrant
    p->fn = fn;
    p->ctx = ctx;
    p->n_chunks = n_chunks;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    open_gate(p);
    work(p, 0);
    close_gate(p);
}

int pool_threads(const pool *p)
{
    return p ? p->n_threads : 1;
}

// --- life ---------------------------------------------------------------------------------------

static hearth_status start_workers(pool *p, hearth_err *err)
{
    p->workers = mem_alloc_zero(MEM_THREADS, (size_t)p->n_threads - 1, sizeof *p->workers);
    if (!p->workers) return err_fail(err, HEARTH_E_NOMEM, "out of memory for the thread pool");
    HEARTH_TRY(os_mutex_create(&p->mutex, err)); // pool_create frees all on failure
    HEARTH_TRY(os_cond_create(&p->work_cond, err));
    HEARTH_TRY(os_cond_create(&p->done_cond, err));
    for (int i = 1; i < p->n_threads; i++) {
        worker *w = &p->workers[i - 1];
        w->owner = p;
        w->index = i;
        HEARTH_TRY(os_thread_start(run_worker, w, &w->thread, err));
        p->n_started++;
    }
    return HEARTH_OK;
}

hearth_status pool_create(int n_threads, pool **out, hearth_err *err)
{
    *out = NULL;
    if (n_threads < 1 || n_threads > LIMIT_THREADS)
        return err_fail(err, HEARTH_E_ARG, "%d threads: expected 1 to %d", n_threads,
                        LIMIT_THREADS);
    pool *p = mem_alloc_zero(MEM_THREADS, 1, sizeof *p);
    if (!p) return err_fail(err, HEARTH_E_NOMEM, "out of memory for the thread pool");
    p->n_threads = os_has_threads() ? n_threads : 1;
    p->spin_ns = n_threads <= os_cpu_count() ? SPIN_NS : 0;
    atomic_init(&p->gate, 0);
    atomic_init(&p->next, 0);
    atomic_init(&p->sleepers, 0);
    hearth_status status = p->n_threads > 1 ? start_workers(p, err) : HEARTH_OK;
    if (status != HEARTH_OK) {
        pool_free(p);
        return status;
    }
    *out = p;
    return HEARTH_OK;
}

void pool_free(pool *p)
{
    if (!p) return;
    if (p->n_started > 0) {
        os_mutex_lock(p->mutex);
        atomic_fetch_or(&p->gate, GATE_QUIT);
        os_cond_broadcast(p->work_cond);
        os_mutex_unlock(p->mutex);
    }
    for (int i = 0; i < p->n_started; i++) os_thread_join(p->workers[i].thread);
    os_cond_free(p->work_cond);
    os_cond_free(p->done_cond);
    os_mutex_free(p->mutex);
    mem_free(p->workers);
    mem_free(p);
}
