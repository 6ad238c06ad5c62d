// Fuzzes the GGUF reader. An input is one file; or, when it begins with "2PRT", two parts of a
// split model: u32 length of the first (little endian), then the bytes of both.
#include <stdlib.h>
#include <string.h>

#include "support/gguf_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// In a heap block of its own, so that a read past a part is seen although the other follows.
static gguf_bytes copy_part(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    return (gguf_bytes){"fuzz", copy, size};
}

static void open_and_walk(const gguf_bytes *parts, int n_parts)
{
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    int count = 0;
    hearth_status s = gguf_open(parts, n_parts, &g, &err);
    if ((s == HEARTH_OK) != (g != NULL) || (s == HEARTH_OK) != (err.msg[0] == 0)) abort();
    if (g) gguf_walk(g);
    gguf_close(g);
    gguf_split_count(&parts[0], &count, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gguf_bytes parts[2];
    int n_parts = 1;
    if (size >= 8 && memcmp(data, "2PRT", 4) == 0) {
        size_t n = (size_t)data[4] | (size_t)data[5] << 8 | (size_t)data[6] << 16;
        n = size_min(n, size - 8);
        parts[0] = copy_part(data + 8, n);
        parts[1] = copy_part(data + 8 + n, size - 8 - n);
        n_parts = 2;
    } else {
        parts[0] = copy_part(data, size);
    }
    open_and_walk(parts, n_parts);
    for (int i = 0; i < n_parts; i++) free((void *)(uintptr_t)parts[i].data);
    return 0;
}
