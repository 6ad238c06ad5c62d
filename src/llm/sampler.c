// The sampler object: its memory, its history, the order of its stages and the draw.
//
// Everything is allocated when it is created; a draw allocates nothing. Only a window over the
// whole context (-1) makes sampler_accept() grow the history; should that fail, the next draw says
// so. The stages are in sampler_truncate.c, sampler_penalty.c, sampler_dry.c and
// sampler_mirostat.c.
//
// Reproducible: the random numbers are the sampler's own, one for each draw and one more for each
// XTC stage that is on, and every sum has a fixed order. The draw walks the candidates in the order
// of rank where they were ranked, so that a difference in the last digit of a logit (another
// instruction set) rarely changes the token.
#include "llm/sampler.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "defs/limits.h"
#include "llm/sampler_int.h"

static bool is_penalising(const sampler_params *p)
{
    return p->repeat_last_n != 0 &&
           (p->repeat_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0);
}

static bool is_dry(const sampler_params *p)
{
    return p->dry_multiplier != 0 && p->dry_base >= 1 && p->dry_last_n != 0;
}

// --- memory -------------------------------------------------------------------------------------

static void merge_bias(sampler_bias *to, const sampler_bias *from, size_t n_from, size_t *n)
{
    for (size_t i = 0; i < n_from; i++) { // insertion sort: lists are short and mostly sorted
        size_t at = *n;
        while (at > 0 && to[at - 1].id > from[i].id) at--;
        if (at > 0 && to[at - 1].id == from[i].id) {
            float *bias = &to[at - 1].bias;
            bool is_ban = *bias == -INFINITY || from[i].bias == -INFINITY;
            *bias = is_ban ? -INFINITY : *bias + from[i].bias;
            continue;
        }
        memmove(to + at + 1, to + at, (*n - at) * sizeof *to);
        to[at] = from[i];
        ++*n;
    }
}

static hearth_status copy_bias(sampler *s, const sampler_params *p)
{
    s->p.bias = NULL;
    s->p.n_bias = 0;
    if (p->n_bias == 0) return HEARTH_OK;
    s->bias = mem_alloc_zero(MEM_SAMPLER, p->n_bias, sizeof *s->bias);
    if (!s->bias) return HEARTH_E_NOMEM;
    merge_bias(s->bias, p->bias, p->n_bias, &s->p.n_bias);
    s->p.bias = s->bias;
    return HEARTH_OK;
}

static hearth_status set_breakers(sampler *s, const int32_t *id, size_t n, hearth_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (id[i] < 0 || id[i] >= s->n_vocab)
            return err_fail(err, HEARTH_E_ARG, "dry sequence breaker: no token %d", id[i]);
        s->pen.breaker[id[i] / 64] |= UINT64_C(1) << (id[i] % 64);
    }
    return HEARTH_OK;
}

// A window over the whole context starts small and grows; only DRY needs the tokens themselves
// then.
enum { HISTORY_FIRST = 1024 };

static void plan_history(sampler *s)
{
    const sampler_params *p = &s->p;
    int32_t window = 0;
    if (is_penalising(p) && p->repeat_last_n > 0) window = p->repeat_last_n;
    if (is_dry(p) && p->dry_last_n > window) window = p->dry_last_n;
    if (is_dry(p) && p->dry_last_n < 0) {
        s->past.cap = (int32_t)i64_max(HISTORY_FIRST, 2 * (int64_t)window);
        window = -1;
    } else {
        s->past.cap = 2 * window;
    }
    s->past.window = window;
}

static bool allocate(sampler *s)
{
    size_t n = (size_t)s->n_vocab, cap = (size_t)s->past.cap;
    s->set.c = mem_alloc_zero(MEM_SAMPLER, n, sizeof(cand));
    bool ok = s->set.c != NULL;
    if (is_penalising(&s->p))
        ok = ok && (s->pen.count = mem_alloc_zero(MEM_SAMPLER, n, sizeof(uint32_t)));
    if (cap > 0) ok = ok && (s->past.id = mem_alloc_zero(MEM_SAMPLER, cap, sizeof(int32_t)));
    if (!is_dry(&s->p)) return ok;
    ok = ok && (s->pen.run = mem_alloc_zero(MEM_SAMPLER, n, sizeof(int32_t)));
    ok = ok && (s->pen.match = mem_alloc_zero(MEM_SAMPLER, cap, sizeof(int32_t)));
    return ok && (s->pen.breaker = mem_alloc_zero(MEM_SAMPLER, n / 64 + 1, sizeof(uint64_t)));
}

