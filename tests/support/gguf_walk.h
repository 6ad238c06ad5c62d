// Touches everything an opened model offers, so that a fuzzer or a test of damaged files notices a
// promise of gguf_open() that does not hold.
#ifndef TESTS_SUPPORT_GGUF_WALK_H
#define TESTS_SUPPORT_GGUF_WALK_H

#include "fmt/gguf.h"

// Calls every accessor for every key and tensor, checks what they must agree on (traps when they do
// not) and reads the first and last byte of each value and tensor. Returns a sum of what it read.
uint64_t gguf_walk(const gguf *g);

#endif
