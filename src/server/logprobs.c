// Probabilities of tokens in a reply: {"token", "logprob", "bytes", "top_logprobs": [...]}, the
// form that OpenAI's chat and Ollama's API share. And the texts of single tokens for others.
#include "base/mem.h"
#include "defs/limits.h"
#include "server/server_int.h"

// The text of a token within a text: behind another one, since a text's first loses its space.
hearth_status piece_open(engine *e, piece_lead *lead, hearth_err *err)
{
    tok_ids ids = {0};
    buf text;
    *lead = (piece_lead){0};
    buf_init(&text, MEM_MISC, LIMIT_HTTP_BODY);
    hearth_status status = engine_tokenize(e, STR("a"), (tok_options){0}, &ids, err);
    if (status == HEARTH_OK && ids.n == 0)
        status = err_fail(err, HEARTH_E_FORMAT, "the vocabulary has no 'a'");
    if (status == HEARTH_OK) {
        lead->id = ids.id[ids.n - 1];
        status = engine_detokenize(e, &lead->id, 1, true, &text, err);
    }
    lead->bytes = text.n;
    buf_release(&text);
    tok_ids_release(&ids);
    return status;
}

json_t *piece_value(engine *e, const piece_lead *lead, int32_t id, json_t **bytes)
{
    const int32_t ids[] = {lead->id, id};
    buf text;
    json_t *value = NULL;
    buf_init(&text, MEM_MISC, LIMIT_HTTP_BODY);
    *bytes = NULL;
    if (engine_detokenize(e, ids, 2, true, &text, NULL) == HEARTH_OK && text.n >= lead->bytes) {
        value = json_stringn(text.p + lead->bytes, text.n - lead->bytes);
        *bytes = json_array();
        for (size_t i = lead->bytes; i < text.n; i++)
            json_array_append_new(*bytes, json_integer((uint8_t)text.p[i]));
    }
    buf_release(&text);
    return value;
}

// What is no text (half a character) is U+FFFD. JSON has no infinities: what is forbidden is as
// unlikely as can be said.
static json_t *token_object(turn *t, int32_t id, float logprob)
{
    json_t *bytes, *text = piece_value(t->engine, &t->lead, id, &bytes);
    double p = logprob >= -9999.0f ? (double)logprob : -9999.0;
    if (!text) text = json_string("\xEF\xBF\xBD");
    return json_pack("{s:o,s:f,s:o}", "token", text, "logprob", p, "bytes", bytes);
}

void turn_keep_logprobs(turn *t, const generate_event *event)
{
    if (!t->wants_logprobs || !event->has_token || event->finish == GENERATE_END_TOKEN) return;
    json_t *object = token_object(t, event->token, event->logprob), *top = json_array();
    for (int i = 0; i < event->n_top && i < t->n_top; i++)
        json_array_append_new(top, token_object(t, event->top[i].id, event->top[i].logprob));
    json_object_set_new(object, "top_logprobs", top);
    if (json_array_append_new(t->logprobs, object) != 0) t->is_short = true;
}

json_t *turn_take_logprobs(turn *t)
{
    if (!t->wants_logprobs) return NULL;
    json_t *all = t->logprobs;
    t->logprobs = json_array();
    return all;
}
