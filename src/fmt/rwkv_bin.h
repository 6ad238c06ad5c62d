// Models of rwkv.cpp (".bin"), given again as GGUF.
//
// The format has parameters under PyTorch's names one after the other, without an index and without
// alignment, and no other metadata than four sizes. Version 7 of the network is written as a GGUF
// "rwkv7" with the keys and tensor names of llama.cpp's converter; quantised blocks stay as they
// are. Versions 4 to 6 are refused by name.
#ifndef HEARTH_FMT_RWKV_BIN_H
#define HEARTH_FMT_RWKV_BIN_H

#include "fmt/gguf_write.h"

// Do the bytes begin as such a file does?
bool rwkv_bin_is(const uint8_t *data, size_t size);
// Proves the file and streams the GGUF to the sink. A vocabulary of 256 is one of bytes and gets a
// tokenizer; that of larger models is published beside them and cannot be given.
hearth_status rwkv_bin_to_gguf(const uint8_t *data, size_t size, gguf_sink sink, void *ctx,
                               hearth_err *err);

#endif
