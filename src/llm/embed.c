// Whole texts to vectors, over llm_step().
//
// A text is a sequence of its own, made for it and forgotten after it. Texts go through the model
// together as long as their tokens fit a step, since the weights are then read once. A text that is
// longer than a step can only be cut where rows do not see ahead and one row is wanted: a decoder's
// last. All others are one step, and the context is made for the longest.
#include <string.h>

#include "llm/ctx_int.h"

enum { USUAL_ROWS = 512, TOGETHER_MAX = 64 }; // of a step, where there is a choice; texts in it

// Which row of a text is wanted: 0 first, 1 last, -1 all.
static int pick_row(const llm_model *m, llm_pooling pooling)
{
    switch (pooling) {
    case LLM_POOL_CLS: return 0;
    case LLM_POOL_LAST: return 1;
    case LLM_POOL_RANK:
        if (!m->c.is_encoder) return 1;
        return m->pool.cls_norm.weight == WEIGHT_NONE ? 0 : -1;
    default: return -1;
    }
}

static bool may_cut(const llm_model *m, llm_pooling pooling)
{
    return !m->c.is_encoder && pick_row(m, pooling) == 1;
}

int64_t llm_model_longest(const llm_model *m)
{
    return m->c.n_pos ? i64_min(m->c.n_pos, m->c.n_ctx_train) : m->c.n_ctx_train;
}

hearth_status llm_embed_options(const llm_model *m, llm_pooling pooling, int64_t longest,
                                int64_t total, int64_t n, llm_ctx_options *out, hearth_err *err)
{
    ASSERT(n >= 1 && longest >= 1 && total >= longest);
    llm_ctx_options o;
    llm_ctx_options_default(&o);
    HEARTH_TRY(llm_model_pooling(m, pooling, &o.pooling, err));
    int64_t most = llm_model_longest(m);
    if (longest > most)
        return err_fail(err, HEARTH_E_LIMIT, "a text of %lld tokens: the model takes %lld",
                        (long long)longest, (long long)most);
    int64_t rows = i64_min(total, USUAL_ROWS);
    if (!may_cut(m, o.pooling)) rows = i64_max(rows, longest);
    if (rows > LIMIT_BATCH_ROWS)
        return err_fail(err, HEARTH_E_LIMIT, "a text of %lld tokens: at most %d are read at once",
                        (long long)longest, LIMIT_BATCH_ROWS);
    o.n_batch = (int)rows;
    o.n_seq = o.n_logits = (int)i64_min(i64_min(n, TOGETHER_MAX), rows);
    o.n_ctx = i64_max(rows, longest) + (int64_t)o.n_seq * LLM_PAGE; // each text begins a page
    o.type_k = o.type_v = DTYPE_F32; // it is small, and nothing is kept for long
    *out = o;
    return HEARTH_OK;
}

// Rows of tokens [from, from + n) of the text at c->input + at.
static void fill_rows(llm_ctx *c, const llm_text *t, llm_seq seq, int64_t from, int64_t n, int at)
{
    int pick = pick_row(c->m, c->l.o.pooling);
    bool has_parts = c->m->c.n_parts > 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t pos = from + i;
        bool is_wanted = pick < 0 || pos == (pick ? t->n - 1 : 0);
        c->input[at + i] = (llm_row){
            .seq = seq, .pos = (int32_t)pos, .token = t->ids[pos],
            .want = is_wanted ? LLM_WANT_POOLED : LLM_WANT_NOTHING,
            .part = has_parts && pos >= t->n_first,
        };
    }
}

// How many of the texts the next step takes.
static int64_t count_together(const llm_ctx *c, const llm_text *texts, int64_t n)
{
    int64_t rows = texts[0].n, k = 1;
    while (k < n && k < c->l.o.n_logits && k < c->l.o.n_seq && texts[k].n <= c->l.o.n_batch - rows)
        rows += texts[k++].n;
    return k;
}

// All but the last rows of a text that is longer than a step.
static hearth_status read_ahead(llm_ctx *c, const llm_text *t, llm_seq seq, int64_t *from,
                                hearth_err *err)
{
    int n_batch = c->l.o.n_batch;
    *from = 0;
    if (t->n > n_batch && !may_cut(c->m, c->l.o.pooling))
        return err_fail(err, HEARTH_E_LIMIT, "a text of %lld tokens: the context reads %d at once",
                        (long long)t->n, n_batch);
    for (; t->n - *from > n_batch; *from += n_batch) {
        fill_rows(c, t, seq, *from, n_batch, 0);
        HEARTH_TRY(llm_step(c, c->input, n_batch, err));
    }
    return HEARTH_OK;
}

static hearth_status run_together(llm_ctx *c, const llm_text *texts, int64_t n, llm_seq *seq,
                                  float *out, hearth_err *err)
{
    int64_t from = 0, width = llm_model_pooled_width(c->m, c->l.o.pooling);
    int at = 0;
    for (int64_t i = 0; i < n; i++) {
        HEARTH_TRY(llm_seq_new(c, &seq[i], err));
        if (i == 0) HEARTH_TRY(read_ahead(c, &texts[0], seq[0], &from, err));
        int64_t first = i == 0 ? from : 0;
        fill_rows(c, &texts[i], seq[i], first, texts[i].n - first, at);
        at += (int)(texts[i].n - first);
    }
    HEARTH_TRY(llm_step(c, c->input, at, err));
    memcpy(out, c->hidden, (size_t)(n * width) * sizeof *out);
    return HEARTH_OK;
}

hearth_status llm_embed(llm_ctx *c, const llm_text *texts, int64_t n, float *out, hearth_err *err)
{
    ASSERT(c->l.o.pooling != LLM_POOL_NONE);
    int64_t width = llm_model_pooled_width(c->m, c->l.o.pooling);
    for (int64_t i = 0, k; i < n; i += k) {
        llm_seq seq[TOGETHER_MAX];
        if (texts[i].n < 1)
            return err_fail(err, HEARTH_E_ARG, "text %lld: has no tokens", (long long)i);
        k = i64_min(count_together(c, texts + i, n - i), TOGETHER_MAX);
        for (int64_t j = 0; j < k; j++) seq[j] = -1;
        hearth_status s = run_together(c, texts + i, k, seq, out + i * width, err);
        for (int64_t j = 0; j < k; j++) llm_seq_free(c, seq[j]);
        if (s != HEARTH_OK) return s;
    }
    return HEARTH_OK;
}