hearth_status sampler_create(const sampler_params *p, int32_t n_vocab, const int32_t *breakers,
                             size_t n_breakers, sampler **out, hearth_err *err)
{
    *out = NULL;
    if (n_vocab < 1 || n_vocab > LIMIT_VOCAB)
        return err_fail(err, HEARTH_E_ARG, "vocabulary of %d tokens, expected 1 to %d", n_vocab,
                        LIMIT_VOCAB);
    HEARTH_TRY(sampler_params_check(p, n_vocab, err));
    sampler *s = mem_alloc_zero(MEM_SAMPLER, 1, sizeof *s);
    if (!s) return err_fail(err, HEARTH_E_NOMEM, "sampler: out of memory");
    s->p = *p;
    s->n_vocab = n_vocab;
    plan_history(s);
    hearth_status status = copy_bias(s, p);
    if (status != HEARTH_OK || !allocate(s))
        status = err_fail(err, HEARTH_E_NOMEM, "sampler: out of memory");
    else if (s->pen.breaker)
        status = set_breakers(s, breakers, n_breakers, err);
    if (status != HEARTH_OK) {
        sampler_free(s);
        return status;
    }
    sampler_reset(s);
    *out = s;
    return HEARTH_OK;
}

void sampler_free(sampler *s)
{
    if (!s) return;
    mem_free(s->set.c);
    mem_free(s->past.id);
    mem_free(s->pen.count);
    mem_free(s->pen.run);
    mem_free(s->pen.match);
    mem_free(s->pen.breaker);
    mem_free(s->bias);
    mem_free(s);
}

void sampler_reset(sampler *s)
{
    rng_seed(&s->random, s->p.seed);
    s->mu = 2 * (double)s->p.mirostat_tau;
    s->past.n = 0;
    s->past.short_of_memory = false;
    if (s->pen.count) memset(s->pen.count, 0, (size_t)s->n_vocab * sizeof *s->pen.count);
}

// --- history ------------------------------------------------------------------------------------

static bool grow_history(sampler *s)
{
    if (s->past.cap > INT32_MAX / 2) return false;
    size_t bytes = 2 * (size_t)s->past.cap * sizeof(int32_t);
    int32_t *id = mem_realloc(MEM_SAMPLER, s->past.id, bytes);
    if (!id) return false;
    s->past.id = id;
    int32_t *match = mem_realloc(MEM_SAMPLER, s->pen.match, bytes);
    if (!match) return false; // a larger id[] than cap says is no harm
    s->pen.match = match;
    s->past.cap *= 2;
    return true;
}

static bool make_room(sampler *s)
{
    history *h = &s->past;
    if (h->n < h->cap) return true;
    if (h->window < 0) return grow_history(s);
    memmove(h->id, h->id + h->n - h->window, (size_t)h->window * sizeof *h->id);
    h->n = h->window;
    return true;
}

void sampler_accept(sampler *s, int32_t id)
{
    ASSERT(id >= 0 && id < s->n_vocab);
    history *h = &s->past;
    if (s->pen.count) s->pen.count[id]++;
    if (h->cap == 0) return;
    if (!make_room(s)) {
        h->short_of_memory = true;
        return;
    }
    h->id[h->n++] = id;
    int32_t last_n = s->p.repeat_last_n;
    if (s->pen.count && last_n > 0 && h->n > last_n) s->pen.count[h->id[h->n - 1 - last_n]]--;
}

// --- sampling -----------------------------------------------------------------------------------

// The logit as the stages see it; false: the token cannot be chosen.
static bool usable_logit(float x, double *out)
{
    if (!(x > -INFINITY)) return false; // NaN too
    *out = (double)f32_min(x, FLT_MAX);
    return true;
}

