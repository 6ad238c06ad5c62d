// Codebooks of the IQ tensor types: vectors of levels that files refer to by index.
//
// A vector is one word: eight codes of 2 bits or four codes of 3 bits, the first element in the
// lowest bits; decode_iq.h says which level a code stands for. 9 KB in all, where tables of
// finished levels take 33 KB: decoding is then limited by the shifts, but the tables stay in the
// first cache beside the weights.
#ifndef HEARTH_KERN_CODEBOOK_H
#define HEARTH_KERN_CODEBOOK_H

#include "defs/defs.h"

extern const uint16_t kern_codebook_iq2_xxs[256]; // 8 codes of 3 levels
extern const uint16_t kern_codebook_iq2_xs[512];
extern const uint16_t kern_codebook_iq2_s[1024];
extern const uint16_t kern_codebook_iq3_xxs[256]; // 4 codes of 8 levels
extern const uint16_t kern_codebook_iq3_s[512];
extern const uint16_t kern_codebook_iq1[2048]; // 8 codes of 3 levels; IQ1_S and IQ1_M

#endif
