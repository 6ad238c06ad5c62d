// See closed_dev.h. Each entry opens the buffers of its arguments, calls the inner device and
// closes them again.
#include "support/closed_dev.h"

#include <string.h>

#include "os/os.h"

typedef struct closed_dev {
    dev base;
    dev *inner;
} closed_dev;

struct dev_buf {
    os_guarded memory;
    dev_buf *inner;
    void *tagged; // keeps the tagged allocator's account as an owned buffer would
};

static dev *inner_of(dev *d) { return ((closed_dev *)(void *)d)->inner; }

static void open_buf(dev_view v) { os_guarded_protect(&v.buf->memory, true, true); }
static void close_buf(dev_view v) { os_guarded_protect(&v.buf->memory, false, false); }
static dev_view unwrap(dev_view v) { return (dev_view){v.buf->inner, v.at}; }

static dev_weight unwrap_weight(const dev_weight *w)
{
    dev_weight inner = *w;
    inner.data = unwrap(w->data);
    return inner;
}

static hearth_status make_buf(dev *d, size_t bytes, dev_buf **out, hearth_err *err)
{
    *out = NULL;
    dev_buf *b = mem_alloc_zero(MEM_TEST, 1, sizeof *b);
    if (!b) return err_fail(err, HEARTH_E_NOMEM, "no memory for a test buffer");
    hearth_status s = os_guarded_create(align_up(size_max(bytes, 1), 64), true, &b->memory, err);
    if (s == HEARTH_OK)
        s = inner_of(d)->ops->wrap(inner_of(d), b->memory.data, b->memory.size, &b->inner, err);
    if (s != HEARTH_OK) {
        os_guarded_free(&b->memory);
        mem_free(b);
        return s;
    }
    *out = b;
    return HEARTH_OK;
}

static void free_closed(dev *d, dev_buf *b)
{
    if (!b) return;
    inner_of(d)->ops->free(inner_of(d), b->inner);
    os_guarded_free(&b->memory);
    mem_free(b->tagged);
    mem_free(b);
}

static hearth_status alloc_closed(dev *d, mem_tag tag, size_t bytes, dev_buf **out, hearth_err *err)
{
    HEARTH_TRY(make_buf(d, bytes, out, err));
    (*out)->tagged = mem_alloc(tag, bytes);
    if (!(*out)->tagged) {
        free_closed(d, *out);
        *out = NULL;
        return err_fail(err, HEARTH_E_NOMEM, "no memory for a test buffer");
    }
    memset((*out)->memory.data, 0xA5, (*out)->memory.size); // fresh memory promises nothing
    close_buf((dev_view){*out, 0});
    return HEARTH_OK;
}

static hearth_status wrap_closed(dev *d, const void *host, size_t bytes, dev_buf **out,
                                 hearth_err *err)
{
    HEARTH_TRY(make_buf(d, bytes, out, err));
    memcpy((*out)->memory.data, host, bytes);
    close_buf((dev_view){*out, 0});
    return HEARTH_OK;
}

static void write_closed(dev *d, dev_view to, const void *from, size_t n)
{
    open_buf(to);
    inner_of(d)->ops->write(inner_of(d), unwrap(to), from, n);
    close_buf(to);
}

static hearth_status read_closed(dev *d, dev_view from, void *to, size_t n, hearth_err *err)
{
    open_buf(from);
    hearth_status s = inner_of(d)->ops->read(inner_of(d), unwrap(from), to, n, err);
    close_buf(from);
    return s;
}

static void copy_closed(dev *d, dev_view to, dev_view from, size_t n)
{
    open_buf(to);
    open_buf(from);
    inner_of(d)->ops->copy(inner_of(d), unwrap(to), unwrap(from), n);
    close_buf(to);
    close_buf(from);
}

static hearth_status sync_closed(dev *d, hearth_err *err)
{
    return inner_of(d)->ops->sync(inner_of(d), err);
}

static bool can_matmul_closed(dev *d, dtype t)
{
    return inner_of(d)->ops->can_matmul(inner_of(d), t);
}

static size_t matmul_scratch_closed(dev *d, dtype t, int64_t n_in, int64_t n_rows)
{
    return inner_of(d)->ops->matmul_scratch(inner_of(d), t, n_in, n_rows);
}