hearth_status sampler_fill(sampler *s, const float *logits, const uint64_t *allowed,
                           hearth_err *err)
{
    size_t at_bias = 0;
    int32_t n = 0;
    bool any = false;
    for (int32_t id = 0; id < s->n_vocab; id++) {
        double logit, add = 0;
        if (at_bias < s->p.n_bias && s->bias[at_bias].id == id)
            add = (double)s->bias[at_bias++].bias;
        if (!usable_logit(logits[id], &logit)) continue;
        any = true;
        if (add == -(double)INFINITY || (allowed && !(allowed[id / 64] >> (id % 64) & 1))) continue;
        logit += add > (double)FLT_MAX ? (double)FLT_MAX : add;
        s->set.c[n++] = (cand){.logit = logit, .id = id};
    }
    s->set.n = n;
    s->set.n_ranked = 0;
    if (!any) return err_fail(err, HEARTH_E_INTERNAL, "the model's output is not a number");
    if (n == 0) return err_fail(err, HEARTH_E_ARG, "every token that could be drawn is banned");
    return HEARTH_OK;
}

static void run_stage(sampler *s, sampler_stage stage)
{
    const sampler_params *p = &s->p;
    cand_set *c = &s->set;
    switch (stage) {
    case SAMPLER_PENALTIES: apply_penalties(c, p, s->pen.count); break;
    case SAMPLER_DRY: apply_dry(c, p, &s->past, &s->pen); break;
    case SAMPLER_TOP_N_SIGMA: truncate_top_n_sigma(c, p->top_n_sigma); break;
    case SAMPLER_TOP_K: truncate_top_k(c, p->top_k); break;
    case SAMPLER_TYPICAL_P: truncate_typical(c, p->typical_p, p->min_keep); break;
    case SAMPLER_TOP_P: truncate_top_p(c, p->top_p, p->min_keep); break;
    case SAMPLER_MIN_P: truncate_min_p(c, p->min_p, p->min_keep); break;
    case SAMPLER_XTC:
        if (p->xtc_probability > 0)
            truncate_xtc(c, p->xtc_probability, p->xtc_threshold, rng_f64(&s->random), p->min_keep);
        break;
    case SAMPLER_TEMPERATURE:
        apply_temperature(c, p->temperature, p->dynatemp_range, p->dynatemp_exponent);
        break;
    case SAMPLER_STAGE_COUNT: break;
    }
}

void sampler_run_stages(sampler *s)
{
    const sampler_params *p = &s->p;
    bool is_greedy = p->temperature <= 0;
    int last = is_greedy ? SAMPLER_DRY : p->mirostat ? SAMPLER_TOP_N_SIGMA : SAMPLER_TEMPERATURE;
    for (int i = 0; i < p->n_order; i++)
        if ((int)p->order[i] <= last) run_stage(s, p->order[i]);
    if (is_greedy) {
        truncate_top_k(&s->set, 1);
    } else if (p->mirostat) {
        run_stage(s, SAMPLER_TEMPERATURE);
        mirostat_cut(&s->set, p, s->n_vocab, s->mu);
    }
}

// The candidate in whose share of [0, total) a uniform number falls.
static const cand *pick(const cand_set *c, double uniform)
{
    double total = 0;
    for (int32_t i = 0; i < c->n; i++) total += (double)c->c[i].p;
    double at = uniform * total, sum = 0;
    const cand *chosen = c->c;
    for (int32_t i = 0; i < c->n && sum <= at; i++) {
        if (c->c[i].p <= 0) continue;
        chosen = &c->c[i];
        sum += (double)chosen->p;
    }
    return chosen;
}

int32_t sampler_draw(sampler *s)
{
    if (s->set.n == 1 && !s->p.mirostat) return s->set.c[0].id;
    cand_softmax(&s->set);
    const cand *c = pick(&s->set, rng_f64(&s->random));
    if (s->p.mirostat && s->p.temperature > 0) s->mu = mirostat_update(&s->p, s->mu, (double)c->p);
    return c->id;
}

hearth_status sampler_sample(sampler *s, const float *logits, const uint64_t *allowed, int32_t *out,
                             hearth_err *err)
{
    if (s->past.short_of_memory)
        return err_fail(err, HEARTH_E_NOMEM, "sampler: out of memory for the history of tokens");
    HEARTH_TRY(sampler_fill(s, logits, allowed, err));
    sampler_run_stages(s);
    *out = sampler_draw(s);
    return HEARTH_OK;
}
