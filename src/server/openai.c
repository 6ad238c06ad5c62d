// OpenAI's API: models, chat/completions, completions.
//
// Streams are server-sent events and end with "data: [DONE]", after an error too.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "server/server_int.h"

// --- frames -------------------------------------------------------------------------------------

static void send_data(turn *t, json_t *frame)
{
    char *line = frame ? json_dumps(frame, JSON_COMPACT) : NULL;
    json_decref(frame);
    if (!line) t->is_short = true;
    if (!line) return;
    buf_reset(&t->frame);
    buf_append_str(&t->frame, STR("data: "));
    buf_append_str(&t->frame, str_from(line));
    buf_append_str(&t->frame, STR("\n\n"));
    turn_send(t, buf_str(&t->frame));
    mem_free(line);
}

static json_t *begin_chunk(const turn *t, json_t *choices)
{
    const char *object = t->is_legacy ? "text_completion" : "chat.completion.chunk";
    return json_pack("{s:s,s:s,s:I,s:s,s:s,s:o}", "id", t->id, "object", object, "created",
                     (json_int_t)t->unix_seconds, "model", t->model, "system_fingerprint",
                     "hearth-" HEARTH_VERSION, "choices", choices);
}

// Of the tokens since the last call: {"content": [...]}; the form of completions is another one.
static json_t *take_logprobs(turn *t)
{
    json_t *all = turn_take_logprobs(t), *one;
    if (!all) return json_null();
    if (!t->is_legacy) return json_pack("{s:o}", "content", all);
    json_t *tokens = json_array(), *probs = json_array(), *tops = json_array();
    size_t i, k;
    json_array_foreach(all, i, one) {
        json_t *top = json_object(), *other;
        json_array_append(tokens, json_object_get(one, "token"));
        json_array_append(probs, json_object_get(one, "logprob"));
        json_array_foreach(json_object_get(one, "top_logprobs"), k, other)
            json_object_set(top, json_string_value(json_object_get(other, "token")),
                            json_object_get(other, "logprob"));
        json_array_append_new(tops, top);
    }
    json_decref(all);
    return json_pack("{s:o,s:o,s:o}", "tokens", tokens, "token_logprobs", probs, "top_logprobs",
                     tops);
}

static void send_delta(turn *t, json_t *delta, const char *finish)
{
    json_t *reason = finish ? json_string(finish) : json_null();
    send_data(t, begin_chunk(t, json_pack("[{s:i,s:o,s:o,s:o}]", "index", 0, "delta", delta,
                                          "logprobs", take_logprobs(t), "finish_reason", reason)));
}

static void send_text(turn *t, str text, const char *finish)
{
    json_t *reason = finish ? json_string(finish) : json_null();
    send_data(t, begin_chunk(t, json_pack("[{s:i,s:s%,s:o,s:o}]", "index", 0, "text",
                                          text.p ? text.p : "", text.n, "logprobs",
                                          take_logprobs(t), "finish_reason", reason)));
}

static void send_part(turn *t, const reply_part *p)
{
    if (t->is_legacy) {
        send_text(t, p->text, NULL);
        return;
    }
    if (t->n_parts == 0) send_delta(t, json_pack("{s:s,s:s}", "role", "assistant", "content", ""),
                                    NULL);
    if (p->kind == REPLY_CONTENT)
        send_delta(t, json_pack("{s:s%}", "content", p->text.p, p->text.n), NULL);
    if (p->kind == REPLY_THINKING)
        send_delta(t, json_pack("{s:s%}", "reasoning_content", p->text.p, p->text.n), NULL);
    if (p->kind != REPLY_CALL) return;
    const json_t *call = json_array_get(t->calls, json_array_size(t->calls) - 1);
    send_delta(t, json_pack("{s:[{s:i,s:s,s:s,s:{s:s%,s:s%}}]}", "tool_calls", "index", p->index,
                            "id", json_string_value(json_object_get(call, "id")), "type",
                            "function", "function", "name", p->name.p, p->name.n, "arguments",
                            p->arguments.p, p->arguments.n), NULL);
}

