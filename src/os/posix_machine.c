// What this process may use of the machine: processors and memory; see os.h.
//
// The machine's own figures mislead in a container, so the limits of the control groups apply. Both
// hierarchies are read; a limit of any ancestor counts:
//
//   /proc/self/cgroup   0::/user.slice/x            v2   /sys/fs/cgroup/user.slice/x/memory.max
//                       4:cpu,memory:/docker/abc    v1   /sys/fs/cgroup/memory/docker/abc/...
//
// Inside a container the path is often not visible at all; the root of the mount is tried too.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"

#if defined(__linux__)

enum { TEXT_CAP = 4096, PATH_CAP = 1024 };

// Up to cap - 1 bytes of a small file, NUL-terminated; "" when it cannot be read.
static const char *read_text(const char *path, char *text, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, cap - 1);
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = 0;
    return text;
}

// The path of this process's group: for "" the v2 line, else the v1 line that names `controller`.
static bool find_group(const char *controller, char *path, size_t cap)
{
    char text[TEXT_CAP];
    read_text("/proc/self/cgroup", text, sizeof text);
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        char *names = strchr(line, ':');
        char *where = names ? strchr(names + 1, ':') : NULL;
        if (!where) continue;
        *where++ = 0;
        names++;
        if (*controller ? !strstr(names, controller) : *names != 0) continue;
        return (size_t)snprintf(path, cap, "%s", where) < cap;
    }
    return false;
}

// "max", a missing file and v1's huge default all count as no limit.
static uint64_t parse_limit(const char *text)
{
    if (*text < '0' || *text > '9') return UINT64_MAX;
    return strtoull(text, NULL, 10);
}

// Calls fn for `file` of the group and each ancestor up to the root of the hierarchy.
static void visit_groups(const char *mount, const char *controller, const char *file,
                         void (*fn)(void *ctx, const char *dir, const char *text), void *ctx)
{
    char group[PATH_CAP] = "", path[2 * PATH_CAP], text[256];
    if (!find_group(controller, group, sizeof group)) return;
    for (;;) {
        size_t n = strlen(group);
        if (n > 0 && group[n - 1] == '/') group[--n] = 0;
        snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
        read_text(path, text, sizeof text);
        path[strlen(path) - strlen(file)] = 0;
        if (*text) fn(ctx, path, text);
        char *slash = strrchr(group, '/');
        if (!slash) return;
        *slash = 0;
    }
}

typedef struct memory_limit {
    uint64_t total, left;
    const char *usage_file;
} memory_limit;

static void lower_memory(void *ctx, const char *dir, const char *text)
{
    memory_limit *m = ctx;
    uint64_t limit = parse_limit(text), used;
    char path[2 * PATH_CAP + 64], usage[64];
    if (limit < m->total) m->total = limit;
    snprintf(path, sizeof path, "%s%s", dir, m->usage_file);
    used = parse_limit(read_text(path, usage, sizeof usage));
    if (used == UINT64_MAX || limit == UINT64_MAX) return;
    uint64_t left = limit > used ? limit - used : 0;
    if (left < m->left) m->left = left;
}

// UINT64_MAX for what is not limited.
static memory_limit read_memory_limit(void)
{
    memory_limit m = {UINT64_MAX, UINT64_MAX, "memory.current"};
    visit_groups("/sys/fs/cgroup", "", "memory.max", lower_memory, &m);
    m.usage_file = "memory.usage_in_bytes";
    visit_groups("/sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", lower_memory, &m);
    return m;
}

// A line such as "MemTotal:       16384 kB" of /proc/meminfo, in bytes; 0 when it is not there.
static uint64_t read_meminfo(const char *name)
{
    char text[TEXT_CAP];
    const char *line = strstr(read_text("/proc/meminfo", text, sizeof text), name);
    return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

uint64_t os_memory_total(void)
{
    uint64_t machine = read_meminfo("MemTotal:"), limit = read_memory_limit().total;
    if (machine == 0) return limit == UINT64_MAX ? 0 : limit;
    return limit < machine ? limit : machine;
}

uint64_t os_memory_available(void)
{
    uint64_t machine = read_meminfo("MemAvailable:"), left = read_memory_limit().left;
    if (machine == 0) return left == UINT64_MAX ? 0 : left;
    return left < machine ? left : machine;
}

// cpu.max: "200000 100000" is two processors' worth of time, "max 100000" no limit.
static void lower_cpus(void *ctx, const char *dir, const char *text)
{
    (void)dir;
    int *cpus = ctx;
    char *end;
    if (*text < '0' || *text > '9') return;
    uint64_t quota = strtoull(text, &end, 10), period = strtoull(end, NULL, 10);
    if (period == 0) return;
    uint64_t whole = (quota + period - 1) / period;
    if (whole >= 1 && whole < (uint64_t)*cpus) *cpus = (int)whole;
}

int os_cpu_count(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    n = int_max(n, 1);
    visit_groups("/sys/fs/cgroup", "", "cpu.max", lower_cpus, &n);
    return n;
}

#else

uint64_t os_memory_total(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

uint64_t os_memory_available(void)
{
    return 0;
}

int os_cpu_count(void)
{
    return int_max((int)sysconf(_SC_NPROCESSORS_ONLN), 1);
}

#endif
