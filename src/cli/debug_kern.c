// `hearth debug kern`: which instruction sets are used, and for each kernel the strongest one that
// replaced it.
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "kern/kern.h"

// Levels in the order in which kern_init() climbs them.
typedef struct level { const char *name; unsigned mask; } level;
static const level levels[] = {
    {"reference", 0},
    {"avx2", CPU_AVX2},
    {"avx512", CPU_AVX2 | CPU_AVX512},
    {"avx512-vnni", CPU_AVX2 | CPU_AVX512 | CPU_AVX512_VNNI},
    {"neon", CPU_NEON},
    {"dotprod", CPU_NEON | CPU_DOTPROD},
};

typedef void (*any_fn)(void);
enum { SLOT_BYTES = sizeof(any_fn) };

// A slot is compared as bytes: the functions have many types, and only identity matters here.
typedef struct slot { char name[32]; size_t at; } slot;
enum { SLOTS_MAX = 5 * DTYPE_COUNT + 2 * ACT_COUNT + 32 };

static void add_slot(slot *slots, int *n, const char *name, const char *part, size_t at)
{
    slot *s = &slots[(*n)++];
    snprintf(s->name, sizeof s->name, "%s%s%s", name, *part ? " " : "", part);
    s->at = at;
}

static int list_slots(slot *slots)
{
    int n = 0;
    static const char *const acts[ACT_COUNT] = {"f32", "q8_32", "q8_256"};
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!dtype_known((uint32_t)t)) continue;
        const char *name = dtype_get((dtype)t)->name;
        size_t at = (size_t)t * SLOT_BYTES;
        add_slot(slots, &n, "dequant", name, offsetof(kern, dequant) + at);
        add_slot(slots, &n, "matmul", name, offsetof(kern, matmul) + at);
        add_slot(slots, &n, "cache_store", name, offsetof(kern, cache_store) + at);
        add_slot(slots, &n, "attn_page", name, offsetof(kern, attn_page) + at);
    }
    for (int a = 0; a < ACT_COUNT; a++) {
        add_slot(slots, &n, "act_pack", acts[a], offsetof(kern, act_pack) + (size_t)a * SLOT_BYTES);
    }
    add_slot(slots, &n, "rms_norm", "", offsetof(kern, rms_norm));
    add_slot(slots, &n, "silu_mul", "", offsetof(kern, silu_mul));
    add_slot(slots, &n, "layer_norm", "", offsetof(kern, layer_norm));
    add_slot(slots, &n, "gelu", "", offsetof(kern, gelu));
    add_slot(slots, &n, "gelu_mul", "", offsetof(kern, gelu_mul));
    add_slot(slots, &n, "swiglu_clamped", "", offsetof(kern, swiglu_clamped));
    add_slot(slots, &n, "gelu_erf", "", offsetof(kern, gelu_erf));
    add_slot(slots, &n, "gelu_erf_mul", "", offsetof(kern, gelu_erf_mul));
    add_slot(slots, &n, "soft_cap", "", offsetof(kern, soft_cap));
    add_slot(slots, &n, "add", "", offsetof(kern, add));
    add_slot(slots, &n, "mul", "", offsetof(kern, mul));
    add_slot(slots, &n, "lerp", "", offsetof(kern, lerp));
    add_slot(slots, &n, "relu_sqr", "", offsetof(kern, relu_sqr));
    add_slot(slots, &n, "sigmoid", "", offsetof(kern, sigmoid));
    add_slot(slots, &n, "short_conv", "", offsetof(kern, short_conv));
    add_slot(slots, &n, "rwkv7_head", "", offsetof(kern, rwkv7_head));
    add_slot(slots, &n, "delta_head", "", offsetof(kern, delta_head));
    add_slot(slots, &n, "scale", "", offsetof(kern, scale));
    add_slot(slots, &n, "add_scaled", "", offsetof(kern, add_scaled));
    add_slot(slots, &n, "rope_norm", "", offsetof(kern, rope_norm));
    add_slot(slots, &n, "rope_neox", "", offsetof(kern, rope_neox));
    return n;
}

// The last level that changed the slot; NULL when the slot is empty.
static const char *find_level(const slot *s, unsigned cpu)
{
    static const char empty[SLOT_BYTES];
    const char *found = NULL;
    char last[SLOT_BYTES] = {0};
    for (size_t i = 0; i < COUNTOF(levels); i++) {
        if ((levels[i].mask & cpu) != levels[i].mask) continue;
        kern k;
        kern_init(&k, levels[i].mask);
        const char *now = (const char *)&k + s->at;
        if (memcmp(now, empty, SLOT_BYTES) != 0 && memcmp(now, last, SLOT_BYTES) != 0) {
            found = levels[i].name;
            memcpy(last, now, SLOT_BYTES);
        }
    }
    return found;
}

static void print_json(cli *c, const slot *slots, int n, unsigned cpu)
{
    char names[96];
    json_writer w;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    put_text(&w, "cpu", str_from(cpu_names(cpu, names)));
    json_write_key(&w, "kernels");
    json_write_object(&w);
    for (int i = 0; i < n; i++) {
        const char *where = find_level(&slots[i], cpu);
        if (!where) continue;
        json_write_key(&w, slots[i].name);
        json_write_string(&w, str_from(where));
    }
    json_write_object_end(&w);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

hearth_status cmd_debug_kern(cli *c, void *args, hearth_err *err)
{
    const kern_args *a = args;
    unsigned cpu = CPU_ALL;
    char names[96];
    slot slots[SLOTS_MAX];
    if (a->cpu && !cpu_mask_from_name(a->cpu, &cpu)) {
        return cli_usage(c, err, "option '--cpu': '%s' is no instruction set", a->cpu);
    }
    cpu &= cpu_detect();
    int n = list_slots(slots);
    if (a->common.json) {
        print_json(c, slots, n, cpu);
        return HEARTH_OK;
    }
    out_printf(c, "processor: %s\n", *cpu_names(cpu, names) ? names : "reference only");
    for (int i = 0; i < n; i++) {
        const char *where = find_level(&slots[i], cpu);
        if (where) out_printf(c, "%-24s %s\n", slots[i].name, where);
    }
    return HEARTH_OK;
}