static double per_second(int64_t n, uint64_t ns) { return ns ? (double)n * 1e9 / (double)ns : 0; }

static json_t *usage_of(const turn *t)
{
    return json_pack("{s:I,s:I,s:I,s:{s:I}}", "prompt_tokens", (json_int_t)t->stats.n_prompt,
                     "completion_tokens", (json_int_t)t->stats.n_generated, "total_tokens",
                     (json_int_t)(t->stats.n_prompt + t->stats.n_generated),
                     "prompt_tokens_details", "cached_tokens", (json_int_t)t->stats.n_reused);
}

static json_t *timings_of(const turn *t)
{
    int64_t n_prompt = t->stats.n_prompt - t->stats.n_reused;
    return json_pack("{s:I,s:I,s:f,s:f,s:I,s:f,s:f}", "cache_n", (json_int_t)t->stats.n_reused,
                     "prompt_n", (json_int_t)n_prompt, "prompt_ms",
                     (double)t->stats.prompt_ns / 1e6, "prompt_per_second",
                     per_second(n_prompt, t->stats.prompt_ns), "predicted_n",
                     (json_int_t)t->stats.n_generated, "predicted_ms",
                     (double)t->stats.generate_ns / 1e6, "predicted_per_second",
                     per_second(t->stats.n_generated, t->stats.generate_ns));
}

static void end_stream(turn *t)
{
    turn_send(t, STR("data: [DONE]\n\n"));
}

static void finish_stream(turn *t)
{
    if (t->is_legacy) send_text(t, (str){0}, turn_finish_name(t));
    else send_delta(t, json_object(), turn_finish_name(t));
    if (t->wants_usage) {
        json_t *frame = begin_chunk(t, json_array());
        json_object_set_new(frame, "usage", usage_of(t));
        json_object_set_new(frame, "timings", timings_of(t));
        send_data(t, frame);
    }
    end_stream(t);
}

static json_t *kept_calls(const turn *t)
{
    json_t *calls = json_array(), *call;
    size_t i;
    json_array_foreach(t->calls, i, call)
        json_array_append_new(calls, json_pack("{s:O,s:s,s:{s:O,s:O}}", "id",
                                               json_object_get(call, "id"), "type", "function",
                                               "function", "name", json_object_get(call, "name"),
                                               "arguments", json_object_get(call, "arguments")));
    return calls;
}

static json_t *whole_choice(turn *t)
{
    if (t->is_legacy)
        return json_pack("{s:i,s:s%,s:o,s:s}", "index", 0, "text", t->content.p ? t->content.p : "",
                         t->content.n, "logprobs", take_logprobs(t), "finish_reason",
                         turn_finish_name(t));
    json_t *message = json_pack("{s:s,s:s%}", "role", "assistant", "content",
                                t->content.p ? t->content.p : "", t->content.n);
    if (t->thinking.n > 0)
        json_object_set_new(message, "reasoning_content",
                            json_stringn(t->thinking.p, t->thinking.n));
    if (json_array_size(t->calls) > 0) json_object_set_new(message, "tool_calls", kept_calls(t));
    return json_pack("{s:i,s:o,s:o,s:s}", "index", 0, "message", message, "logprobs",
                     take_logprobs(t), "finish_reason", turn_finish_name(t));
}

static void send_last(turn *t)
{
    if (t->is_stream) {
        finish_stream(t);
        return;
    }
    json_t *body = begin_chunk(t, json_pack("[o]", whole_choice(t)));
    json_object_set_new(body, "object",
                        json_string(t->is_legacy ? "text_completion" : "chat.completion"));
    json_object_set_new(body, "usage", usage_of(t));
    json_object_set_new(body, "timings", timings_of(t));
    reply_json(t->x, 200, body);
}

static void send_break(turn *t, const char *message)
{
    send_data(t, json_pack("{s:{s:s,s:s,s:n,s:n}}", "error", "message", message, "type",
                           "server_error", "param", "code"));
    end_stream(t);
}

