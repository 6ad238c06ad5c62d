// Language-level vocabulary shared by every module: attributes, checked arithmetic, assertions.
//
// This is the only place that may use compiler extensions. Needs no library and no platform, so
// the same header serves a server, a browser and a microcontroller.
#ifndef HEARTH_DEFS_DEFS_H
#define HEARTH_DEFS_DEFS_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define ATTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_MUST_USE __attribute__((warn_unused_result))
#define ATTR_NOINLINE __attribute__((noinline))
#define ATTR_INLINE static inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TRAP() __builtin_trap()
#else
#error "Hearth is built with gcc or clang"
#endif

#if defined(__MINGW32__)
// The Microsoft C runtime's own printf lacks %zu and %lld; mingw's replacement has them.
#undef ATTR_PRINTF
#define ATTR_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#endif

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

// Programmer errors only; data from outside never reaches an ASSERT. On in debug, sanitizer,
// fuzz and test builds (HEARTH_ASSERTS=1).
#if HEARTH_ASSERTS
#define ASSERT(x) ((x) ? (void)0 : TRAP())
#else
#define ASSERT(x) ((void)sizeof((x) ? 1 : 0))
#endif

#define STATIC_ASSERT(x, msg) _Static_assert(x, msg)

// Checked arithmetic: true and the result in *out, or false and *out unspecified.
static inline bool add_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static inline bool mul_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool add_ok_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static inline bool mul_ok_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool mul_ok_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline size_t size_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t size_max(size_t a, size_t b) { return a > b ? a : b; }
static inline int64_t i64_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t i64_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int int_min(int a, int b) { return a < b ? a : b; }
static inline int int_max(int a, int b) { return a > b ? a : b; }
static inline float f32_min(float a, float b) { return a < b ? a : b; }
static inline float f32_max(float a, float b) { return a > b ? a : b; }

// `to` is a power of two. Wraps only if n > SIZE_MAX - to, which the caller has excluded.
static inline size_t align_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

#endif
