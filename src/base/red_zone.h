// Marks bytes that nobody may touch, where AddressSanitizer is there to watch; nothing elsewhere.
//
// ASan knows the blocks of malloc() but not what we cut out of them. With these two calls an access
// to a block's header, to the gap between two blocks of an arena or to its unused end is reported.
// ASan rounds to 8 bytes: a region's start must be a multiple of 8.
#ifndef HEARTH_BASE_RED_ZONE_H
#define HEARTH_BASE_RED_ZONE_H

#include "defs/defs.h"

#if defined(__SANITIZE_ADDRESS__)
#define RED_ZONES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RED_ZONES 1
#endif
#endif
#ifndef RED_ZONES
#define RED_ZONES 0
#endif

#if RED_ZONES
#include <sanitizer/asan_interface.h>
static inline void red_zone_set(const void *p, size_t n) { __asan_poison_memory_region(p, n); }
static inline void red_zone_clear(const void *p, size_t n) { __asan_unpoison_memory_region(p, n); }
#else
static inline void red_zone_set(const void *p, size_t n) { (void)p, (void)n; }
static inline void red_zone_clear(const void *p, size_t n) { (void)p, (void)n; }
#endif

#endif
