// From the rows of a text to its vector: what stands behind the last layer of models that embed
// texts or rank them.
//
//   rows -> output norm -> mean of those that want it -> dense_2 -> dense_3 -> vector
//                                                        -> cls -> tanh -> cls.output -> labels
//                                                        -> cls -> gelu -> norm -> cls.output
//
// One row's mean is the row itself, bit for bit, so "first" and "last" are a question of which rows
// want (embed.c). All of it runs on the device over all texts of a step; a text's mean is summed in
// the order of its own rows, so its bits do not depend on company. The second form of the
// classifier is modern-bert's, known by its norm. Where the labels are "yes" and "no"
// (Qwen3-Reranker: rows of the output matrix) they become shares of 1. Vectors are not normalised
// here: ranks are none, and who cuts a vector (Matryoshka) normalises what is left.
#include <math.h>
#include <stdio.h>

#include "llm/ctx_int.h"

// --- tensors ------------------------------------------------------------------------------------

// A matrix [n_in -> *n_out] and its bias, neither required; the file says how wide it is.
static hearth_status bind_matrix(llm_model *m, const char *name, const char *bias_name,
                                 int64_t n_in, weight_id *weight, weight_id *bias, int64_t *n_out,
                                 hearth_err *err)
{
    const gguf_tensor *t = gguf_find_tensor(weights_source(m->w), name);
    *weight = *bias = WEIGHT_NONE;
    if (!t) return HEARTH_OK;
    int64_t n = t->dim[1];
    if (n < 1 || n > LIMIT_EMBD)
        return err_fail(err, HEARTH_E_FORMAT, "tensor '%s': %lld rows are not in 1..%d", name,
                        (long long)n, LIMIT_EMBD);
    HEARTH_TRY(weights_bind(m->w, name, n_in, n, false, weight, err));
    *n_out = n;
    return weights_bind(m->w, bias_name, n, 1, true, bias, err);
}

// Are the labels "yes" first, as of a generative reranker?
static bool has_yes_label(const llm_model *m)
{
    char key[96];
    size_t at = 0;
    snprintf(key, sizeof key, "%s.classifier.output_labels", m->c.arch);
    const gguf_kv *kv = gguf_find(weights_source(m->w), key);
    if (!kv || kv->type != GGUF_ARRAY || kv->item_type != GGUF_STRING || kv->n < 2) return false;
    return str_eq_z(gguf_next_string(kv, &at), "yes");
}

static hearth_status bind_classifier(llm_model *m, hearth_err *err)
{
    llm_pool *p = &m->pool;
    int64_t n = m->c.n_embd, n_hidden = n;
    HEARTH_TRY(bind_matrix(m, "cls.weight", "cls.bias", n, &p->cls, &p->cls_bias, &n_hidden, err));
    if (n_hidden != n)
        return err_fail(err, HEARTH_E_FORMAT, "tensor 'cls.weight': %lld rows, expected %lld",
                        (long long)n_hidden, (long long)n);
    p->cls_norm = (nn_norm){.weight = WEIGHT_NONE, .n = n, .eps = m->c.norm_eps,
                            .is_layer = m->c.has_layer_norm, .bias = WEIGHT_NONE};
    if (p->cls != WEIGHT_NONE)
        HEARTH_TRY(weights_bind(m->w, "cls.norm.weight", n, 1, true, &p->cls_norm.weight, err));
    p->is_share = has_yes_label(m);
    return bind_matrix(m, "cls.output.weight", "cls.output.bias", n, &p->label, &p->label_bias,
                       &p->n_label, err);
}

hearth_status pooling_bind(llm_model *m, hearth_err *err)
{
    llm_pool *p = &m->pool;
    *p = (llm_pool){.cls = WEIGHT_NONE, .label = WEIGHT_NONE, .n_out = m->c.n_embd};
    p->dense[0].weight = p->dense[1].weight = WEIGHT_NONE;
    if (!m->has_head) return HEARTH_OK;
    static const char *const names[2][2] = {{"dense_2.weight", "dense_2.bias"},
                                            {"dense_3.weight", "dense_3.bias"}};
    for (int i = 0; i < 2; i++) {
        HEARTH_TRY(bind_matrix(m, names[i][0], names[i][1], p->n_out, &p->dense[i].weight,
                               &p->dense[i].bias, &p->n_out, err));
        p->dense[i].n_out = p->n_out;
    }
    return bind_classifier(m, err);
}

bool pooling_multiplies(const llm_pool *p, weight_id id)
{
    return id == p->label || id == p->cls || id == p->dense[0].weight || id == p->dense[1].weight;
}

int64_t pooling_widest(const llm_model *m)
{
    const llm_pool *p = &m->pool;
    int64_t dense = i64_max(p->dense[0].n_out, p->dense[1].n_out);
    return i64_max(i64_max(m->c.n_embd, dense), p->n_label);
}

