// From a turn's request to the tokens of its prompt, and what is left out where they are too many.
//
// OpenAI's clients are told that a prompt is too long; Ollama's expect that it is cut. A
// conversation loses its oldest messages, but never its system messages or the last one; any other
// prompt loses tokens behind its first KEEP. The reply says how many, so that nothing is cut in
// silence.
//
// How many messages must go is found by halving: a conversation gets shorter by every one, and one
// that its template refuses (which may want a user's message first) counts as too long.
#include <string.h>

#include "base/mem.h"
#include "server/server_int.h"

enum { KEEP = 4 }; // Ollama's num_keep

// --- conversations ------------------------------------------------------------------------------

static hearth_status render(const turn *t, engine *e, const char *messages, tok_ids *prompt,
                            reply_style *style, hearth_err *err)
{
    engine_chat_options o = {.messages = str_from(messages), .think = t->think};
    engine_chat_result result;
    if (t->tools) o.tools = str_from(t->tools);
    o.now = date_now();
    HEARTH_TRY(engine_chat(e, &o, &result, err));
    *prompt = result.ids;
    *style = result.style;
    return HEARTH_OK;
}

static bool may_drop(const json_t *messages, size_t i)
{
    const char *role = json_string_value(json_object_get(json_array_get(messages, i), "role"));
    return i + 1 < json_array_size(messages) && role && strcmp(role, "system") != 0;
}

// Without the first n messages that may be dropped; NULL: out of memory.
static char *messages_without(const json_t *messages, size_t n)
{
    json_t *kept = json_array();
    for (size_t i = 0; i < json_array_size(messages); i++) {
        if (n > 0 && may_drop(messages, i)) n--;
        else json_array_append(kept, json_array_get(messages, i));
    }
    char *text = kept ? json_dumps(kept, JSON_COMPACT) : NULL;
    json_decref(kept);
    return text;
}

static hearth_status render_without(const turn *t, engine *e, const json_t *messages, size_t n,
                                    tok_ids *prompt, reply_style *style, hearth_err *err)
{
    char *text = messages_without(messages, n);
    if (!text) return err_fail(err, HEARTH_E_NOMEM, "prompt: out of memory");
    hearth_status status = render(t, e, text, prompt, style, err);
    mem_free(text);
    return status;
}

static bool fits(const turn *t, const tok_ids *prompt) { return (int64_t)prompt->n < t->n_ctx; }

// The fewest messages to drop. *low do not suffice, *high do or are all.
static size_t count_to_drop(const turn *t, engine *e, const json_t *messages, size_t high)
{
    size_t low = 0;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        tok_ids prompt = {0};
        reply_style style;
        bool is_enough = render_without(t, e, messages, mid, &prompt, &style, NULL) == HEARTH_OK &&
                         fits(t, &prompt);
        tok_ids_release(&prompt);
        if (is_enough) high = mid;
        else low = mid;
    }
    return high;
}

static hearth_status drop_messages(turn *t, engine *e, tok_ids *prompt, reply_style *style,
                                   hearth_err *err)
{
    json_t *messages = json_loads(t->messages, 0, NULL);
    size_t most = 0, n_all = prompt->n;
    for (size_t i = 0; i < json_array_size(messages); i++) most += may_drop(messages, i);
    hearth_status status = HEARTH_OK;
    if (most > 0) {
        size_t n = count_to_drop(t, e, messages, most);
        tok_ids_release(prompt);
        *prompt = (tok_ids){0};
        status = render_without(t, e, messages, n, prompt, style, err);
        if (status == HEARTH_OK) {
            t->dropped_messages = (int64_t)n;
            t->dropped_tokens = (int64_t)n_all - (int64_t)prompt->n;
        }
    }
    json_decref(messages);
    return status;
}

// --- other texts --------------------------------------------------------------------------------

static hearth_status tokenize(engine *e, const char *text, tok_options o, tok_ids *out,
                              hearth_err *err)
{
    return engine_tokenize(e, str_from(text), o, out, err);
}

// prefix SUFFIX-token suffix MIDDLE-token, as models are trained to fill in.
static hearth_status read_infill(const turn *t, engine *e, tok_ids *out, hearth_err *err)
{
    const tok_special *s = &engine_get_info(e)->special;
    if (s->fim_pre == TOK_NONE || s->fim_suf == TOK_NONE || s->fim_mid == TOK_NONE)
        return err_fail(err, HEARTH_E_ARG, "'suffix': '%s' does not support insert", t->model);
    if (s->add_bos && s->bos != TOK_NONE) HEARTH_TRY(tok_ids_push(out, s->bos, err));
    HEARTH_TRY(tok_ids_push(out, s->fim_pre, err));
    HEARTH_TRY(tokenize(e, t->prompt, (tok_options){0}, out, err));
    HEARTH_TRY(tok_ids_push(out, s->fim_suf, err));
    HEARTH_TRY(tokenize(e, t->suffix, (tok_options){0}, out, err));
    return tok_ids_push(out, s->fim_mid, err);
}

static void drop_tokens(turn *t, tok_ids *prompt)
{
    size_t most = (size_t)t->n_ctx - 1, keep = size_min(KEEP, most), n = prompt->n - most;
    memmove(prompt->id + keep, prompt->id + keep + n, (most - keep) * sizeof *prompt->id);
    prompt->n = most;
    t->dropped_tokens += (int64_t)n;
}

// --- all ----------------------------------------------------------------------------------------

static hearth_status make_tokens(turn *t, engine *e, tok_ids *prompt, reply_style *style,
                                 hearth_err *err)
{
    if (t->suffix) return read_infill(t, e, prompt, err);
    // A prompt of /api/generate is a message only to models that have a template.
    bool is_plain = t->is_legacy && !engine_get_info(e)->has_chat_template;
    if (!t->is_chat || is_plain)
        return tokenize(e, t->prompt, (tok_options){true, t->is_raw}, prompt, err);
    HEARTH_TRY(render(t, e, t->messages, prompt, style, err));
    if (!fits(t, prompt) && t->may_cut) HEARTH_TRY(drop_messages(t, e, prompt, style, err));
    if (!t->tools) reply_forget_calls(style);
    return HEARTH_OK;
}

hearth_status turn_read_prompt(turn *t, engine *e, tok_ids *prompt, reply_style *style,
                               hearth_err *err)
{
    // Sessions of an engine have equal shares of its positions.
    t->n_ctx = engine_get_info(e)->n_ctx / t->s->o.sched.engine.n_seq;
    *prompt = (tok_ids){0};
    *style = (reply_style){0}; // plain text
    hearth_status status = make_tokens(t, e, prompt, style, err);
    bool is_message = t->is_chat && !t->is_legacy;
    if (status == HEARTH_OK && !fits(t, prompt) && t->may_cut && !is_message)
        drop_tokens(t, prompt);
    if (status == HEARTH_OK && !fits(t, prompt)) {
        t->n_too_long = (int64_t)prompt->n;
        status = err_fail(err, HEARTH_E_LIMIT,
                          "the prompt has %zu tokens and does not fit the context of %lld",
                          prompt->n, (long long)t->n_ctx);
    }
    if (status == HEARTH_OK) return HEARTH_OK;
    tok_ids_release(prompt);
    *prompt = (tok_ids){0};
    return status;
}
