// Text to tokens and back, and what a template makes of a conversation, as llama-server has them:
// /tokenize, /detokenize, /apply-template.
#include <string.h>

#include "base/mem.h"
#include "defs/limits.h"
#include "server/ask.h"

// --- tokenize -----------------------------------------------------------------------------------

static hearth_status read_tokenize(ask *a, hearth_err *err)
{
    const char *content = NULL;
    bool flag = false;
    HEARTH_TRY(field_str(a->body, "content", &content, err));
    if (!content) return err_fail(err, HEARTH_E_ARG, "'content' is required");
    HEARTH_TRY(field_bool(a->body, "add_special", &flag, err));
    HEARTH_TRY(field_bool(a->body, "parse_special", &flag, err));
    return field_bool(a->body, "with_pieces", &flag, err);
}

// A piece that is no UTF-8 of its own is an array of bytes.
static json_t *token_value(engine *e, const piece_lead *lead, int32_t id)
{
    json_t *bytes, *text;
    if (!lead) return json_integer(id);
    text = piece_value(e, lead, id, &bytes);
    if (!text) text = json_incref(bytes);
    json_decref(bytes);
    return json_pack("{s:i,s:o}", "id", (int)id, "piece", text);
}

static hearth_status run_tokenize(ask *a, engine *e, hearth_err *err)
{
    const json_t *content = json_object_get(a->body, "content");
    tok_options o = {json_is_true(json_object_get(a->body, "add_special")),
                     !json_is_false(json_object_get(a->body, "parse_special"))};
    bool with_pieces = json_is_true(json_object_get(a->body, "with_pieces"));
    str text = {json_string_value(content), json_string_length(content)};
    tok_ids ids = {0};
    piece_lead lead;
    json_t *list = json_array();
    hearth_status status = engine_tokenize(e, text, o, &ids, err);
    if (status == HEARTH_OK && with_pieces) status = piece_open(e, &lead, err);
    for (size_t i = 0; status == HEARTH_OK && i < ids.n; i++)
        json_array_append_new(list, token_value(e, with_pieces ? &lead : NULL, ids.id[i]));
    if (status == HEARTH_OK && json_array_size(list) == ids.n)
        a->reply = json_pack("{s:O}", "tokens", list);
    json_decref(list);
    tok_ids_release(&ids);
    return status;
}

// --- detokenize ---------------------------------------------------------------------------------

static hearth_status read_detokenize(ask *a, hearth_err *err)
{
    const json_t *list = json_object_get(a->body, "tokens");
    if (!json_is_array(list)) return err_fail(err, HEARTH_E_ARG, "'tokens' must be an array");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return err_fail(err, HEARTH_E_ARG, "'tokens' must hold ids; item %zu is none", i);
    }
    return HEARTH_OK;
}

static hearth_status run_detokenize(ask *a, engine *e, hearth_err *err)
{
    const json_t *list = json_object_get(a->body, "tokens");
    size_t n = json_array_size(list);
    int32_t *ids = mem_alloc_zero(MEM_MISC, n + 1, sizeof *ids);
    if (!ids) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    buf text;
    buf_init(&text, MEM_MISC, LIMIT_HTTP_BACKLOG);
    hearth_status status = engine_detokenize(e, ids, n, true, &text, err);
    json_t *value = json_stringn(text.p ? text.p : "", text.n);
    // Bytes that are no UTF-8 cannot be said in JSON.
    if (status == HEARTH_OK && !value)
        status = err_fail(err, HEARTH_E_ARG, "'tokens' end within a character or are no text");
    if (status == HEARTH_OK) a->reply = json_pack("{s:O}", "content", value);
    json_decref(value);
    buf_release(&text);
    mem_free(ids);
    return status;
}

// --- apply-template -----------------------------------------------------------------------------

static hearth_status read_template(ask *a, hearth_err *err)
{
    const json_t *messages, *tools;
    HEARTH_TRY(field_messages(a->body, &messages, err));
    if (!messages) return err_fail(err, HEARTH_E_ARG, "'messages' is required");
    return field_objects(a->body, "tools", &tools, err);
}

// Without the token that tokenizing the text again would put before it.
static hearth_status prompt_text(engine *e, const engine_chat_options *o, buf *text,
                                 hearth_err *err)
{
    engine_chat_result result = {0};
    HEARTH_TRY(engine_chat(e, o, &result, err));
    const tok_special *special = &engine_get_info(e)->special;
    const tok_ids *ids = &result.ids;
    size_t from = ids->n > 0 && special->add_bos && ids->id[0] == special->bos;
    hearth_status status = engine_detokenize(e, ids->id + from, ids->n - from, true, text, err);
    tok_ids_release(&result.ids);
    return status;
}

static hearth_status run_template(ask *a, engine *e, hearth_err *err)
{
    const json_t *tools = json_object_get(a->body, "tools");
    char *messages = json_dumps(json_object_get(a->body, "messages"), JSON_COMPACT);
    char *listed = json_array_size(tools) > 0 ? json_dumps(tools, JSON_COMPACT) : NULL;
    buf text;
    buf_init(&text, MEM_MISC, LIMIT_HTTP_BACKLOG);
    engine_chat_options o = {.messages = str_from(messages ? messages : ""), .now = date_now()};
    if (listed) o.tools = str_from(listed);
    hearth_status status = messages ? prompt_text(e, &o, &text, err)
                                    : err_fail(err, HEARTH_E_NOMEM, "out of memory");
    if (status == HEARTH_OK)
        a->reply = json_pack("{s:s%}", "prompt", text.p ? text.p : "", text.n);
    buf_release(&text);
    mem_free(messages);
    mem_free(listed);
    return status;
}

// --- routes -------------------------------------------------------------------------------------

static const ask_kind tokenize = {openai_error, false, read_tokenize, run_tokenize};
static const ask_kind detokenize = {openai_error, false, read_detokenize, run_detokenize};
static const ask_kind apply_template = {openai_error, false, read_template, run_template};

static void take_tokenize(server *s, listen_exchange *x) { ask_run(s, x, &tokenize); }
static void take_detokenize(server *s, listen_exchange *x) { ask_run(s, x, &detokenize); }
static void take_template(server *s, listen_exchange *x) { ask_run(s, x, &apply_template); }

const route token_routes[] = {
    {"POST", "/tokenize", take_tokenize, openai_error},
    {"POST", "/detokenize", take_detokenize, openai_error},
    {"POST", "/apply-template", take_template, openai_error},
    {0},
};
