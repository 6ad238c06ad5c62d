// Several residual streams around layers that see one (AltUp, Baykal and others 2023; LAuReL,
// Menghani and others 2024). The first stream is the one that goes through a layer; what the others
// hold is wide memory at the price of a few additions.
//
//   begin     S[0] = x, S[i] = A[i] x brought to the size of x
//   predict   P[i] = S[i] + sum_j c[i][j] S[j],   c = C m(S[0])
//   layer     y from P[0]
//   correct   S[i] = P[i] + (1 + e[i]) (y - P[0]), e = E m(y)
//   end       x = mean of S[0] and the B[i] S[i], each brought to the size of S[0]
//
//   m(x) = tanh(R norm(x) / n_embd), one number per stream
//
// All of it stays in run.own, whose rows stand stream by stream ([n][n_rows][n_embd]), so that a
// stream is one matrix:
//
//   | before | S: n * n_embd | P: n * n_embd | rest: n_embd | m: n | c or e: n * n |
//
// Ping-pong between S and P would save a copy per layer, which is nothing beside its matrices.
#include "nn/block.h"

typedef struct places { dev_view s, p, rest, m, c; } places;

int64_t nn_stream_floats(int64_t n, int64_t n_embd) { return (2 * n + 1) * n_embd + n + n * n; }

static dev_view after(const nn_run *r, dev_view v, int64_t n)
{
    return dev_at(v, (size_t)(r->n_rows * n) * sizeof(float));
}

static places find_places(const nn_run *r, int64_t before, int64_t n, int64_t n_embd)
{
    places at;
    at.s = after(r, r->own, before);
    at.p = after(r, at.s, n * n_embd);
    at.rest = after(r, at.p, n * n_embd);
    at.m = after(r, at.rest, n_embd);
    at.c = after(r, at.m, n);
    return at;
}

static size_t stream_bytes(const nn_run *r, int64_t n_embd)
{
    return (size_t)(r->n_rows * n_embd) * sizeof(float);
}

// y = x times matrix i of the slices, brought to the size of `like`.
static hearth_status project(const nn_run *r, weight_id id, int64_t i, dev_view x, dev_view like,
                             dev_view y, hearth_err *err)
{
    dev_weight w;
    const dev_weight *one = &w;
    HEARTH_TRY(weights_acquire_expert(r->w, id, i, &w, err));
    r->d->ops->matmul(r->d, 1, &one, x, r->n_rows, &y, r->scratch);
    r->d->ops->match_rms(r->d, y, like, r->n_rows, w.n_out, y);
    weights_release(r->w, id);
    return HEARTH_OK;
}

hearth_status nn_split_stream(const nn_run *r, const nn_stream_ends *e, hearth_err *err)
{
    places at = find_places(r, e->before, e->n, e->n_embd);
    r->d->ops->copy(r->d, at.s, r->x, stream_bytes(r, e->n_embd));
    for (int64_t i = 1; i < e->n; i++)
        HEARTH_TRY(project(r, e->split, i - 1, r->x, r->x, after(r, at.s, i * e->n_embd), err));
    return HEARTH_OK;
}

hearth_status nn_merge_streams(const nn_run *r, const nn_stream_ends *e, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    places at = find_places(r, e->before, e->n, e->n_embd);
    for (int64_t i = 1; i < e->n; i++) {
        HEARTH_TRY(project(r, e->merge, i - 1, after(r, at.s, i * e->n_embd), at.s, at.rest, err));
        ops->add(r->d, r->x, at.rest, r->n_rows * e->n_embd, r->x);
    }
    ops->scale(r->d, r->x, 1 / (float)e->n, r->n_rows, e->n_embd, r->x);
    return HEARTH_OK;
}

// m = m(x); `rest` is used.
static hearth_status find_modes(const nn_run *r, const nn_altup *a, dev_view x, const places *at,
                                hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    HEARTH_TRY(nn_apply_norm(r, &a->router_norm, x, r->n_rows, at->rest, err));
    HEARTH_TRY(nn_linear(r, 1, &a->router, at->rest, r->n_rows, &at->m, err));
    ops->scale(r->d, at->m, 1 / (float)a->n_embd, r->n_rows, a->n, at->m);
    ops->soft_cap(r->d, at->m, 1, r->n_rows, a->n, at->m);
    return HEARTH_OK;
}

hearth_status nn_predict(const nn_run *r, const nn_altup *a, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    places at = find_places(r, a->before, a->n, a->n_embd);
    HEARTH_TRY(find_modes(r, a, at.s, &at, err));
    HEARTH_TRY(nn_linear(r, 1, &a->predict, at.m, r->n_rows, &at.c, err));
    ops->copy(r->d, at.p, at.s, (size_t)a->n * stream_bytes(r, a->n_embd));
    ops->add_blend(r->d, at.s, a->n, at.c, r->n_rows, a->n_embd, at.p, a->n);
    ops->copy(r->d, r->x, at.p, stream_bytes(r, a->n_embd));
    return HEARTH_OK;
}

hearth_status nn_correct(const nn_run *r, const nn_altup *a, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n_all = r->n_rows * a->n_embd;
    places at = find_places(r, a->before, a->n, a->n_embd);
    HEARTH_TRY(find_modes(r, a, r->x, &at, err));
    HEARTH_TRY(nn_linear(r, 1, &a->correct, at.m, r->n_rows, &at.c, err));
    ops->scale(r->d, at.p, -1, r->n_rows, a->n_embd, at.rest);
    ops->add(r->d, r->x, at.rest, n_all, at.rest);
    ops->copy(r->d, at.s, at.p, (size_t)a->n * stream_bytes(r, a->n_embd));
    ops->add_blend(r->d, at.rest, 1, at.c, r->n_rows, a->n_embd, at.s, a->n);
    for (int64_t i = 0; i < a->n; i++) {
        dev_view s = after(r, at.s, i * a->n_embd);
        ops->add(r->d, s, at.rest, n_all, s);
    }
    ops->copy(r->d, r->x, at.s, stream_bytes(r, a->n_embd));
    return HEARTH_OK;
}

void nn_add_to_others(const nn_run *r, const nn_altup *a)
{
    places at = find_places(r, a->before, a->n, a->n_embd);
    for (int64_t i = 1; i < a->n; i++) {
        dev_view s = after(r, at.s, i * a->n_embd);
        r->d->ops->add(r->d, s, r->h, r->n_rows * a->n_embd, s);
    }
}

hearth_status nn_laurel_beside(const nn_run *r, const nn_altup *a, const nn_laurel *l,
                               dev_view *y, hearth_err *err)
{
    places at = find_places(r, a->before, a->n, a->n_embd);
    HEARTH_TRY(nn_linear(r, 1, &l->narrow, r->h, r->n_rows, &r->gate, err));
    HEARTH_TRY(nn_linear(r, 1, &l->wide, r->gate, r->n_rows, &at.rest, err));
    HEARTH_TRY(nn_apply_norm(r, &l->norm, at.rest, r->n_rows, at.rest, err));
    r->d->ops->add(r->d, at.rest, r->h, r->n_rows * a->n_embd, at.rest);
    *y = at.rest;
    return HEARTH_OK;
}
