// DRY ("don't repeat yourself"): a token that would continue a repetition of what was already said
// is penalised by multiplier * base^(length - allowed_length).
//
//   history   a b c d x y b c d        the suffix "b c d" was there before, 3 long, followed by x:
//               ^^^^^ ^       ^^^^^    drawing x now would make the repetition 4 long
//
// For each earlier position i the length of the longest common suffix of history[0..i] and the
// whole history is wanted. Read backwards that is the Z function (longest common prefix of a string
// and each of its suffixes), O(n) over the window. Sequence breakers end a repetition: lengths are
// limited to the number of tokens since the last breaker.
#include "llm/sampler_int.h"

#include <math.h>

static bool is_breaker(const penalty_state *st, int32_t id)
{
    return st->breaker[id / 64] >> (id % 64) & 1;
}

// z[k], 0 < k < n: how many tokens agree in last[0], last[-1].. and last[-k], last[-k-1]..
static void match_suffixes(const int32_t *last, int32_t n, int32_t *z)
{
    int32_t left = 0, right = 0; // [left, right): the match that reaches furthest back
    for (int32_t k = 1; k < n; k++) {
        int32_t m = k < right ? (int32_t)i64_min(right - k, z[k - left]) : 0;
        while (k + m < n && last[-m] == last[-(k + m)]) m++;
        z[k] = m;
        if (k + m > right) {
            left = k;
            right = k + m;
        }
    }
}

static int32_t count_since_breaker(const int32_t *last, int32_t n, const penalty_state *st)
{
    int32_t i = 0;
    while (i < n && !is_breaker(st, last[-i])) i++;
    return i;
}

void apply_dry(cand_set *s, const sampler_params *p, const history *h, penalty_state *st)
{
    if (!st->run) return;
    int32_t n = p->dry_last_n < 0 ? h->n : (int32_t)i64_min(h->n, p->dry_last_n);
    if (n <= p->dry_allowed_length) return;
    const int32_t *last = h->id + h->n - 1;
    int32_t limit = count_since_breaker(last, n, st);
    if (limit < p->dry_allowed_length) return;

    match_suffixes(last, n, st->match);
    for (int32_t k = 1; k < n; k++) { // the token after position -k is at -(k - 1)
        int32_t run = (int32_t)i64_min(st->match[k], limit);
        if (run < p->dry_allowed_length) continue;
        int32_t *longest = &st->run[last[-(k - 1)]];
        if (run + 1 > *longest) *longest = run + 1;
    }
    // A base^x that exceeds what a float holds says no more than the largest that does.
    double base = (double)p->dry_base, most = base > 1.000001 ? floor(88.7228391 / log(base)) : 0;
    for (int32_t i = 0; i < s->n; i++) {
        int32_t run = st->run[s->c[i].id];
        if (run == 0) continue;
        double exponent = run - 1 - p->dry_allowed_length;
        if (most > 0 && exponent > most) exponent = most;
        s->c[i].logit -= (double)p->dry_multiplier * pow(base, exponent);
    }
    for (int32_t k = 0; k < n; k++) st->run[last[-k]] = 0;
    s->n_ranked = 0;
}
