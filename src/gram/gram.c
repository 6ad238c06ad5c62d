// Compilation by kind, and the life of a matcher.
#include "gram/gram.h"

#include <string.h>

#include "gram/match_int.h"

// --- compilation --------------------------------------------------------------------------------

static hearth_status read_text(gram_build *b, gram_kind kind, str text, hearth_err *err)
{
    uint32_t root = build_rule(b, STR("root"));
    gram_expr *x;
    switch (kind) {
    case GRAM_GBNF: return gbnf_read(b, text, root, err);
    case GRAM_SCHEMA: return schema_read(b, text, root, err);
    case GRAM_JSON: return schema_read(b, STR("{\"type\":\"object\"}"), root, err);
    case GRAM_CHOICES: return choices_read(b, text, root, err);
    case GRAM_REGEX:
        HEARTH_TRY(regex_read(b, text, false, false, &x, err));
        build_define(b, root, x);
        return HEARTH_OK;
    case GRAM_NONE:
    case GRAM_KIND_END: break;
    }
    return err_fail(err, HEARTH_E_ARG, "constraint: unknown kind %d", (int)kind);
}

hearth_status gram_compile(gram_kind kind, str text, gram_style style, gram **out, hearth_err *err)
{
    *out = NULL;
    if (text.n > LIMIT_GRAM_TEXT)
        return err_fail(err, HEARTH_E_LIMIT, "constraint: %zu bytes, at most %u", text.n,
                        LIMIT_GRAM_TEXT);
    gram *g = mem_alloc_zero(MEM_MISC, 1, sizeof *g);
    if (!g) return err_fail(err, HEARTH_E_NOMEM, "constraint: out of memory");
    arena_init(&g->mem, MEM_MISC, LIMIT_GRAM_MEMORY);
    gram_build b;
    build_init(&b, g, style);
    hearth_status status = read_text(&b, kind, text, err);
    if (status == HEARTH_OK) status = build_status(&b, err);
    if (status == HEARTH_OK) status = gram_emit(&b, err);
    build_release(&b);
    if (status == HEARTH_OK) *out = g;
    else gram_free(g);
    return status;
}

void gram_free(gram *g)
{
    if (!g) return;
    arena_release(&g->mem);
    mem_free(g->node);
    mem_free(g->object);
    mem_free(g);
}

hearth_status choices_read(gram_build *b, str json, uint32_t root, hearth_err *err)
{
    json_reader *r = NULL;
    json_event event = JSON_END;
    gram_expr *x = expr_new(b, EXPR_ALT);
    HEARTH_TRY(json_open_memory(json.p, json.n, LIMIT_GRAM_TEXT, &r, err));
    hearth_status status = json_next(r, &event, err);
    if (status == HEARTH_OK && event != JSON_ARRAY_BEGIN)
        status = err_fail(err, HEARTH_E_ARG, "choices: expected an array of strings");
    while (status == HEARTH_OK && (status = json_next(r, &event, err)) == HEARTH_OK) {
        if (event == JSON_ARRAY_END) break;
        if (event == JSON_STRING) expr_add(b, x, expr_copy(b, json_text(r)));
        else status = err_fail(err, HEARTH_E_ARG, "choices: expected strings only");
    }
    if (status == HEARTH_OK) status = json_next(r, &event, err); // nothing follows
    json_close(r);
    build_define(b, root, x);
    return status;
}

// --- matchers -----------------------------------------------------------------------------------

static bool alloc_matcher(gram_matcher *m)
{
    const gram_vocab *v = m->v;
    m->cap_frame = m->cap_reg = m->cap_state = 64;
    m->frame = mem_alloc_zero(MEM_SAMPLER, m->cap_frame, sizeof *m->frame);
    m->reg = mem_alloc_zero(MEM_SAMPLER, m->cap_reg, sizeof *m->reg);
    m->state = mem_alloc_zero(MEM_SAMPLER, m->cap_state, sizeof *m->state);
    m->n_frame = m->n_reg = m->n_state = 1;
    m->work = mem_alloc(MEM_SAMPLER, LIMIT_GRAM_CONFIGS * sizeof *m->work);
    m->set = mem_alloc(MEM_SAMPLER, (LIMIT_GRAM_CONFIGS + 1) * sizeof *m->set);
    m->visited = mem_alloc_zero(MEM_SAMPLER, 2 * LIMIT_GRAM_CONFIGS, sizeof *m->visited);
    m->path = mem_alloc(MEM_SAMPLER, ((size_t)v->longest + 1) * sizeof *m->path);
    m->bits = mem_alloc_zero(MEM_SAMPLER, gram_vocab_words(v) + 1, sizeof *m->bits);
    return m->frame && m->reg && m->state && m->work && m->set && m->visited && m->path && m->bits;
}

