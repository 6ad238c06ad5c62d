// Private to kern/: the fill functions, one per file. Each overrides the slots of the table that
// its file implements; everything else in those files is static, so no instruction of a higher
// level can leak into baseline code through a shared inline function.
#ifndef HEARTH_KERN_KERN_INT_H
#define HEARTH_KERN_KERN_INT_H

#include "kern/kern.h"

// The reference, in every build.
void kern_fill_ref_dequant(kern *k);
void kern_fill_ref_act(kern *k);
void kern_fill_ref_matmul(kern *k);
void kern_fill_ref_decoded(kern *k);
void kern_fill_ref_vec(kern *k);
void kern_fill_ref_attn(kern *k);
void kern_fill_ref_recur(kern *k);
void kern_fill_ref_delta(kern *k);

// Of every level: the decay of RWKV-7 is exp(-RWKV7_DECAY sigmoid(w)), e^-0.5.
#define RWKV7_DECAY 0x1.368b30p-1f
#define RWKV7_NORM_MIN 1e-12f // a shorter key is not stretched to length 1

#define MATCH_RMS_MIN 1e-5f // a smaller mean of squares counts as this much

// x86: CPU_AVX2
void kern_fill_vec_avx2(kern *k);
void kern_fill_quant_avx2(kern *k);
void kern_fill_decoded_avx2(kern *k);
// CPU_AVX512
void kern_fill_vec_avx512(kern *k);
void kern_fill_decoded_avx512(kern *k);
// CPU_AVX512_VNNI
void kern_fill_quant32_vnni(kern *k);
void kern_fill_quantk_vnni(kern *k);

// Arm: CPU_NEON
void kern_fill_vec_neon(kern *k);
void kern_fill_act_neon(kern *k);
void kern_fill_quant_neon(kern *k);
void kern_fill_decoded_neon(kern *k);
// CPU_DOTPROD, on the activations of CPU_NEON
void kern_fill_quant_dotprod(kern *k);

#endif
