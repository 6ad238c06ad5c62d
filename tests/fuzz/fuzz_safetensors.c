// Fuzzes the safetensors reader; what it accepts must lie in the input and cover its data once.
#include <stdlib.h>

#include "fmt/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok) abort();
}

static void check_tensor(const safetensors *s, size_t i, const uint8_t *data, size_t size)
{
    const st_tensor *t = safetensors_at(s, i);
    size_t items = 1;
    for (int d = 0; d < t->n_dims; d++) items *= (size_t)t->dim[d];
    require(safetensors_find(s, t->name) == t);
    require(items * st_type_bytes(t->type) == t->bytes);
    require(t->data >= data && t->data + t->bytes <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    safetensors *s;
    hearth_err err = ERR_INIT;
    hearth_status status = safetensors_open("f", data, size, &s, &err);
    require((status == HEARTH_OK) == (s != NULL) && (status == HEARTH_OK) == (err.msg[0] == 0));
    if (!s) return 0;
    size_t covered = 0, n = safetensors_count(s);
    for (size_t i = 0; i < n; i++) {
        check_tensor(s, i, data, size);
        covered += safetensors_at(s, i)->bytes;
    }
    uint64_t header = 0;
    for (int i = 0; i < 8; i++) header |= (uint64_t)data[i] << 8 * i;
    require(covered == size - 8 - (size_t)header);
    safetensors_close(s);
    return 0;
}
