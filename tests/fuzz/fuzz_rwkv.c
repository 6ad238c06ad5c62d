// Fuzzes the reader of rwkv.cpp's files: what it accepts must be a GGUF that the GGUF reader
// accepts, with every parameter in it.
#include <stdlib.h>
#include <string.h>

#include "fmt/rwkv_bin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok) abort();
}

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buf made;
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    buf_init(&made, MEM_TEST, (size_t)1 << 30);
    hearth_status s = rwkv_bin_to_gguf(data, size, append, &made, &err);
    require((s == HEARTH_OK) == (err.msg[0] == 0));
    if (s == HEARTH_OK) {
        const gguf_bytes part = {NULL, (const uint8_t *)made.p, made.n};
        require(rwkv_bin_is(data, size));
        require(gguf_open(&part, 1, &g, NULL) == HEARTH_OK);
        size_t bytes = 0;
        for (size_t i = 0; i < gguf_tensor_count(g); i++) bytes += gguf_tensor_at(g, i)->bytes;
        require(bytes < size && gguf_find_tensor(g, "blk.0.time_mix_r_k.weight"));
        gguf_close(g);
    }
    buf_release(&made);
    return 0;
}
