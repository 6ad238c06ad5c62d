// Fills the kernel table: the reference first, then one level after the other. A level that the
// mask or the processor lacks ends its family, because each level builds on the one before.
#include "kern/kern_int.h"

static void fill_reference(kern *k)
{
    kern_fill_ref_dequant(k);
    kern_fill_ref_act(k);
    kern_fill_ref_matmul(k);
    kern_fill_ref_decoded(k);
    kern_fill_ref_vec(k);
    kern_fill_ref_recur(k);
    kern_fill_ref_delta(k);
    kern_fill_ref_attn(k);
}

#if defined(__x86_64__)
static void fill_native(kern *k, unsigned cpu)
{
    if (!(cpu & CPU_AVX2)) return;
    kern_fill_vec_avx2(k);
    kern_fill_quant_avx2(k);
    kern_fill_decoded_avx2(k);
    k->cpu |= CPU_AVX2;
    if (!(cpu & CPU_AVX512)) return;
    kern_fill_vec_avx512(k);
    kern_fill_decoded_avx512(k);
    k->cpu |= CPU_AVX512;
    if (!(cpu & CPU_AVX512_VNNI)) return;
    kern_fill_quant32_vnni(k);
    kern_fill_quantk_vnni(k);
    k->cpu |= CPU_AVX512_VNNI;
}
#elif defined(__aarch64__)
static void fill_native(kern *k, unsigned cpu)
{
    if (!(cpu & CPU_NEON)) return;
    kern_fill_vec_neon(k);
    kern_fill_act_neon(k);
    kern_fill_quant_neon(k);
    kern_fill_decoded_neon(k);
    k->cpu |= CPU_NEON;
    if (!(cpu & CPU_DOTPROD)) return;
    kern_fill_quant_dotprod(k);
    k->cpu |= CPU_DOTPROD;
}
#else
static void fill_native(kern *k, unsigned cpu)
{
    (void)k;
    (void)cpu;
}
#endif

void kern_init(kern *k, unsigned cpu)
{
    *k = (kern){0};
    fill_reference(k);
    fill_native(k, cpu & cpu_detect());
}

act_kind kern_act_kind(dtype weights)
{
    switch (weights) {
    case DTYPE_Q4_0:
    case DTYPE_Q8_0: return ACT_Q8_32;
    case DTYPE_Q4_K:
    case DTYPE_Q6_K: return ACT_Q8_256;
    default: return ACT_F32;
    }
}

// Integers and doubles come as tables and scalars; no published model has matrices of them.
bool kern_can_matmul(dtype t)
{
    switch (t) {
    case DTYPE_I8:
    case DTYPE_I16:
    case DTYPE_I32:
    case DTYPE_I64:
    case DTYPE_F64: return false;
    default: return dtype_known((uint32_t)t);
    }
}
