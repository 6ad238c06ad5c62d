// Unigram of tokenizer.json: the best way through the lattice; a run of characters that are no
// tokens is one unknown token, or its bytes. See pipe.h.
#include "defs/limits.h"
#include "tok/json/models.h"

static hearth_status build_trie(tok *t, byte_trie *trie, hearth_err *err)
{
    size_t bytes = 0;
    int32_t n = (int32_t)t->pipe->source.n; // what was added behind is found before
    for (int32_t i = 0; i < n; i++) {
        if (!vocab_is_word(t, i)) continue;
        if (t->text[i].n > LIMIT_WALK_BYTES) {
            return err_fail(err, HEARTH_E_LIMIT, "token %d has %zu bytes, at most %d", (int)i,
                            t->text[i].n, LIMIT_WALK_BYTES);
        }
        bytes += t->text[i].n;
    }
    HEARTH_TRY(trie_init(trie, &t->mem, bytes, err));
    for (int32_t i = 0; i < n; i++) {
        if (vocab_is_word(t, i)) trie_insert(trie, t->text[i], i);
    }
    return HEARTH_OK;
}

static hearth_status open_unigram(tok *t, hearth_err *err)
{
    pipe *p = t->pipe;
    pipe_source *src = &p->source;
    if (!src->has_scores) {
        return err_fail(err, HEARTH_E_FORMAT, "'model.vocab': expected pairs of token and score");
    }
    p->ways.score = arena_new(&t->mem, double, (size_t)t->n);
    if (!p->ways.score) return err_fail(err, HEARTH_E_NOMEM, "no memory for scores");
    double least = src->n ? src->score[0] : 0;
    for (size_t i = 0; i < src->n; i++) {
        p->ways.score[i] = src->score[i];
        if (src->score[i] < least) least = src->score[i];
    }
    p->ways.unk_score = least - 10; // as published
    return build_trie(t, &p->ways.words, err);
}

static hearth_status push_unknown(const tok *t, str run, tok_ids *out, hearth_err *err)
{
    int32_t id = vocab_find_word(t, run);
    if (id != TOK_NONE) return tok_ids_push(out, id, err);
    bool bytes = t->pipe->options.byte_fallback;
    for (size_t i = 0; i < run.n && bytes; i++) bytes = t->byte_id[(uint8_t)run.p[i]] != TOK_NONE;
    for (size_t i = 0; i < run.n && bytes; i++) {
        HEARTH_TRY(tok_ids_push(out, t->byte_id[(uint8_t)run.p[i]], err));
    }
    if (bytes) return HEARTH_OK;
    if (t->special.unk != TOK_NONE) return tok_ids_push(out, t->special.unk, err);
    return err_fail(err, HEARTH_E_FORMAT, "no tokens for '%.*s' and no unknown token",
                    STR_ARG(run));
}

static hearth_status encode_unigram(const tok *t, pipe_work *w, str text, tok_ids *out,
                                    hearth_err *err)
{
    HEARTH_TRY(lattice_find(&t->pipe->ways, text, &w->ways, err));
    const lattice_step *step = w->ways.step;
    for (size_t at = 0, end; at < text.n; at = end) {
        end = step[at].end;
        if (step[at].id != TOK_NONE) {
            HEARTH_TRY(tok_ids_push(out, step[at].id, err));
            continue;
        }
        while (end < text.n && step[end].id == TOK_NONE) end = step[end].end;
        HEARTH_TRY(push_unknown(t, (str){text.p + at, end - at}, out, err));
    }
    return HEARTH_OK;
}

const pipe_model pipe_model_unigram = {"Unigram", "json/unigram", open_unigram, encode_unigram};
