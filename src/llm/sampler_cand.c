// Ranking and softmax of a candidate set.
//
// Ranking the best k of n is a heap selection: the k best so far form a heap whose root is the
// worst of them, and almost every other candidate is refused by one comparison with the root. It
// needs no memory, O(n log k) whatever the input, and, unlike a quickselect, has no bad inputs that
// a hostile model could send. A second call continues behind what is ranked, so stages that need
// "as many as it takes" (top-p, typical-p) ask for more and more.
#include "llm/sampler_int.h"

#include <math.h>

static bool is_better(const cand *a, const cand *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static bool is_smaller_p(const cand *a, const cand *b)
{
    return a->p < b->p || (a->p == b->p && a->id < b->id);
}

typedef bool (*cand_order)(const cand *a, const cand *b); // strict: ids differ

static void swap_cands(cand *a, cand *b)
{
    cand t = *a;
    *a = *b;
    *b = t;
}

// Restores the heap (worst on top) below entry i.
static inline void sift_down(cand *heap, int32_t n, int32_t i, cand_order before)
{
    for (;;) {
        int32_t child = 2 * i + 1;
        if (child >= n) return;
        if (child + 1 < n && before(&heap[child], &heap[child + 1])) child++;
        if (!before(&heap[i], &heap[child])) return;
        swap_cands(&heap[i], &heap[child]);
        i = child;
    }
}

static inline void rank_best(cand *c, int32_t n, int32_t k, cand_order before)
{
    for (int32_t i = k / 2 - 1; i >= 0; i--) sift_down(c, k, i, before);
    for (int32_t i = k; i < n; i++) {
        if (!before(&c[i], &c[0])) continue;
        swap_cands(&c[i], &c[0]);
        sift_down(c, k, 0, before);
    }
    for (int32_t end = k - 1; end > 0; end--) { // the worst goes last
        swap_cands(&c[0], &c[end]);
        sift_down(c, end, 0, before);
    }
}

static inline void rank_more(cand_set *s, int32_t k, cand_order before)
{
    if (k > s->n) k = s->n;
    if (k <= s->n_ranked) return;
    rank_best(s->c + s->n_ranked, s->n - s->n_ranked, k - s->n_ranked, before);
    s->n_ranked = k;
}

void cand_rank(cand_set *s, int32_t k)
{
    rank_more(s, k, is_better);
}

void cand_rank_by_p(cand_set *s, int32_t k)
{
    rank_more(s, k, is_smaller_p);
}

void cand_cut(cand_set *s, int32_t k)
{
    ASSERT(k >= 1 && k <= s->n_ranked);
    s->n = s->n_ranked = k;
}

void cand_softmax(cand_set *s)
{
    ASSERT(s->n > 0);
    double max = s->c[0].logit;
    for (int32_t i = 1; i < s->n; i++) max = s->c[i].logit > max ? s->c[i].logit : max;
    double sum = 0;
    for (int32_t i = 0; i < s->n; i++) {
        double e = exp(s->c[i].logit - max);
        s->c[i].p = (float)e;
        sum += e;
    }
    for (int32_t i = 0; i < s->n; i++) s->c[i].p = (float)((double)s->c[i].p / sum);
    s->max = max;
    s->sum = sum;
}

double cand_entropy(const cand_set *s)
{
    double h = 0;
    for (int32_t i = 0; i < s->n; i++) {
        double p = (double)s->c[i].p;
        if (p > 0) h -= p * log(p);
    }
    return h;
}
