// Main program of checkkern; see check.h.
//
//   checkkern [--cpu NAME] [--list] [--bench] [FILTER]
//
// --cpu NAME stops at that level ("none", "avx2", ...); FILTER keeps the slots whose name, like
// "matmul[Q4_0]", contains it. The last line on stdout is "N passed, N failed".
#if !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE 1 // sigsetjmp, MAP_ANONYMOUS
#endif

#include "check/check.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PRINTED = 4, SEED = 20240607 };
enum mode { MODE_CHECK, MODE_LIST, MODE_BENCH };

static struct {
    enum mode mode;
    const char *filter;
    const char *isa; // of the table under test
    char slot[64];   // "" before the first
    int slot_failures;
    int passed, failed;
} run;

// --- slots --------------------------------------------------------------------------------------
static void close_slot(void)
{
    if (!run.slot[0]) return;
    run.passed += run.slot_failures == 0;
    run.failed += run.slot_failures != 0;
    if (run.slot_failures > MAX_PRINTED)
        fprintf(stderr, "%s on %s: %d more\n", run.slot, run.isa, run.slot_failures - MAX_PRINTED);
    run.slot[0] = 0;
}

bool check_slot(const char *name, const char *type, bool changed)
{
    if (!changed) return false;
    char slot[sizeof run.slot];
    snprintf(slot, sizeof slot, type ? "%s[%s]" : "%s", name, type);
    if (run.filter && !strstr(slot, run.filter)) return false;
    if (run.mode == MODE_LIST) {
        printf("%-24s %s\n", slot, run.isa);
        return false;
    }
    if (run.mode == MODE_BENCH) return true;
    close_slot();
    memcpy(run.slot, slot, sizeof slot);
    run.slot_failures = 0;
    check_seed(SEED);
    return true;
}

void check_fail(const char *fmt, ...)
{
    if (run.slot_failures++ >= MAX_PRINTED) return;
    fprintf(stderr, "%s on %s (seed %d): ", run.slot, run.isa, SEED);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

bool check_failed(void)
{
    return run.slot_failures > MAX_PRINTED;
}

// --- signals ------------------------------------------------------------------------------------
static sigjmp_buf recovery;
static volatile sig_atomic_t is_armed;

static void on_signal(int signal_number)
{
    if (!is_armed) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
        return;
    }
    siglongjmp(recovery, signal_number);
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    for (size_t i = 0; i < COUNTOF(numbers); i++) sigaction(numbers[i], &action, NULL);
}

bool check_call(void (*fn)(void *), void *arg)
{
    int caught = sigsetjmp(recovery, 1);
    if (caught) {
        is_armed = 0;
        check_fail("signal %d (%s)", caught, caught == SIGILL ? "illegal instruction" : "memory");
        return false;
    }
    is_armed = 1;
    fn(arg);
    is_armed = 0;
    return true;
}

// --- random numbers: xorshift64* (Vigna 2016) ---------------------------------------------------
static uint64_t random_state;

void check_seed(uint64_t seed)
{
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
}

uint64_t check_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

float check_uniform(float lo, float hi)
{
    return lo + (hi - lo) * (float)(check_random() >> 40) * 0x1p-24f;
}

float check_normal(void) // a sum of twelve uniforms has variance 1
{
    float sum = -6.0f;
    for (int i = 0; i < 12; i++) sum += check_uniform(0.0f, 1.0f);
    return sum;
}

// --- fills --------------------------------------------------------------------------------------
const char *const fill_names[FILL_COUNT] = {"min",  "max",  "alternating", "sparse", "random",
                                            "wide", "zero", "infinity",    "nan"};

static float fill_value(fill f, int64_t i)
{
    switch (f) {
    case FILL_MIN: return -3.5f;
    case FILL_MAX: return 3.5f;
    case FILL_ALTERNATING: return i % 2 ? -3.5f : 3.5f;
    case FILL_SPARSE: return check_random() % 16 ? 0.0f : check_normal();
    case FILL_WIDE: return ldexpf(check_normal(), (int)(check_random() % 160) - 147);
    case FILL_ZERO: return 0.0f;
    default: return check_normal();
    }
}

void check_fill(float *x, int64_t n, fill f)
{
    for (int64_t i = 0; i < n; i++) x[i] = fill_value(f, i);
    if (n == 0) return;
    size_t at = (size_t)(check_random() % (uint64_t)n);
    if (f == FILL_INF) x[at] = check_random() % 2 ? INFINITY : -INFINITY;
    if (f == FILL_NAN) x[at] = NAN;
}

