// What the processor can do, and names for it.
//
// On x86 an instruction set counts only if the operating system saves its registers, which XGETBV
// tells. On aarch64 Advanced SIMD is part of the architecture; later extensions can only be found
// by asking the operating system, which kern/ must not know, so they count when the compiler was
// told that they are there.
#include "kern/kern.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

// In ascending order of strength: each name stands for its flag and those above it in its family.
static const struct isa {
    const char *name;
    unsigned flag, implies;
} isas[] = {
    {"avx2", CPU_AVX2, 0},
    {"avx512", CPU_AVX512, CPU_AVX2},
    {"avx512vnni", CPU_AVX512_VNNI, CPU_AVX512 | CPU_AVX2},
    {"neon", CPU_NEON, 0},
    {"dotprod", CPU_DOTPROD, CPU_NEON},
};

#if defined(__x86_64__)
static uint64_t read_xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool has_bits(uint64_t word, uint64_t bits)
{
    return (word & bits) == bits;
}

unsigned cpu_detect(void)
{
    const unsigned leaf1_ecx = bit_FMA | bit_OSXSAVE | bit_AVX | bit_F16C;
    const unsigned avx512_ebx = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    const uint64_t ymm_state = 0x06, zmm_state = 0xE6; // SSE, AVX; and opmask, ZMM halves

    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has_bits(c, leaf1_ecx)) return 0;
    uint64_t saved = read_xcr0();
    if (!has_bits(saved, ymm_state) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (!has_bits(b, bit_AVX2 | bit_BMI2)) return 0;
    if (!has_bits(saved, zmm_state) || !has_bits(b, avx512_ebx)) return CPU_AVX2;
    if (!has_bits(c, bit_AVX512VNNI)) return CPU_AVX2 | CPU_AVX512;
    return CPU_AVX2 | CPU_AVX512 | CPU_AVX512_VNNI;
}
#elif defined(__aarch64__)
unsigned cpu_detect(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return CPU_NEON | CPU_DOTPROD;
#else
    return CPU_NEON;
#endif
}
#else
unsigned cpu_detect(void)
{
    return 0;
}
#endif

char *cpu_names(unsigned cpu, char out[96])
{
    size_t n = 0;
    for (size_t i = 0; i < COUNTOF(isas); i++) {
        if (!(cpu & isas[i].flag)) continue;
        if (n) out[n++] = ' ';
        size_t len = strlen(isas[i].name);
        memcpy(out + n, isas[i].name, len);
        n += len;
    }
    out[n] = 0;
    return out;
}

bool cpu_mask_from_name(const char *name, unsigned *out)
{
    if (!strcmp(name, "none")) {
        *out = 0;
        return true;
    }
    for (size_t i = 0; i < COUNTOF(isas); i++) {
        if (strcmp(name, isas[i].name)) continue;
        *out = isas[i].flag | isas[i].implies;
        return true;
    }
    return false;
}
