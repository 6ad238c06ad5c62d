// See weights.h.
//
// Tensors are bound one by one while a model is opened; the table has room for every tensor of the
// file from the start, so that ids and dev_weight pointers stay valid. Matrices stay where the file
// is mapped (the device borrows or copies them by wrap()). Vectors feed element-wise kernels that
// know only float32: other types are converted at binding by the device's own gather, since nothing
// above dev/ calls a kernel.
#include "nn/weights.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "nn/weights_int.h"

enum { FUSED_MAX = 3 }; // parts of a tensor: q, k and v

hearth_status weights_open(const gguf *g, dev *d, weights **out, hearth_err *err)
{
    *out = NULL;
    size_t cap = gguf_tensor_count(g);
    ASSERT(cap <= INT32_MAX / FUSED_MAX);
    weights *w = mem_alloc_zero(MEM_MODEL, 1, sizeof *w);
    cap *= FUSED_MAX;
    weight_entry *entry = mem_alloc_zero(MEM_MODEL, cap + 1, sizeof *entry);
    if (!w || !entry) {
        mem_free(w);
        mem_free(entry);
        return err_fail(err, HEARTH_E_NOMEM, "no memory for a table of %zu tensors", cap);
    }
    w->g = g;
    w->d = d;
    w->entry = entry;
    w->cap = (int32_t)cap;
    w->own_bytes = sizeof *w + (cap + 1) * sizeof *entry;
    *out = w;
    return HEARTH_OK;
}

static void free_deltas(weights *w, weight_entry *e)
{
    while (e->deltas) {
        weight_delta *next = e->deltas->next;
        w->d->ops->free(w->d, e->deltas->a.data.buf);
        w->d->ops->free(w->d, e->deltas->b.data.buf);
        mem_free(e->deltas);
        e->deltas = next;
    }
}

void weights_close(weights *w)
{
    if (!w) return;
    for (int32_t i = 0; i < w->n; i++) {
        free_deltas(w, &w->entry[i]);
        w->d->ops->free(w->d, w->entry[i].buf);
    }
    mem_free(w->entry);
    mem_free(w);
}

// What of a tensor becomes a weight: rows [first, first + n_out) of n_total, or all n_slices
// matrices [n_in, n_out]; of a vector of n_total values the n_in from `first` on; or n_slices
// vectors; or rows [first, first + n_out) of each of n_slices times n_total rows that follow each
// other in one matrix.
typedef struct tensor_part {
    int64_t n_in, n_total, n_slices, first, n_out;
    bool is_vector, is_flat;
    bool any_shape; // of a vector: its values may stand in any shape
    bool is_plain;  // one matrix that nn_linear() multiplies: adapters may add to it
} tensor_part;

// dim products are proven by gguf_open().
static hearth_status check_count(const char *name, const gguf_tensor *t, int64_t n, hearth_err *err)
{
    int64_t has = t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3];
    if (has != n)
        return err_fail(err, HEARTH_E_FORMAT, "tensor '%s': %lld values, expected %lld", name,
                        (long long)has, (long long)n);
    if (t->type == DTYPE_F32 || t->type == DTYPE_F16 || t->type == DTYPE_BF16) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "tensor '%s': type %s, expected F32, F16 or BF16",
                    name, dtype_get(t->type)->name);
}

static hearth_status check_tensor(const weights *w, const char *name, const gguf_tensor *t,
                                  const tensor_part *p, hearth_err *err)
{
    const int64_t *dim = t->dim;
    if (p->any_shape) return check_count(name, t, p->n_total, err);
    bool is_parted = p->is_vector && p->n_slices == 1;
    int64_t want[3] = {is_parted ? p->n_total : p->n_in,
                             p->is_vector ? p->n_slices : p->n_total,
                             p->is_vector ? 1 : p->n_slices};
    if (p->is_flat) {
        want[1] = p->n_total * p->n_slices;
        want[2] = 1;
    }
    if (dim[0] != want[0] || dim[1] != want[1] || dim[2] != want[2] || dim[3] != 1)
        return err_fail(err, HEARTH_E_FORMAT,
                        "tensor '%s': shape is [%lld, %lld, %lld, %lld], expected [%lld, %lld] "
                        "%lld times",
                        name, (long long)dim[0], (long long)dim[1], (long long)dim[2],
                        (long long)dim[3], (long long)want[0], (long long)want[1],
                        (long long)want[2]);
    if (!w->d->ops->can_matmul(w->d, t->type))
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "tensor '%s': weights of type %s cannot be multiplied", name,
                        dtype_get(t->type)->name);
    return HEARTH_OK;
}