static size_t attention_scratch_closed(dev *d, int64_t n_head, const dev_cache *c, int64_t n_rows)
{
    return inner_of(d)->ops->attention_scratch(inner_of(d), n_head, c, n_rows);
}

static void matmul_closed(dev *d, int n_w, const dev_weight *const *w, dev_view x, int64_t n_rows,
                          const dev_view *y, dev_view scratch)
{
    dev_weight inner[DEV_MATMUL_MAX];
    const dev_weight *list[DEV_MATMUL_MAX];
    dev_view to[DEV_MATMUL_MAX];
    open_buf(x);
    open_buf(scratch);
    for (int i = 0; i < n_w; i++) {
        inner[i] = unwrap_weight(w[i]);
        list[i] = &inner[i];
        to[i] = unwrap(y[i]);
        open_buf(w[i]->data);
        open_buf(y[i]);
    }
    inner_of(d)->ops->matmul(inner_of(d), n_w, list, unwrap(x), n_rows, to, unwrap(scratch));
    for (int i = 0; i < n_w; i++) {
        close_buf(w[i]->data);
        close_buf(y[i]);
    }
    close_buf(scratch);
    close_buf(x);
}

static void gather_closed(dev *d, const dev_weight *table, const int32_t *ids, int64_t n_rows,
                          dev_view y)
{
    dev_weight inner = unwrap_weight(table);
    open_buf(table->data);
    open_buf(y);
    inner_of(d)->ops->gather(inner_of(d), &inner, ids, n_rows, unwrap(y));
    close_buf(y);
    close_buf(table->data);
}