hearth_status gram_matcher_create(const gram *g, const gram_vocab *v, gram_matcher **out,
                                  hearth_err *err)
{
    *out = NULL;
    gram_matcher *m = mem_alloc_zero(MEM_SAMPLER, 1, sizeof *m);
    if (!m) return err_fail(err, HEARTH_E_NOMEM, "constraint: out of memory");
    m->g = g;
    m->v = v;
    arena_init(&m->kept, MEM_SAMPLER, LIMIT_GRAM_MEMORY);
    arena_init(&m->cache, MEM_SAMPLER, LIMIT_GRAM_MEMORY);
    map_init(&m->frame_ids, MEM_SAMPLER);
    map_init(&m->register_ids, MEM_SAMPLER);
    map_init(&m->state_ids, MEM_SAMPLER);
    hearth_status status = alloc_matcher(m)
                               ? match_start(m, err)
                               : err_fail(err, HEARTH_E_NOMEM, "constraint: out of memory");
    if (status == HEARTH_OK && m->now == STATE_DEAD)
        status = err_fail(err, HEARTH_E_ARG, "constraint: no text satisfies it");
    if (status == HEARTH_OK) *out = m;
    else gram_matcher_free(m);
    return status;
}

void gram_matcher_free(gram_matcher *m)
{
    if (!m) return;
    map_release(&m->frame_ids);
    map_release(&m->register_ids);
    map_release(&m->state_ids);
    arena_release(&m->kept);
    arena_release(&m->cache);
    void *const parts[] = {m->frame, m->reg, m->state, m->work, m->set, m->visited, m->path,
                           m->bits};
    for (size_t i = 0; i < COUNTOF(parts); i++) mem_free(parts[i]);
    mem_free(m);
}

hearth_status gram_reset(gram_matcher *m, hearth_err *err)
{
    m->ended = false;
    if (m->start == STATE_DEAD) return match_start(m, err);
    m->now = m->start;
    return HEARTH_OK;
}

hearth_status gram_min_tokens(gram_matcher *m, int64_t *out, hearth_err *err)
{
    *out = 0;
    if (!m->ended) HEARTH_TRY(match_tokens(m, m->now, out, err));
    if (*out != INT64_MAX) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "constraint: this model's tokens cannot write its shortest text");
}

hearth_status gram_accept_bytes(gram_matcher *m, str bytes, bool *ok, hearth_err *err)
{
    uint32_t to = STATE_DEAD;
    *ok = false;
    HEARTH_TRY(match_make_room(m, err));
    if (!m->ended) HEARTH_TRY(match_bytes(m, m->now, bytes, &to, err));
    if (to == STATE_DEAD) return HEARTH_OK;
    m->now = to;
    *ok = true;
    return HEARTH_OK;
}

hearth_status gram_accept(gram_matcher *m, int32_t token, hearth_err *err)
{
    ASSERT(token >= 0 && token < m->v->n);
    bool ok = m->v->is_end[token] && gram_may_end(m);
    if (ok) {
        m->ended = true;
        return HEARTH_OK;
    }
    str text = m->v->text[token];
    if (text.n > 0) HEARTH_TRY(gram_accept_bytes(m, text, &ok, err));
    return ok ? HEARTH_OK : err_fail(err, HEARTH_E_ARG, "constraint: token %d may not come", token);
}

bool gram_may_end(const gram_matcher *m)
{
    return m->ended || m->state[m->now].may_end;
}

bool gram_must_end(const gram_matcher *m)
{
    return m->ended || m->state[m->now].n == 0;
}