static void say_too_long(turn *t, const char *message)
{
    reply_json(t->x, 400, json_pack("{s:{s:s,s:s,s:n,s:i,s:I,s:I}}", "error", "message", message,
                                    "type", "exceed_context_size_error", "param", "code", 400,
                                    "n_prompt_tokens", (json_int_t)t->n_too_long, "n_ctx",
                                    (json_int_t)t->n_ctx));
}

static const turn_dialect dialect = {
    .stream_type = "text/event-stream", .fail = openai_error,
    .too_long = say_too_long, .part = send_part,
    .last = send_last, .broke = send_break,
};

// --- requests -----------------------------------------------------------------------------------

static hearth_status read_bias(turn *t, const json_t *v, hearth_err *err)
{
    const char *key;
    json_t *item;
    size_t n = 0;
    if (!v || json_is_null(v)) return HEARTH_OK;
    if (!json_is_object(v)) return err_fail(err, HEARTH_E_ARG, "'logit_bias' must be an object");
    t->bias = mem_alloc_zero(MEM_MISC, json_object_size(v) + 1, sizeof *t->bias);
    if (!t->bias) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    json_object_foreach((json_t *)(uintptr_t)v, key, item) {
        int64_t id;
        if (!str_parse_i64(str_from(key), &id) || id < 0 || id > INT32_MAX || !json_is_number(item))
            return err_fail(err, HEARTH_E_ARG, "'logit_bias': '%s' is no token id with a number",
                            key);
        t->bias[n++] = (sampler_bias){(int32_t)id, (float)json_number_value(item)};
    }
    t->o.sampling.bias = t->bias;
    t->o.sampling.n_bias = n;
    return HEARTH_OK;
}

static hearth_status read_sampling(turn *t, hearth_err *err)
{
    const json_t *b = t->body;
    sampler_params *p = &t->o.sampling;
    int64_t seed = -1, top_k = p->top_k;
    HEARTH_TRY(field_int(b, "seed", INT64_MIN, INT64_MAX, &seed, err));
    HEARTH_TRY(field_int(b, "max_tokens", 0, INT32_MAX, &t->o.n_predict, err));
    HEARTH_TRY(field_int(b, "max_completion_tokens", 0, INT32_MAX, &t->o.n_predict, err));
    HEARTH_TRY(field_int(b, "top_k", INT32_MIN, INT32_MAX, &top_k, err));
    HEARTH_TRY(field_f32(b, "temperature", 0, 1000, &p->temperature, err));
    HEARTH_TRY(field_f32(b, "top_p", 0, 1, &p->top_p, err));
    HEARTH_TRY(field_f32(b, "min_p", 0, 1, &p->min_p, err));
    HEARTH_TRY(field_f32(b, "presence_penalty", -2, 2, &p->presence_penalty, err));
    HEARTH_TRY(field_f32(b, "frequency_penalty", -2, 2, &p->frequency_penalty, err));
    p->top_k = (int32_t)top_k;
    if (seed >= 0) p->seed = (uint64_t)seed;
    else os_random(&p->seed, sizeof p->seed, NULL);
    HEARTH_TRY(read_bias(t, json_object_get(b, "logit_bias"), err));
    return turn_read_stop(t, json_object_get(b, "stop"), err);
}

static hearth_status refuse_unsupported(const json_t *b, hearth_err *err)
{
    int64_t n = 1;
    HEARTH_TRY(field_int(b, "n", 1, 128, &n, err));
    if (n > 1) return err_fail(err, HEARTH_E_ARG, "'n' above 1 is not supported yet");
    return HEARTH_OK;
}