// Replaces the wrapped vectors by their values as float32.
static hearth_status convert_vectors(weights *w, weight_entry *e, hearth_err *err)
{
    const dev_ops *ops = w->d->ops;
    size_t row_bytes = (size_t)e->w.n_in * sizeof(float);
    size_t bytes = row_bytes * (size_t)e->n_slices; // at most 32 times the file's
    dev_weight table = e->w;
    dev_buf *converted;
    table.n_out = e->n_slices;
    HEARTH_TRY(ops->alloc(w->d, MEM_MODEL, bytes, &converted, err));
    for (int32_t i = 0; i < e->n_slices; i++)
        ops->gather(w->d, &table, &i, 1, (dev_view){converted, (size_t)i * row_bytes});
    hearth_status s = ops->sync(w->d, err);
    if (s != HEARTH_OK) {
        ops->free(w->d, converted);
        return s;
    }
    ops->free(w->d, e->buf);
    w->own_bytes += bytes;
    e->buf = converted;
    e->w = (dev_weight){DTYPE_F32, e->w.n_in, 1, row_bytes, {converted, 0}};
    return HEARTH_OK;
}

static uint64_t hash_tensor(const gguf_tensor *t)
{
    int64_t shape[3] = {t->dim[0], t->dim[1], (int64_t)t->type};
    return hash_bytes(shape, sizeof shape, hash_bytes(t->name.p, t->name.n, 0));
}

static hearth_status bind_part(weights *w, const char *name, const tensor_part *p, weight_id *out,
                               hearth_err *err)
{
    int64_t n_in = p->n_in, n_out = p->n_out, n_slices = p->n_slices;
    *out = WEIGHT_NONE;
    const gguf_tensor *t = gguf_find_tensor(w->g, name);
    if (!t) return err_fail(err, HEARTH_E_FORMAT, "tensor '%s': not in the file", name);
    HEARTH_TRY(check_tensor(w, name, t, p, err));
    if (w->n == w->cap) // only a caller that binds a tensor twice gets here
        return err_fail(err, HEARTH_E_INTERNAL, "tensor '%s': bound more than once", name);

    weight_entry e = {.w = {.type = t->type, .n_in = n_in, .n_out = n_out}, .source = t,
                      .n_slices = n_slices, .n_step = p->is_vector ? 1 : p->n_total,
                      .first = p->first, .takes_deltas = p->is_plain};
    size_t skip;
    if (!dtype_bytes(t->type, n_in, &e.w.row_bytes) ||
        !dtype_bytes(t->type, p->is_vector ? p->first : p->first * n_in, &skip))
        return err_fail(err, HEARTH_E_FORMAT, "tensor '%s': rows of %lld are no whole blocks of %s",
                        name, (long long)n_in, dtype_get(t->type)->name);
    size_t bytes = e.w.row_bytes * (size_t)(e.n_step * (n_slices - 1) + n_out); // proven before
    HEARTH_TRY(w->d->ops->wrap(w->d, t->data + skip, bytes, &e.buf, err));
    e.w.data = (dev_view){e.buf, 0};
    hearth_status s = HEARTH_OK;
    if (p->is_vector && t->type != DTYPE_F32) s = convert_vectors(w, &e, err);
    if (s != HEARTH_OK) {
        w->d->ops->free(w->d, e.buf);
        return s;
    }
    w->file_bytes += e.w.row_bytes * (size_t)(n_out * n_slices);
    w->fingerprint += hash_tensor(t); // a sum: the order of binding does not matter
    w->n_tensors += p->first == 0;
    w->entry[w->n] = e;
    *out = w->n++;
    return HEARTH_OK;
}

hearth_status weights_bind(weights *w, const char *name, int64_t n_in, int64_t n_out, bool optional,
                           weight_id *out, hearth_err *err)
{
    *out = WEIGHT_NONE;
    if (optional && !gguf_find_tensor(w->g, name)) return HEARTH_OK;
    const tensor_part part = {.n_in = n_in, .n_total = n_out == 1 ? n_in : n_out, .n_slices = 1,
                              .n_out = n_out, .is_vector = n_out == 1,
                              .is_plain = n_out > 1};
    return bind_part(w, name, &part, out, err);
}

hearth_status weights_bind_rows(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                int64_t first, int64_t n_out, weight_id *out, hearth_err *err)
{
    ASSERT(first >= 0 && n_out >= 1 && n_out <= n_total - first);
    const tensor_part part = {.n_in = n_in, .n_total = n_total, .n_slices = 1, .first = first,
                              .n_out = n_out, .is_plain = true};
    return bind_part(w, name, &part, out, err);
}

hearth_status weights_bind_values(weights *w, const char *name, int64_t n_total, int64_t first,
                                  int64_t n, weight_id *out, hearth_err *err)
{
    ASSERT(first >= 0 && n >= 1 && n <= n_total - first);
    const tensor_part part = {.n_in = n, .n_total = n_total, .n_slices = 1, .first = first,
                              .n_out = 1, .is_vector = true};
    return bind_part(w, name, &part, out, err);
}