int64_t llm_model_pooled_width(const llm_model *m, llm_pooling pooling)
{
    return pooling == LLM_POOL_RANK ? m->pool.n_label : m->pool.n_out;
}

hearth_status llm_model_pooling(const llm_model *m, llm_pooling wanted, llm_pooling *out,
                                hearth_err *err)
{
    llm_pooling usual = m->c.is_encoder ? LLM_POOL_MEAN : LLM_POOL_LAST;
    if (wanted == LLM_POOL_NONE) wanted = m->c.pooling;
    if (wanted == LLM_POOL_NONE) wanted = usual;
    if (wanted == LLM_POOL_RANK && m->pool.n_label == 0)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "tensor 'cls.output.weight': not in the file, so it cannot rank");
    *out = wanted;
    return HEARTH_OK;
}

// --- the step -----------------------------------------------------------------------------------

// y = the means of the texts' rows; how many there are.
static int take_means(llm_ctx *c, int n_rows, dev_view y)
{
    int n_texts = 0;
    int64_t n_embd = c->m->c.n_embd;
    for (int i = 0; i < n_rows;) {
        int n = 0;
        if (c->slot[i] < 0) {
            i++;
            continue;
        }
        while (i + n < n_rows && c->slot[i + n] == c->slot[i]) n++;
        for (int j = 0; j < n; j++) {
            c->ids[j] = i + j;
            c->share[j] = 1.0f / (float)n;
        }
        dev_view to = dev_at(y, (size_t)(n_texts++ * n_embd) * sizeof(float));
        c->run.d->ops->mix(c->run.d, c->run.x, c->ids, c->share, 1, n, n_embd, to);
        i += n;
    }
    return n_texts;
}

// *y = *x times a matrix plus its bias, and the two change places.
static hearth_status multiply(const nn_run *r, weight_id weight, weight_id bias, dev_view *x,
                              dev_view *y, hearth_err *err)
{
    HEARTH_TRY(nn_linear(r, 1, &weight, *x, r->n_rows, y, err));
    HEARTH_TRY(nn_add_bias(r, bias, *y, err));
    dev_view t = *x;
    *x = *y;
    *y = t;
    return HEARTH_OK;
}

static hearth_status classify(const llm_model *m, const nn_run *r, dev_view *x, dev_view *y,
                              hearth_err *err)
{
    const llm_pool *p = &m->pool;
    const dev_ops *ops = r->d->ops;
    int64_t n = m->c.n_embd;
    if (p->cls != WEIGHT_NONE) {
        HEARTH_TRY(multiply(r, p->cls, p->cls_bias, x, y, err));
        if (p->cls_norm.weight != WEIGHT_NONE) {
            ops->gelu_erf(r->d, *x, r->n_rows, n, *x);
            HEARTH_TRY(nn_apply_norm(r, &p->cls_norm, *x, r->n_rows, *x, err));
        } else {
            ops->soft_cap(r->d, *x, 1.0f, r->n_rows, n, *x); // tanh
        }
    }
    return multiply(r, p->label, p->label_bias, x, y, err);
}

// The labels of a row as shares of 1.
static void share_out(float *x, int64_t n)
{
    float top = x[0], sum = 0;
    for (int64_t i = 1; i < n; i++) top = f32_max(top, x[i]);
    for (int64_t i = 0; i < n; i++) sum += x[i] = (float)exp((double)(x[i] - top));
    for (int64_t i = 0; i < n; i++) x[i] /= sum;
}

hearth_status pooling_run(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err)
{
    const llm_model *m = c->m;
    nn_run r = c->run;
    dev_view x = {c->scratch, c->l.picked}, y = {c->scratch, c->l.pooled};
    bool ranks = c->l.o.pooling == LLM_POOL_RANK;
    bool is_wanted = false;
    for (int i = 0; i < n_rows; i++) is_wanted = is_wanted || rows[i].want;
    if (!is_wanted) return HEARTH_OK;
    if (m->c.has_out_norm)
        HEARTH_TRY(nn_apply_norm(&r, &m->out_norm, r.x, n_rows, r.x, err));
    r.n_rows = take_means(c, n_rows, x);
    for (int i = 0; i < 2 && !ranks; i++)
        if (m->pool.dense[i].weight != WEIGHT_NONE)
            HEARTH_TRY(multiply(&r, m->pool.dense[i].weight, m->pool.dense[i].bias, &x, &y, err));
    if (ranks) HEARTH_TRY(classify(m, &r, &x, &y, err));
    int64_t width = llm_model_pooled_width(m, c->l.o.pooling);
    size_t bytes = (size_t)(r.n_rows * width) * sizeof(float);
    HEARTH_TRY(r.d->ops->read(r.d, x, c->hidden, bytes, err));
    for (int64_t i = 0; i < r.n_rows && ranks && m->pool.is_share; i++)
        share_out(c->hidden + i * width, width);
    return HEARTH_OK;
}