static hearth_status read_format(turn *t, const json_t *v, hearth_err *err)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!v || json_is_null(v) || (type && !strcmp(type, "text"))) return HEARTH_OK;
    if (type && !strcmp(type, "json_object")) return turn_keep_to(t, NULL, err);
    const json_t *schema = json_object_get(json_object_get(v, "json_schema"), "schema");
    if (type && !strcmp(type, "json_schema") && (json_is_object(schema) || json_is_boolean(schema)))
        return turn_keep_to(t, schema, err);
    return err_fail(err, HEARTH_E_ARG, "'response_format' must be text, json_object or json_schema "
                    "with a schema");
}

// Chat: a boolean, and how many others in top_logprobs. Completions: how many others.
static hearth_status read_logprobs(turn *t, bool is_chat, hearth_err *err)
{
    const json_t *v = json_object_get(t->body, "logprobs");
    if (!is_chat) {
        t->wants_logprobs = v && !json_is_null(v);
        return field_int(t->body, "logprobs", 0, GENERATE_TOP_MAX, &t->n_top, err);
    }
    HEARTH_TRY(field_bool(t->body, "logprobs", &t->wants_logprobs, err));
    return field_int(t->body, "top_logprobs", 0, GENERATE_TOP_MAX, &t->n_top, err);
}

// Parts of type text as one string, which every template understands; others are refused.
static hearth_status flatten_content(json_t *message, hearth_err *err)
{
    json_t *content = json_object_get(message, "content"), *part;
    size_t i;
    if (!json_is_array(content)) return HEARTH_OK;
    buf text;
    buf_init(&text, MEM_MISC, LIMIT_HTTP_BODY);
    hearth_status status = HEARTH_OK;
    json_array_foreach(content, i, part) {
        const char *type = json_string_value(json_object_get(part, "type"));
        const char *piece = json_string_value(json_object_get(part, "text"));
        if (!type || strcmp(type, "text") != 0 || !piece)
            status = err_fail(err, HEARTH_E_ARG, "message content of type '%s' is not supported",
                              type ? type : "");
        else if (buf_append_str(&text, str_from(piece)) != HEARTH_OK)
            status = err_fail(err, HEARTH_E_NOMEM, "out of memory");
        if (status != HEARTH_OK) break;
    }
    if (status == HEARTH_OK)
        json_object_set_new(message, "content", json_stringn(text.p ? text.p : "", text.n));
    buf_release(&text);
    return status;
}

// "auto" and "none"; a call cannot be forced.
static hearth_status read_tools(turn *t, hearth_err *err)
{
    const json_t *tools;
    const char *choice = "auto";
    HEARTH_TRY(field_objects(t->body, "tools", &tools, err));
    if (json_is_object(json_object_get(t->body, "tool_choice"))) choice = "of a function";
    else HEARTH_TRY(field_str(t->body, "tool_choice", &choice, err));
    bool is_off = !strcmp(choice, "none");
    if (!is_off && strcmp(choice, "auto") != 0)
        return err_fail(err, HEARTH_E_ARG, "'tool_choice' %.40s is not supported, only auto, none",
                        choice);
    return json_array_size(tools) > 0 && !is_off ? dump_text(tools, &t->tools, err) : HEARTH_OK;
}

static hearth_status read_chat(turn *t, hearth_err *err)
{
    const json_t *messages;
    t->is_chat = true;
    HEARTH_TRY(field_messages(t->body, &messages, err));
    if (json_array_size(messages) == 0)
        return err_fail(err, HEARTH_E_ARG, "'messages' must be an array that is not empty");
    for (size_t i = 0; i < json_array_size(messages); i++)
        HEARTH_TRY(flatten_content(json_array_get(messages, i), err));
    HEARTH_TRY(read_tools(t, err));
    return dump_text(messages, &t->messages, err);
}

static hearth_status read_prompt(turn *t, hearth_err *err)
{
    const json_t *v = json_object_get(t->body, "prompt");
    if (json_array_size(v) == 1) v = json_array_get(v, 0);
    if (!json_is_string(v)) return err_fail(err, HEARTH_E_ARG, "'prompt' must be a string");
    t->prompt = json_string_value(v);
    t->is_legacy = t->is_raw = true;
    HEARTH_TRY(field_str(t->body, "suffix", &t->suffix, err));
    if (t->o.n_predict < 0) t->o.n_predict = 16; // OpenAI's default here
    return HEARTH_OK;
}