hearth_status weights_bind_flat(weights *w, const char *name, int64_t n, weight_id *out,
                                hearth_err *err)
{
    const tensor_part part = {.n_in = n, .n_total = n, .n_slices = 1, .n_out = 1,
                              .is_vector = true, .any_shape = true};
    return bind_part(w, name, &part, out, err);
}

hearth_status weights_bind_vectors(weights *w, const char *name, int64_t n, int64_t n_expert,
                                   weight_id *out, hearth_err *err)
{
    const tensor_part part = {.n_in = n, .n_total = n, .n_slices = n_expert, .n_out = 1,
                              .is_vector = true};
    return bind_part(w, name, &part, out, err);
}

// "blk.0.ffn_up_exps.weight" and 5: "blk.0.ffn_up.5.weight". False: not such a name.
static bool name_expert(const char *name, int64_t expert, char out[96])
{
    str all = str_from(name), mark = STR("_exps.");
    size_t at = str_find(all, mark, 0);
    if (at == SIZE_MAX) return false;
    snprintf(out, 96, "%.*s.%lld.%s", (int)at, name, (long long)expert, name + at + mark.n);
    return true;
}

// Experts that the file keeps in tensors of their own: a run of entries, known by the first.
static hearth_status bind_apart(weights *w, const char *name, const tensor_part *p,
                                int64_t n_expert, weight_id *out, hearth_err *err)
{
    weight_id first = w->n, id;
    for (int64_t i = 0; i < n_expert; i++) {
        char one[96];
        name_expert(name, i, one);
        HEARTH_TRY(bind_part(w, one, p, &id, err));
        ASSERT(id == first + (weight_id)i);
    }
    w->entry[first].n_slices = n_expert;
    w->entry[first].is_apart = true;
    *out = first;
    return HEARTH_OK;
}

hearth_status weights_bind_experts(weights *w, const char *name, int64_t n_in, int64_t n_out,
                                   int64_t n_expert, weight_id *out, hearth_err *err)
{
    char first[96];
    if (!gguf_find_tensor(w->g, name) && name_expert(name, 0, first) &&
        gguf_find_tensor(w->g, first)) {
        const tensor_part one = {.n_in = n_in, .n_total = n_out, .n_slices = 1, .n_out = n_out};
        return bind_apart(w, name, &one, n_expert, out, err);
    }
    const tensor_part part = {.n_in = n_in, .n_total = n_out, .n_slices = n_expert,
                              .n_out = n_out};
    return bind_part(w, name, &part, out, err);
}

hearth_status weights_bind_expert_rows(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                       int64_t first, int64_t n_out, int64_t n_expert,
                                       weight_id *out, hearth_err *err)
{
    ASSERT(first >= 0 && n_out >= 1 && n_out <= n_total - first);
    const tensor_part part = {.n_in = n_in, .n_total = n_total, .n_slices = n_expert,
                              .first = first, .n_out = n_out};
    return bind_part(w, name, &part, out, err);
}

hearth_status weights_bind_constant(weights *w, int64_t n, float value, weight_id *out,
                                    hearth_err *err)
{
    dev_buf *values;
    size_t bytes = (size_t)n * sizeof value;
    ASSERT(w->n < w->cap); // beside three parts of every tensor there is room
    *out = WEIGHT_NONE;
    HEARTH_TRY(w->d->ops->alloc(w->d, MEM_MODEL, bytes, &values, err));
    for (int64_t i = 0; i < n; i++)
        w->d->ops->write(w->d, (dev_view){values, (size_t)i * sizeof value}, &value, sizeof value);
    w->own_bytes += bytes;
    w->entry[w->n] = (weight_entry){.w = {DTYPE_F32, n, 1, bytes, {values, 0}},
                                    .buf = values, .n_slices = 1,
                                    .n_step = 1};
    *out = w->n++;
    return HEARTH_OK;
}

hearth_status weights_bind_slices(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                  int64_t first, int64_t n_out, int64_t n_slices, weight_id *out,
                                  hearth_err *err)
{
    ASSERT(first >= 0 && n_out >= 1 && n_out <= n_total - first);
    const tensor_part part = {.n_in = n_in, .n_total = n_total, .n_slices = n_slices,
                              .first = first, .n_out = n_out, .is_flat = true};
    return bind_part(w, name, &part, out, err);
}