static void select_closed(dev *d, dev_view x, const int32_t *rows, int64_t n_rows, int64_t n,
                          dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->select(inner_of(d), unwrap(x), rows, n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void copy_rows_closed(dev *d, dev_view x, int64_t x_step, int64_t n_rows, int64_t n,
                             dev_view y, int64_t y_step)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->copy_rows(inner_of(d), unwrap(x), x_step, n_rows, n, unwrap(y), y_step);
    close_buf(y);
    close_buf(x);
}

static void rms_norm_closed(dev *d, dev_view x, const dev_weight *w, float eps, int64_t n_rows,
                            int64_t n, dev_view y)
{
    dev_weight inner = unwrap_weight(w);
    open_buf(w->data);
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->rms_norm(inner_of(d), unwrap(x), &inner, eps, n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
    close_buf(w->data);
}

static void layer_norm_closed(dev *d, dev_view x, const dev_weight *w, const dev_weight *b,
                              float eps, int64_t n_rows, int64_t n, dev_view y)
{
    dev_weight inner = unwrap_weight(w), inner_b = b ? unwrap_weight(b) : inner;
    open_buf(w->data);
    if (b) open_buf(b->data);
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->layer_norm(inner_of(d), unwrap(x), &inner, b ? &inner_b : NULL, eps, n_rows,
                                 n, unwrap(y));
    close_buf(y);
    close_buf(x);
    if (b) close_buf(b->data);
    close_buf(w->data);
}

static void gelu_closed(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->gelu(inner_of(d), unwrap(x), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void gelu_erf_closed(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->gelu_erf(inner_of(d), unwrap(x), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void add_closed(dev *d, dev_view a, dev_view b, int64_t n, dev_view y)
{
    open_buf(a);
    open_buf(b);
    open_buf(y);
    inner_of(d)->ops->add(inner_of(d), unwrap(a), unwrap(b), n, unwrap(y));
    close_buf(y);
    close_buf(b);
    close_buf(a);
}

static void mul_closed(dev *d, dev_view a, dev_view b, int64_t n, dev_view y)
{
    open_buf(a);
    open_buf(b);
    open_buf(y);
    inner_of(d)->ops->mul(inner_of(d), unwrap(a), unwrap(b), n, unwrap(y));
    close_buf(y);
    close_buf(b);
    close_buf(a);
}

static void lerp_closed(dev *d, dev_view a, dev_view b, dev_view t, int64_t n, dev_view y)
{
    open_buf(a);
    open_buf(b);
    open_buf(t);
    open_buf(y);
    inner_of(d)->ops->lerp(inner_of(d), unwrap(a), unwrap(b), unwrap(t), n, unwrap(y));
    close_buf(y);
    close_buf(t);
    close_buf(b);
    close_buf(a);
}

static void sigmoid_closed(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->sigmoid(inner_of(d), unwrap(x), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void relu_sqr_closed(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->relu_sqr(inner_of(d), unwrap(x), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void add_bias_closed(dev *d, dev_view x, const dev_weight *bias, int64_t n_rows, int64_t n)
{
    dev_weight inner = unwrap_weight(bias);
    open_buf(bias->data);
    open_buf(x);
    inner_of(d)->ops->add_bias(inner_of(d), unwrap(x), &inner, n_rows, n);
    close_buf(x);
    close_buf(bias->data);
}

static void silu_mul_closed(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n,
                            dev_view y)
{
    open_buf(gate);
    open_buf(up);
    open_buf(y);
    inner_of(d)->ops->silu_mul(inner_of(d), unwrap(gate), unwrap(up), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(up);
    close_buf(gate);
}

static void gelu_mul_closed(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n,
                            dev_view y)
{
    open_buf(gate);
    open_buf(up);
    open_buf(y);
    inner_of(d)->ops->gelu_mul(inner_of(d), unwrap(gate), unwrap(up), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(up);
    close_buf(gate);
}

static void swiglu_clamped_closed(dev *d, dev_view gate, dev_view up, float limit, int64_t n_rows,
                                  int64_t n, dev_view y)
{
    open_buf(gate);
    open_buf(up);
    open_buf(y);
    inner_of(d)->ops->swiglu_clamped(inner_of(d), unwrap(gate), unwrap(up), limit, n_rows, n,
                                     unwrap(y));
    close_buf(y);
    close_buf(up);
    close_buf(gate);
}

static void gelu_erf_mul_closed(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n,
                                dev_view y)
{
    open_buf(gate);
    open_buf(up);
    open_buf(y);
    inner_of(d)->ops->gelu_erf_mul(inner_of(d), unwrap(gate), unwrap(up), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(up);
    close_buf(gate);
}

static void scale_closed(dev *d, dev_view x, float s, int64_t n_rows, int64_t n, dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->scale(inner_of(d), unwrap(x), s, n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void soft_cap_closed(dev *d, dev_view x, float cap, int64_t n_rows, int64_t n, dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->soft_cap(inner_of(d), unwrap(x), cap, n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void mul_rows_closed(dev *d, dev_view x, const dev_weight *w, int64_t n_rows, int64_t n,
                            dev_view y)
{
    dev_weight inner = unwrap_weight(w);
    open_buf(w->data);
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->mul_rows(inner_of(d), unwrap(x), &inner, n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
    close_buf(w->data);
}

static void match_rms_closed(dev *d, dev_view x, dev_view like, int64_t n_rows, int64_t n,
                             dev_view y)
{
    open_buf(x);
    open_buf(like);
    open_buf(y);
    inner_of(d)->ops->match_rms(inner_of(d), unwrap(x), unwrap(like), n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(like);
    close_buf(x);
}

static void relu_above_closed(dev *d, dev_view x, float sigmas, int64_t n_rows, int64_t n,
                              dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->relu_above(inner_of(d), unwrap(x), sigmas, n_rows, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void add_blend_closed(dev *d, dev_view x, int64_t n_x, dev_view w, int64_t n_rows, int64_t n,
                             dev_view y, int64_t n_y)
{
    open_buf(x);
    open_buf(w);
    open_buf(y);
    inner_of(d)->ops->add_blend(inner_of(d), unwrap(x), n_x, unwrap(w), n_rows, n, unwrap(y), n_y);
    close_buf(y);
    close_buf(w);
    close_buf(x);
}

static void mix_closed(dev *d, dev_view x, const int32_t *ids, const float *weights, int64_t n_rows,
                       int64_t n_terms, int64_t n, dev_view y)
{
    open_buf(x);
    open_buf(y);
    inner_of(d)->ops->mix(inner_of(d), unwrap(x), ids, weights, n_rows, n_terms, n, unwrap(y));
    close_buf(y);
    close_buf(x);
}

static void rope_angles_closed(dev *d, const dev_rope *rope, const int32_t *pos, int64_t n_rows,
                               dev_view angles)
{
    open_buf(angles);
    inner_of(d)->ops->rope_angles(inner_of(d), rope, pos, n_rows, unwrap(angles));
    close_buf(angles);
}

static void rope_closed(dev *d, const dev_rope *rope, dev_view angles, dev_view x, int64_t n_rows,
                        int64_t n_head, int64_t d_head)
{
    open_buf(angles);
    open_buf(x);
    inner_of(d)->ops->rope(inner_of(d), rope, unwrap(angles), unwrap(x), n_rows, n_head, d_head);
    close_buf(x);
    close_buf(angles);
}

static void cache_write_closed(dev *d, const dev_cache *c, const dev_attn_row *rows, int64_t n_rows,
                               dev_view k, dev_view v)
{
    dev_cache inner = *c;
    inner.base = unwrap(c->base);
    open_buf(c->base);
    open_buf(k);
    open_buf(v);
    inner_of(d)->ops->cache_write(inner_of(d), &inner, rows, n_rows, unwrap(k), unwrap(v));
    close_buf(v);
    close_buf(k);
    close_buf(c->base);
}

static void attention_closed(dev *d, const dev_attn *a, const dev_cache *c,
                             const dev_attn_row *rows, int64_t n_rows, dev_view q, dev_view out,
                             dev_view scratch)
{
    dev_cache inner = *c;
    dev_attn how = *a;
    dev_weight sinks;
    inner.base = unwrap(c->base);
    if (a->sinks) {
        sinks = unwrap_weight(a->sinks);
        how.sinks = &sinks;
        open_buf(a->sinks->data);
    }
    open_buf(c->base);
    open_buf(q);
    open_buf(out);
    open_buf(scratch);
    inner_of(d)->ops->attention(inner_of(d), &how, &inner, rows, n_rows, unwrap(q), unwrap(out),
                                unwrap(scratch));
    close_buf(scratch);
    close_buf(out);
    close_buf(q);
    close_buf(c->base);
    if (a->sinks) close_buf(a->sinks->data);
}

static void short_conv_closed(dev *d, dev_view x, const dev_weight *w, const dev_state *s,
                              const dev_state_row *rows, int64_t n_rows, int64_t n, dev_view y)
{
    dev_weight inner = unwrap_weight(w);
    dev_state state = {unwrap(s->base), s->slot_stride};
    open_buf(x);
    open_buf(w->data);
    open_buf(s->base);
    open_buf(y);
    inner_of(d)->ops->short_conv(inner_of(d), unwrap(x), &inner, &state, rows, n_rows, n,
                                 unwrap(y));
    close_buf(y);
    close_buf(s->base);
    close_buf(w->data);
    close_buf(x);
}

static void token_shift_closed(dev *d, dev_view x, const dev_weight *mix, const dev_state *s,
                               const dev_state_row *rows, int64_t n_rows, int64_t n, int n_y,
                               const dev_view *y)
{
    dev_weight inner = unwrap_weight(mix);
    dev_state state = {unwrap(s->base), s->slot_stride};
    dev_view to[DEV_MATMUL_MAX];
    open_buf(x);
    open_buf(mix->data);
    open_buf(s->base);
    for (int i = 0; i < n_y; i++) {
        to[i] = unwrap(y[i]);
        open_buf(y[i]);
    }
    inner_of(d)->ops->token_shift(inner_of(d), unwrap(x), &inner, &state, rows, n_rows, n, n_y,
                                  to);
    for (int i = 0; i < n_y; i++) close_buf(y[i]);
    close_buf(s->base);
    close_buf(mix->data);
    close_buf(x);
}

static void rwkv7_closed(dev *d, const dev_rwkv7 *m, const dev_state *s,
                         const dev_state_row *rows, int64_t n_rows, dev_view y)
{
    const dev_view views[] = {m->r, m->w, m->k, m->v, m->a, m->g, s->base, y, m->k_k->data,
                              m->k_a->data, m->r_k->data, m->norm->data, m->norm_bias->data};
    const dev_weight k_k = unwrap_weight(m->k_k), k_a = unwrap_weight(m->k_a),
                     r_k = unwrap_weight(m->r_k), norm = unwrap_weight(m->norm),
                     norm_bias = unwrap_weight(m->norm_bias);
    const dev_rwkv7 inner = {
        m->n_head, m->d_head, unwrap(m->r), unwrap(m->w), unwrap(m->k), unwrap(m->v),
        unwrap(m->a), unwrap(m->g), &k_k, &k_a, &r_k, &norm, &norm_bias, m->eps,
    };
    dev_state state = {unwrap(s->base), s->slot_stride};
    for (size_t i = 0; i < COUNTOF(views); i++) open_buf(views[i]);
    inner_of(d)->ops->rwkv7(inner_of(d), &inner, &state, rows, n_rows, unwrap(y));
    for (size_t i = 0; i < COUNTOF(views); i++) close_buf(views[i]);
}

static void delta_rule_closed(dev *d, const dev_delta *m, const dev_state *s,
                              const dev_state_row *rows, int64_t n_rows, dev_view y)
{
    dev_delta inner = *m;
    dev_weight a = unwrap_weight(m->a), dt = unwrap_weight(m->dt);
    dev_state state = {unwrap(s->base), s->slot_stride};
    const dev_view used[] = {m->qkv, m->alpha, m->beta, m->a->data, m->dt->data, s->base, y};
    inner.qkv = unwrap(m->qkv);
    inner.alpha = unwrap(m->alpha);
    inner.beta = unwrap(m->beta);
    inner.a = &a;
    inner.dt = &dt;
    for (size_t i = 0; i < COUNTOF(used); i++) open_buf(used[i]);
    inner_of(d)->ops->delta_rule(inner_of(d), &inner, &state, rows, n_rows, unwrap(y));
    for (size_t i = 0; i < COUNTOF(used); i++) close_buf(used[i]);
}

static void close_closed(dev *d)
{
    dev_close(inner_of(d));
    mem_free(d);
}

static const dev_ops closed_ops = {
    .name = "closed",
    .alloc = alloc_closed,
    .wrap = wrap_closed,
    .free = free_closed,
    .write = write_closed,
    .read = read_closed,
    .copy = copy_closed,
    .sync = sync_closed,
    .can_matmul = can_matmul_closed,
    .matmul_scratch = matmul_scratch_closed,
    .attention_scratch = attention_scratch_closed,
    .matmul = matmul_closed,
    .gather = gather_closed,
    .select = select_closed,
    .copy_rows = copy_rows_closed,
    .rms_norm = rms_norm_closed,
    .layer_norm = layer_norm_closed,
    .add = add_closed,
    .mul = mul_closed,
    .lerp = lerp_closed,
    .sigmoid = sigmoid_closed,
    .relu_sqr = relu_sqr_closed,
    .add_bias = add_bias_closed,
    .silu_mul = silu_mul_closed,
    .gelu_mul = gelu_mul_closed,
    .swiglu_clamped = swiglu_clamped_closed,
    .gelu = gelu_closed,
    .gelu_erf_mul = gelu_erf_mul_closed,
    .gelu_erf = gelu_erf_closed,
    .scale = scale_closed,
    .mul_rows = mul_rows_closed,
    .match_rms = match_rms_closed,
    .relu_above = relu_above_closed,
    .add_blend = add_blend_closed,
    .soft_cap = soft_cap_closed,
    .mix = mix_closed,
    .rope_angles = rope_angles_closed,
    .rope = rope_closed,
    .cache_write = cache_write_closed,
    .attention = attention_closed,
    .short_conv = short_conv_closed,
    .token_shift = token_shift_closed,
    .rwkv7 = rwkv7_closed,
    .delta_rule = delta_rule_closed,
    .close = close_closed,
};

hearth_status closed_dev_open(dev *inner, dev **out, hearth_err *err)
{
    *out = NULL;
    closed_dev *c = mem_alloc_zero(MEM_TEST, 1, sizeof *c);
    if (!c) return err_fail(err, HEARTH_E_NOMEM, "no memory for the test device");
    c->base.ops = &closed_ops;
    c->inner = inner;
    *out = &c->base;
    return HEARTH_OK;
}
