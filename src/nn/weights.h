// The one way from a tensor's place in a file to bytes that a device can multiply with.
//
// Everything that computes goes through weights_acquire(); paging, verification and decryption of
// weights are later put in here and nowhere else. Acquire just before use, release right after.
#ifndef HEARTH_NN_WEIGHTS_H
#define HEARTH_NN_WEIGHTS_H

#include "dev/dev.h"
#include "fmt/gguf.h"

typedef struct weights weights;
typedef int32_t weight_id;
enum { WEIGHT_NONE = -1 };

// `g` with its mapping and `d` outlive the weights.
hearth_status weights_open(const gguf *g, dev *d, weights **out, hearth_err *err);
void weights_close(weights *w); // NULL is legal
const gguf *weights_source(const weights *w);
// Finds a tensor and checks type and shape: n_out == 1 for vectors. A tensor that is
// absent gives WEIGHT_NONE when `optional`, else HEARTH_E_FORMAT that names it. Vectors that are
// not F32 are converted once, here.
hearth_status weights_bind(weights *w, const char *name, int64_t n_in, int64_t n_out, bool optional,
                           weight_id *out, hearth_err *err);
// Rows [first, first + n_out) of a matrix of n_total rows as a weight of their own, for
// matrices that a file stores fused. Each part is bound once.
hearth_status weights_bind_rows(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                int64_t first, int64_t n_out, weight_id *out, hearth_err *err);
// Values [first, first + n) of a vector of n_total, likewise.
hearth_status weights_bind_values(weights *w, const char *name, int64_t n_total, int64_t first,
                                  int64_t n, weight_id *out, hearth_err *err);
// A tensor of n values in any shape (F32, F16 or BF16) as one vector.
hearth_status weights_bind_flat(weights *w, const char *name, int64_t n, weight_id *out,
                                hearth_err *err);
// A tensor [n, n_expert]: n_expert vectors.
hearth_status weights_bind_vectors(weights *w, const char *name, int64_t n, int64_t n_expert,
                                   weight_id *out, hearth_err *err);
// Of a matrix [n_in, n_slices * n_total], rows [first, first + n_out) of each slice of n_total
// rows: n_slices matrices, acquired like experts.
hearth_status weights_bind_slices(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                  int64_t first, int64_t n_out, int64_t n_slices, weight_id *out,
                                  hearth_err *err);
// The same with each slice turned over, [n_out -> n_in], in memory of its own as F32.
hearth_status weights_bind_transposed(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                      int64_t first, int64_t n_out, int64_t n_slices,
                                      weight_id *out, hearth_err *err);
// A tensor [n_in, n_out, n_expert]: n_expert matrices. Where it is absent, "..ffn_up.5.weight" and
// so on stand for "..ffn_up_exps.weight": old files and folders keep experts apart.
hearth_status weights_bind_experts(weights *w, const char *name, int64_t n_in, int64_t n_out,
                                   int64_t n_expert, weight_id *out, hearth_err *err);
// The same with `n_total` rows per slice, of which [first, first + n_out) are the weight.
hearth_status weights_bind_expert_rows(weights *w, const char *name, int64_t n_in, int64_t n_total,
                                       int64_t first, int64_t n_out, int64_t n_expert,
                                       weight_id *out, hearth_err *err);
// A vector of n equal values that no file holds.
hearth_status weights_bind_constant(weights *w, int64_t n, float value, weight_id *out,
                                    hearth_err *err);

// --- adapters (delta.c) -------------------------------------------------------------------------
// What an adapter adds to a matrix: y += scale * b (a x).
typedef struct weight_delta {
    dev_weight a, b; // [n_in -> rank], [rank -> n_out]
    float scale;
    struct weight_delta *next; // of the next adapter
} weight_delta;
// The two matrices for a whole tensor of the file, whose mapping outlives the weights. `order`:
// where rows of b belong, see weights_add_delta().
typedef struct weight_order { int64_t n_head; bool to_pairs; } weight_order;
typedef struct weight_adapter {
    const gguf_tensor *a, *b; // [n_in, rank], [rank, n_out]
    float scale;
    weight_order order;       // n_head 0: rows stay where they are
} weight_adapter;
// Adds to every weight that has rows of tensor `name`. With an order, the rows of each of n_head
// parts of b are put from halves (i, i + d/2) to neighbours (2i, 2i + 1), or back. *n: how many
// weights that were. HEARTH_E_UNSUPPORTED: one of them is no single matrix of nn_linear().
hearth_status weights_add_delta(weights *w, const char *name, const weight_adapter *t, int *n,
                                hearth_err *err);
const weight_delta *weights_deltas(const weights *w, weight_id id); // NULL: none

hearth_status weights_acquire(weights *w, weight_id id, const dev_weight **out, hearth_err *err);
// One matrix or vector of the two above, released like a whole weight.
hearth_status weights_acquire_expert(weights *w, weight_id id, int64_t expert, dev_weight *out,
                                     hearth_err *err);
void weights_release(weights *w, weight_id id);
int32_t weights_count(const weights *w);       // ids are below this
int32_t weights_tensors(const weights *w);     // tensors bound so far, a fused one counted once
bool weights_is_bound(const weights *w, const gguf_tensor *t); // linear search
uint64_t weights_bytes(const weights *w);      // file bytes of all bound tensors
uint64_t weights_own_bytes(const weights *w);  // taken under MEM_MODEL
// A number that another model's tensors do not share: names, types and shapes of all bound tensors.
uint64_t weights_fingerprint(const weights *w);

#endif
