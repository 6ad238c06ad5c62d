// One printable character for each byte, as byte-level vocabularies are spelled: 0x21-0x7E,
// 0xA1-0xAC and 0xAE-0xFF are themselves, the other 68 bytes, in order, are U+0100 and up (a space
// is U+0120).
#ifndef HEARTH_TOK_BYTE_CHAR_H
#define HEARTH_TOK_BYTE_CHAR_H

#include "defs/defs.h"

enum { BYTE_CHAR_END = 0x144 }; // all are below

static inline uint32_t byte_char_of(uint8_t b)
{
    if (b <= 0x20) return 0x100u + b;
    if (b >= 0x7F && b <= 0xA0) return 0x121u + b - 0x7F;
    return b == 0xAD ? 0x143 : b;
}

// -1 for characters that stand for no byte.
static inline int byte_char_value(uint32_t cp)
{
    if (cp >= 0x100 && cp <= 0x120) return (int)(cp - 0x100);
    if (cp >= 0x121 && cp <= 0x142) return (int)(cp - 0x121 + 0x7F);
    if (cp == 0x143) return 0xAD;
    return cp < 0x100 && byte_char_of((uint8_t)cp) == cp ? (int)cp : -1;
}

#endif
