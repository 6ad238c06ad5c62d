// Repetition, presence and frequency penalties over the last repeat_last_n tokens, and the history
// that they and DRY look at.
//
// The counts are kept per token id and changed as tokens enter and leave the window, so that the
// stage is one pass over the candidates whatever the window.
#include "llm/sampler_int.h"

void apply_penalties(cand_set *s, const sampler_params *p, const uint32_t *count)
{
    if (!count) return;
    double repeat = (double)p->repeat_penalty;
    for (int32_t i = 0; i < s->n; i++) {
        cand *c = &s->c[i];
        uint32_t n = count[c->id];
        if (n == 0) continue;
        // Dividing a negative logit would make it likelier.
        c->logit = c->logit <= 0 ? c->logit * repeat : c->logit / repeat;
        c->logit -= (double)n * (double)p->frequency_penalty + (double)p->presence_penalty;
    }
    s->n_ranked = 0;
}
