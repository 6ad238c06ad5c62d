// Fuzzes the .npy reader; what it accepts must lie in the input, and its header written again must
// be read as the same array.
#include <stdlib.h>
#include <string.h>

#include "fmt/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok) abort();
}

static void write_again(const npy *a)
{
    buf b;
    npy again;
    buf_init(&b, MEM_TEST, SIZE_MAX / 2);
    require(npy_header(a->type, a->n_dims, a->dim, &b, NULL) == HEARTH_OK);
    require(buf_append(&b, a->data, a->bytes) == HEARTH_OK);
    require(npy_parse(b.p, b.n, &again, NULL) == HEARTH_OK);
    require(again.type == a->type && again.n_dims == a->n_dims && again.bytes == a->bytes);
    require(memcmp(again.dim, a->dim, sizeof a->dim) == 0);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    npy a;
    hearth_err err = ERR_INIT;
    hearth_status s = npy_parse(data, size, &a, &err);
    require((s == HEARTH_OK) == (err.msg[0] == 0));
    if (s != HEARTH_OK) return 0;
    require(a.data + a.bytes == data + size);
    write_again(&a);
    return 0;
}