// --- guarded memory -----------------------------------------------------------------------------
guarded guarded_new(size_t n, edge e)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = align_up(n ? n : 1, page);
    guarded g = {NULL, NULL, body + 2 * page};
    g.base = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.base == MAP_FAILED || mprotect(g.base, page, PROT_NONE) ||
        mprotect((char *)g.base + page + body, page, PROT_NONE)) {
        perror("checkkern: mmap");
        exit(1);
    }
    g.data = (char *)g.base + page + (e == EDGE_END ? body - n : 0);
    memset(g.data, 0xA5, n);
    return g;
}

void guarded_free(guarded *g)
{
    munmap(g->base, g->mapped);
    *g = (guarded){0};
}

// --- judgement ----------------------------------------------------------------------------------
bool same_bits(const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (isnan(a[i]) && isnan(b[i])) continue;
        if (memcmp(&a[i], &b[i], sizeof *a)) return false;
    }
    return true;
}

bool within(float got, double want, double bound)
{
    if (isnan(want)) return isnan(got);
    if (isinf(want)) return isinf(got) && (got > 0) == (want > 0);
    return fabs((double)got - want) <= bound; // false for NaN
}

// --- measurement --------------------------------------------------------------------------------
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); // a busy neighbour counts less than by the wall
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double time_batch(void (*fn)(void *), void *arg, int n)
{
    double t0 = now();
    for (int i = 0; i < n; i++) fn(arg);
    return (now() - t0) / n;
}

double bench_seconds(void (*fn)(void *), void *arg)
{
    double once = time_batch(fn, arg, 1);
    int n = once < 0.02 ? (int)(0.02 / (once + 1e-8)) + 1 : 1;
    double best = once;
    for (int i = 0; i < 7; i++) {
        double t = time_batch(fn, arg, n);
        if (t < best) best = t;
    }
    return best;
}

void bench_report(const char *slot, const char *type, const char *shape, double seconds,
                  double bytes, double macs, double ref_seconds)
{
    printf("{\"slot\":\"%s\",\"type\":\"%s\",\"isa\":\"%s\",\"shape\":\"%s\",\"us\":%.3f,"
           "\"gb_s\":%.2f,\"gmac_s\":%.2f,\"x_ref\":%.2f}\n",
           slot, type, run.isa, shape, seconds * 1e6, bytes / seconds * 1e-9,
           macs / seconds * 1e-9, ref_seconds > 0 ? ref_seconds / seconds : 1.0);
    fflush(stdout);
}

// --- main ---------------------------------------------------------------------------------------
static const check_family *const families[] = {&check_dequant, &check_act, &check_matmul,
                                               &check_vec, &check_attn, &check_recur,
                                               &check_delta};

static const char *const levels[] = {"none", "avx2", "avx512", "avx512vnni", "neon", "dotprod"};

static void run_level(const kern *k, const kern *below)
{
    for (size_t i = 0; i < COUNTOF(families); i++) {
        if (run.mode == MODE_BENCH && families[i]->bench) families[i]->bench(k, below);
        if (run.mode != MODE_BENCH) families[i]->run(k, below);
    }
    close_slot();
}

static void run_levels(unsigned limit)
{
    kern below = {0}; // no slot is NULL in the reference, so there every slot counts as changed
    for (size_t i = 0; i < COUNTOF(levels); i++) {
        unsigned mask;
        if (!cpu_mask_from_name(levels[i], &mask) || (mask & ~limit)) continue;
        kern k;
        kern_init(&k, mask);
        if (k.cpu != mask) {
            fprintf(stderr, "not tested: %s, which this processor or build lacks\n", levels[i]);
            continue;
        }
        run.isa = i == 0 ? "reference" : levels[i];
        run_level(&k, &below);
        below = k;
    }
}

static int print_usage(void)
{
    fputs("usage: checkkern [--cpu NAME] [--list] [--bench] [FILTER]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    unsigned limit = CPU_ALL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) run.mode = MODE_LIST;
        else if (!strcmp(argv[i], "--bench")) run.mode = MODE_BENCH;
        else if (!strcmp(argv[i], "--cpu") && i + 1 < argc) {
            if (!cpu_mask_from_name(argv[++i], &limit)) return print_usage();
        } else if (argv[i][0] == '-' || run.filter) return print_usage();
        else run.filter = argv[i];
    }
    catch_signals();
    run_levels(limit);
    if (run.mode == MODE_CHECK) printf("%d passed, %d failed\n", run.passed, run.failed);
    return run.failed ? 1 : 0;
}