// One slice at a time: its rows as float32 by the device's gather, turned over on the host. `flat`
// has room for a slice and `turned` for another.
static hearth_status turn_slices(weights *w, const weight_entry *e, dev_view gathered, dev_view to,
                                 float *flat, float *turned, hearth_err *err)
{
    const dev_ops *ops = w->d->ops;
    int64_t n_in = e->w.n_in, n_out = e->w.n_out;
    size_t bytes = (size_t)(n_in * n_out) * sizeof(float), row = (size_t)n_in * sizeof(float);
    for (int64_t s = 0; s < e->n_slices; s++, to.at += bytes) {
        dev_weight slice = e->w;
        slice.data.at += (size_t)(s * e->n_step) * e->w.row_bytes;
        for (int32_t i = 0; i < n_out; i++)
            ops->gather(w->d, &slice, &i, 1, dev_at(gathered, (size_t)i * row));
        HEARTH_TRY(ops->read(w->d, gathered, flat, bytes, err));
        for (int64_t i = 0; i < n_in; i++)
            for (int64_t j = 0; j < n_out; j++) turned[i * n_out + j] = flat[j * n_in + i];
        ops->write(w->d, to, turned, bytes);
    }
    return HEARTH_OK;
}

static hearth_status transpose_entry(weights *w, weight_entry *e, hearth_err *err)
{
    const dev_ops *ops = w->d->ops;
    dev_buf *gathered = NULL, *turned = NULL;
    size_t n = (size_t)(e->w.n_in * e->w.n_out), bytes = n * sizeof(float);
    // The quantised file may fit an address space that the floats do not.
    uint64_t all = (uint64_t)e->w.n_in * (uint64_t)e->w.n_out * (uint64_t)e->n_slices;
    bool fits = all <= SIZE_MAX / sizeof(float);
    float *host = fits ? mem_alloc(MEM_MODEL, 2 * bytes) : NULL;
    hearth_status s = HEARTH_OK;
    if (!host) s = err_fail(err, HEARTH_E_NOMEM, "no memory to turn over a matrix");
    if (s == HEARTH_OK) s = ops->alloc(w->d, MEM_MODEL, bytes, &gathered, err);
    if (s == HEARTH_OK) s = ops->alloc(w->d, MEM_MODEL, bytes * (size_t)e->n_slices, &turned, err);
    if (s == HEARTH_OK)
        s = turn_slices(w, e, (dev_view){gathered, 0}, (dev_view){turned, 0}, host, host + n, err);
    ops->free(w->d, gathered);
    mem_free(host);
    if (s != HEARTH_OK) {
        ops->free(w->d, turned);
        return s;
    }
    ops->free(w->d, e->buf);
    e->buf = turned;
    e->w = (dev_weight){DTYPE_F32, e->w.n_out, e->w.n_in, (size_t)e->w.n_out * sizeof(float),
                        {turned, 0}};
    e->n_step = e->w.n_out;
    w->own_bytes += bytes * (size_t)e->n_slices;
    return HEARTH_OK;
}

hearth_status weights_bind_transposed(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                      int64_t first, int64_t n_out, int64_t n_slices,
                                      weight_id *out, hearth_err *err)
{
    HEARTH_TRY(weights_bind_slices(w, name, n_in, n_total, first, n_out, n_slices, out, err));
    hearth_status s = transpose_entry(w, &w->entry[*out], err);
    if (s != HEARTH_OK) *out = WEIGHT_NONE; // the entry stays as it was; weights_close() frees it
    return s;
}

hearth_status weights_acquire_expert(weights *w, weight_id id, int64_t expert, dev_weight *out,
                                     hearth_err *err)
{
    const dev_weight *all;
    ASSERT(id >= 0 && id < w->n && expert >= 0 && expert < w->entry[id].n_slices);
    if (w->entry[id].is_apart) {
        *out = w->entry[id + (weight_id)expert].w;
        return HEARTH_OK;
    }
    HEARTH_TRY(weights_acquire(w, id, &all, err));
    *out = *all;
    out->data = dev_at(all->data, (size_t)(expert * w->entry[id].n_step) * all->row_bytes);
    return HEARTH_OK;
}

hearth_status weights_acquire(weights *w, weight_id id, const dev_weight **out, hearth_err *err)
{
    ASSERT(id >= 0 && id < w->n);
    (void)err;
    *out = &w->entry[id].w;
    return HEARTH_OK;
}

void weights_release(weights *w, weight_id id)
{
    ASSERT(id >= 0 && id < w->n);
    (void)w;
    (void)id;
}

bool weights_is_bound(const weights *w, const gguf_tensor *t)
{
    for (int32_t i = 0; i < w->n; i++)
        if (w->entry[i].source == t) return true;
    return false;
}

const gguf *weights_source(const weights *w) { return w->g; }
int32_t weights_count(const weights *w) { return w->n; }
int32_t weights_tensors(const weights *w) { return w->n_tensors; }
uint64_t weights_bytes(const weights *w) { return w->file_bytes; }
uint64_t weights_own_bytes(const weights *w) { return w->own_bytes; }
uint64_t weights_fingerprint(const weights *w) { return w->fingerprint; }