static void name_reply(turn *t, const char *prefix)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t bytes[24] = {0};
    os_random(bytes, sizeof bytes, NULL);
    int n = snprintf(t->id, sizeof t->id, "%s", prefix);
    for (size_t i = 0; i < sizeof bytes; i++) t->id[(size_t)n + i] = letters[bytes[i] % 36];
    t->id[(size_t)n + sizeof bytes] = 0;
}

static hearth_status read_turn(turn *t, bool is_chat, const char **model, hearth_err *err)
{
    const json_t *options = json_object_get(t->body, "stream_options");
    HEARTH_TRY(field_str(t->body, "model", model, err));
    if (!*model || !**model) return err_fail(err, HEARTH_E_ARG, "'model' is required");
    HEARTH_TRY(field_bool(t->body, "stream", &t->is_stream, err));
    if (options && !json_is_null(options) && !json_is_object(options))
        return err_fail(err, HEARTH_E_ARG, "'stream_options' must be an object");
    HEARTH_TRY(field_bool(options, "include_usage", &t->wants_usage, err));
    HEARTH_TRY(refuse_unsupported(t->body, err));
    HEARTH_TRY(read_format(t, json_object_get(t->body, "response_format"), err));
    HEARTH_TRY(read_sampling(t, err));
    HEARTH_TRY(read_logprobs(t, is_chat, err));
    return is_chat ? read_chat(t, err) : read_prompt(t, err);
}

static void run_turn(server *s, listen_exchange *x, bool is_chat)
{
    hearth_err err = ERR_INIT;
    json_t *body = NULL;
    const char *model = NULL;
    turn *t = NULL;
    hearth_status status = read_body(x, &body, &err);
    if (status == HEARTH_OK) {
        t = turn_new(s, x, &dialect, body);
        status = t ? read_turn(t, is_chat, &model, &err)
                   : err_fail(&err, HEARTH_E_NOMEM, "out of memory");
    }
    json_decref(body);
    if (status != HEARTH_OK) {
        openai_error(x, http_status(status), err.msg);
        if (t) turn_free(t);
        return;
    }
    name_reply(t, is_chat ? "chatcmpl-" : "cmpl-");
    turn_run(t, model, false, 0);
}

static void run_chat(server *s, listen_exchange *x) { run_turn(s, x, true); }
static void run_completion(server *s, listen_exchange *x) { run_turn(s, x, false); }

// --- models -------------------------------------------------------------------------------------

static json_t *model_object(const model_entry *m)
{
    return json_pack("{s:s,s:s,s:I,s:s}", "id", m->name, "object", "model", "created",
                     (json_int_t)m->modified, "owned_by", "hearth");
}

static void list_models(server *s, listen_exchange *x)
{
    model_entry *list;
    size_t n;
    hearth_err err = ERR_INIT;
    hearth_status status = catalog_list(s->models, &list, &n, &err);
    if (status != HEARTH_OK) {
        openai_error(x, http_status(status), err.msg);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(data, model_object(&list[i]));
    mem_free(list);
    reply_json(x, 200, json_pack("{s:s,s:o}", "object", "list", "data", data));
}

static void show_model(server *s, listen_exchange *x)
{
    hearth_err err = ERR_INIT;
    model_entry m;
    const char *name = listen_path(x) + strlen("/v1/models/");
    hearth_status status = catalog_find(s->models, name, &m, &err);
    if (status != HEARTH_OK) openai_error(x, http_status(status), err.msg);
    else reply_json(x, 200, model_object(&m));
}

const route openai_routes[] = {
    {"GET", "/v1/models", list_models, openai_error},
    {"GET", "/v1/models/", show_model, openai_error},
    {"POST", "/v1/chat/completions", run_chat, openai_error},
    {"POST", "/v1/completions", run_completion, openai_error},
    {0},
};
