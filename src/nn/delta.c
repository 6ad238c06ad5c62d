// Adapters on weights (LoRA, Hu and others 2021): see weights.h.
//
// A matrix keeps its bytes, quantised or not, and gets a list of pairs of narrow matrices that
// nn_linear() multiplies beside it. So an adapter costs its own bytes and two thin products, can
// have any scale, and several add up. Adding B A to the matrix once was rejected: it would take a
// copy of every adapted matrix and round a quantised one a second time.
//
// A weight may be some rows of a tensor (fused q, k and v): it takes the same rows of b, and all
// of a. The pairs are borrowed from the adapter's mapping like weights, unless rows must move.
#include <string.h>

#include "base/map.h"
#include "nn/weights_int.h"

// Row of the adapter that belongs at row `at` of the model: parts of d rows, each a head.
static int64_t find_row(const weight_order *o, int64_t at, int64_t n_rows)
{
    int64_t d = n_rows / o->n_head, i = at % d;
    int64_t from = o->to_pairs ? i % 2 * (d / 2) + i / 2 : i % (d / 2) * 2 + i / (d / 2);
    return at - i + from;
}

static hearth_status check_matrix(const weights *w, const gguf_tensor *t, hearth_err *err)
{
    if (w->d->ops->can_matmul(w->d, t->type)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "tensor '%.*s': weights of type %s cannot be multiplied", STR_ARG(t->name),
                    dtype_get(t->type)->name);
}

static hearth_status check_shapes(const weight_adapter *t, const gguf_tensor *whole,
                                  hearth_err *err)
{
    const int64_t *a = t->a->dim, *b = t->b->dim, *w = whole->dim;
    bool fits = a[0] == w[0] && b[1] == w[1] && a[1] == b[0] && a[2] * a[3] * b[2] * b[3] == 1;
    if (!fits)
        return err_fail(err, HEARTH_E_FORMAT,
                        "tensor '%.*s': shapes [%lld, %lld] and [%lld, %lld] do not belong to a "
                        "matrix [%lld, %lld]", STR_ARG(t->a->name), (long long)a[0],
                        (long long)a[1], (long long)b[0], (long long)b[1], (long long)w[0],
                        (long long)w[1]);
    if (t->order.n_head == 0 || b[1] % (2 * t->order.n_head) == 0) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': its %lld rows are no pairs of %lld heads",
                    STR_ARG(t->b->name), (long long)b[1], (long long)t->order.n_head);
}

// Rows [first, first + n) as a weight: where they are, or each one copied to its place.
static hearth_status take_rows(weights *w, const gguf_tensor *t, int64_t first, int64_t n,
                               const weight_order *order, dev_weight *out, hearth_err *err)
{
    const dev_ops *ops = w->d->ops;
    dev_weight e = {.type = t->type, .n_in = t->dim[0], .n_out = n};
    bool is_known = dtype_bytes(t->type, t->dim[0], &e.row_bytes);
    ASSERT(is_known && first + n <= t->dim[1]); // a file's tensors have whole rows
    (void)is_known;
    size_t bytes = e.row_bytes * (size_t)n;
    const uint8_t *from = t->data + e.row_bytes * (size_t)first;
    if (!order || order->n_head == 0) {
        HEARTH_TRY(ops->wrap(w->d, from, bytes, &e.data.buf, err));
    } else {
        HEARTH_TRY(ops->alloc(w->d, MEM_MODEL, bytes, &e.data.buf, err));
        for (int64_t i = 0; i < n; i++) {
            int64_t row = find_row(order, first + i, t->dim[1]);
            ops->write(w->d, dev_at(e.data, e.row_bytes * (size_t)i),
                       t->data + e.row_bytes * (size_t)row, e.row_bytes);
        }
        w->own_bytes += bytes;
    }
    *out = e;
    return HEARTH_OK;
}

static hearth_status add_to_entry(weights *w, weight_entry *e, const weight_adapter *t,
                                  hearth_err *err)
{
    weight_delta *d = mem_alloc_zero(MEM_MODEL, 1, sizeof *d);
    if (!d) return err_fail(err, HEARTH_E_NOMEM, "no memory for an adapter");
    d->scale = t->scale;
    hearth_status s = take_rows(w, t->a, 0, t->a->dim[1], NULL, &d->a, err);
    if (s == HEARTH_OK) s = take_rows(w, t->b, e->first, e->w.n_out, &t->order, &d->b, err);
    if (s != HEARTH_OK) {
        w->d->ops->free(w->d, d->a.data.buf);
        mem_free(d);
        return s;
    }
    weight_delta **end = &e->deltas;
    while (*end) end = &(*end)->next;
    *end = d;
    w->own_bytes += sizeof *d;
    return HEARTH_OK;
}

// Adapters of one shape differ by their values alone; the first ones stand for all.
static uint64_t hash_matrix(const gguf_tensor *t, uint64_t seed)
{
    enum { LOOKED_AT = 4096 };
    uint64_t h = hash_bytes(t->dim, sizeof t->dim, hash_bytes(t->name.p, t->name.n, seed));
    return hash_bytes(t->data, size_min(t->bytes, LOOKED_AT), h);
}

hearth_status weights_add_delta(weights *w, const char *name, const weight_adapter *t, int *n,
                                hearth_err *err)
{
    *n = 0;
    const gguf_tensor *whole = gguf_find_tensor(w->g, name);
    if (!whole) return HEARTH_OK;
    HEARTH_TRY(check_matrix(w, t->a, err));
    HEARTH_TRY(check_matrix(w, t->b, err));
    for (int32_t i = 0; i < w->n; i++) {
        weight_entry *e = &w->entry[i];
        if (e->source != whole) continue;
        if (!e->takes_deltas)
            return err_fail(err, HEARTH_E_UNSUPPORTED,
                            "tensor '%.*s': adapters of '%s' are not supported",
                            STR_ARG(t->a->name), name);
        HEARTH_TRY(check_shapes(t, whole, err));
        HEARTH_TRY(add_to_entry(w, e, t, err));
        (*n)++;
    }
    if (*n == 0) return HEARTH_OK;
    uint64_t seed = hash_bytes(&t->scale, sizeof t->scale, w->fingerprint);
    w->fingerprint = hash_matrix(t->b, hash_matrix(t->a, seed));
    w->file_bytes += t->a->bytes + t->b->bytes;
    return HEARTH_OK;
}

const weight_delta *weights_deltas(const weights *w, weight_id id)
{
    ASSERT(id >= 0 && id < w->n);
    return w->entry[id].deltas;
}
