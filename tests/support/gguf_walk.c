// See gguf_walk.h. Checks trap in all builds: a broken promise of the reader is a failure of the
// program that runs this, whatever it is.
#include "support/gguf_walk.h"

#include <string.h>

static void require(bool ok)
{
    if (!ok) TRAP();
}

static uint64_t read_ends(const uint8_t *p, size_t n)
{
    return n == 0 ? 0 : (uint64_t)p[0] + p[n - 1];
}

static uint64_t walk_strings(const gguf_kv *kv)
{
    uint64_t sum = 0;
    size_t offset = 0;
    for (uint64_t i = 0; i < kv->n; i++) {
        str s = gguf_next_string(kv, &offset);
        sum += read_ends((const uint8_t *)s.p, s.n);
    }
    require(offset == kv->data_bytes);
    require(gguf_next_string(kv, &offset).n == 0 && offset == kv->data_bytes);
    return sum;
}

static uint64_t walk_items(const gguf_kv *kv)
{
    uint64_t sum = 0;
    int64_t whole;
    double real;
    for (uint64_t i = 0; i < kv->n; i++) {
        if (gguf_item_i64(kv, i, &whole)) sum += (uint64_t)whole;
        if (gguf_item_f64(kv, i, &real) && real > 0) sum++;
    }
    require(!gguf_item_i64(kv, kv->n, &whole) && !gguf_item_f64(kv, kv->n, &real));
    return sum;
}

// All typed readers; those of other types refuse.
static uint64_t walk_typed(const gguf *g, const char *key)
{
    uint64_t u = 0;
    float f = 0;
    bool b = false, found;
    str s = STR("");
    gguf_get_u64(g, key, UINT64_MAX, &u, &found, NULL);
    require(found);
    gguf_get_f32(g, key, &f, NULL, NULL);
    require(f - f == 0); // finite
    gguf_get_bool(g, key, &b, NULL, NULL);
    gguf_get_str(g, key, &s, NULL, NULL);
    return u + (f > 0) + b + read_ends((const uint8_t *)s.p, s.n);
}

static uint64_t walk_kv(const gguf *g, const gguf_kv *kv)
{
    uint64_t sum = read_ends(kv->data, kv->data_bytes);
    require(kv->key.n > 0 && kv->n <= kv->data_bytes);
    require(strcmp(gguf_type_name(kv->type), "unknown") != 0);
    if (kv->item_type == GGUF_STRING) sum += walk_strings(kv);
    else if (kv->item_type != GGUF_ARRAY) sum += walk_items(kv);
    char key[256];
    if (kv->key.n >= sizeof key || memchr(kv->key.p, 0, kv->key.n)) return sum;
    memcpy(key, kv->key.p, kv->key.n);
    key[kv->key.n] = 0;
    require(gguf_find(g, key) == kv);
    return sum + walk_typed(g, key);
}

static uint64_t walk_tensor(const gguf *g, const gguf_tensor *t)
{
    require(t->name.n > 0 && t->name.n <= LIMIT_GGUF_TENSOR_NAME);
    require(dtype_known((uint32_t)t->type) && t->n_dims >= 1 && t->n_dims <= LIMIT_TENSOR_DIMS);
    int64_t n = 1;
    for (int i = 0; i < LIMIT_TENSOR_DIMS; i++) {
        require(t->dim[i] > 0 && (i < t->n_dims || t->dim[i] == 1));
        require(mul_ok_i64(n, t->dim[i], &n));
    }
    size_t bytes = 0;
    require(dtype_bytes(t->type, n, &bytes) && bytes == t->bytes);
    char name[LIMIT_GGUF_TENSOR_NAME + 1] = {0};
    memcpy(name, t->name.p, t->name.n);
    if (!memchr(name, 0, t->name.n)) require(gguf_find_tensor(g, name) == t);
    return read_ends(t->data, t->bytes);
}

uint64_t gguf_walk(const gguf *g)
{
    uint64_t sum = (uint64_t)gguf_version(g);
    for (size_t i = 0; i < gguf_kv_count(g); i++) sum += walk_kv(g, gguf_kv_at(g, i));
    for (size_t i = 0; i < gguf_tensor_count(g); i++) sum += walk_tensor(g, gguf_tensor_at(g, i));
    return sum;
}
