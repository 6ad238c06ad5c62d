// Ollama's API: generate, chat, tags, show, ps, version. What changes the store (pull, push,
// create, copy, delete) answers that it is not there yet.
//
// Streams are lines of JSON; the last has "done": true and the counts, durations in nanoseconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "server/server_int.h"

// --- frames -------------------------------------------------------------------------------------

static json_t *begin_frame(const turn *t)
{
    char now[40];
    time_text(now);
    return json_pack("{s:s,s:s}", "model", t->model, "created_at", now);
}

static json_t *text_value(str s) { return json_stringn(s.p ? s.p : "", s.n); }

// Ollama's calls have their arguments as an object.
static json_t *call_object(const char *name, size_t n_name, const char *arguments, size_t n)
{
    json_t *object = json_loadb(arguments, n, 0, NULL);
    return json_pack("{s:{s:s%,s:o}}", "function", "name", name, n_name, "arguments",
                     object ? object : json_object());
}

static void send_frame(turn *t, json_t *frame)
{
    char *line = frame ? json_dumps(frame, JSON_COMPACT) : NULL;
    json_decref(frame);
    if (!line) t->is_short = true;
    if (!line) return;
    buf_reset(&t->frame);
    buf_append_str(&t->frame, str_from(line));
    buf_append_str(&t->frame, STR("\n"));
    turn_send(t, buf_str(&t->frame));
    mem_free(line);
}

static void put_text(const turn *t, json_t *frame, str content, str thinking, json_t *calls)
{
    if (!t->is_chat || t->is_legacy) {
        json_object_set_new(frame, "response", text_value(content));
        if (thinking.n > 0) json_object_set_new(frame, "thinking", text_value(thinking));
        return;
    }
    json_t *message = json_pack("{s:s,s:o}", "role", "assistant", "content", text_value(content));
    if (thinking.n > 0) json_object_set_new(message, "thinking", text_value(thinking));
    if (calls) json_object_set_new(message, "tool_calls", calls);
    json_object_set_new(frame, "message", message);
}

static void put_logprobs(turn *t, json_t *frame)
{
    json_t *all = turn_take_logprobs(t);
    if (json_array_size(all) > 0) json_object_set(frame, "logprobs", all);
    json_decref(all);
}

static void send_part(turn *t, const reply_part *p)
{
    json_t *frame = begin_frame(t), *calls = NULL;
    str content = p->kind == REPLY_CONTENT ? p->text : (str){0};
    str thinking = p->kind == REPLY_THINKING ? p->text : (str){0};
    if (p->kind == REPLY_CALL) {
        calls = json_array();
        json_array_append_new(calls, call_object(p->name.p, p->name.n, p->arguments.p,
                                                 p->arguments.n));
    }
    put_text(t, frame, content, thinking, calls);
    put_logprobs(t, frame);
    json_object_set_new(frame, "done", json_false());
    send_frame(t, frame);
}

static json_t *kept_calls(const turn *t)
{
    if (json_array_size(t->calls) == 0) return NULL;
    json_t *calls = json_array(), *call;
    size_t i;
    json_array_foreach(t->calls, i, call) {
        const char *name = json_string_value(json_object_get(call, "name"));
        const char *arguments = json_string_value(json_object_get(call, "arguments"));
        json_array_append_new(calls, call_object(name, strlen(name), arguments, strlen(arguments)));
    }
    return calls;
}

static void put_dropped(const turn *t, json_t *frame)
{
    if (t->dropped_tokens == 0) return;
    json_object_set_new(frame, "truncated",
                        json_pack("{s:I,s:I}", "dropped_tokens", (json_int_t)t->dropped_tokens,
                                  "dropped_messages", (json_int_t)t->dropped_messages));
}

static void put_counts(const turn *t, json_t *frame)
{
    uint64_t total = os_now_ns() - t->begun_ns;
    uint64_t load = t->loaded_ns > t->begun_ns ? t->loaded_ns - t->begun_ns : 0;
    bool is_length = t->finish == GENERATE_LENGTH || t->finish == GENERATE_CONTEXT;
    json_object_set_new(frame, "done", json_true());
    json_object_set_new(frame, "done_reason", json_string(is_length ? "length" : "stop"));
    put_dropped(t, frame);
    json_object_set_new(frame, "total_duration", json_integer((json_int_t)total));
    json_object_set_new(frame, "load_duration", json_integer((json_int_t)load));
    json_object_set_new(frame, "prompt_eval_count", json_integer(t->stats.n_prompt));
    json_object_set_new(frame, "prompt_eval_duration",
                        json_integer((json_int_t)t->stats.prompt_ns));
    json_object_set_new(frame, "eval_count", json_integer(t->stats.n_generated));
    json_object_set_new(frame, "eval_duration", json_integer((json_int_t)t->stats.generate_ns));
}

static void send_last(turn *t)
{
    json_t *frame = begin_frame(t);
    if (t->is_stream) put_text(t, frame, (str){0}, (str){0}, NULL);
    else put_text(t, frame, buf_str(&t->content), buf_str(&t->thinking), kept_calls(t));
    put_logprobs(t, frame);
    put_counts(t, frame);
    if (t->is_stream) send_frame(t, frame);
    else reply_json(t->x, 200, frame);
}

static void send_break(turn *t, const char *message)
{
    send_frame(t, json_pack("{s:s}", "error", message));
}

static const turn_dialect dialect = {
    .stream_type = "application/x-ndjson", .fail = ollama_error, .part = send_part,
    .last = send_last, .broke = send_break,
};

// --- options ------------------------------------------------------------------------------------

static hearth_status read_options(turn *t, const json_t *options, hearth_err *err)
{
    sampler_params *p = &t->o.sampling;
    int64_t seed = -1, top_k = 40, last_n = 64;
    p->top_p = 0.9f;
    p->min_p = 0;
    if (options && !json_is_null(options) && !json_is_object(options))
        return err_fail(err, HEARTH_E_ARG, "'options' must be an object");
    HEARTH_TRY(field_int(options, "seed", INT64_MIN, INT64_MAX, &seed, err));
    HEARTH_TRY(field_int(options, "num_predict", -2, INT32_MAX, &t->o.n_predict, err));
    HEARTH_TRY(field_int(options, "top_k", INT32_MIN, INT32_MAX, &top_k, err));
    HEARTH_TRY(field_int(options, "repeat_last_n", -1, INT32_MAX, &last_n, err));
    HEARTH_TRY(field_f32(options, "temperature", 0, 1000, &p->temperature, err));
    HEARTH_TRY(field_f32(options, "top_p", 0, 1, &p->top_p, err));
    HEARTH_TRY(field_f32(options, "min_p", 0, 1, &p->min_p, err));
    HEARTH_TRY(field_f32(options, "typical_p", 0, 1, &p->typical_p, err));
    HEARTH_TRY(field_f32(options, "repeat_penalty", 0.001, 1000, &p->repeat_penalty, err));
    HEARTH_TRY(field_f32(options, "presence_penalty", -1000, 1000, &p->presence_penalty, err));
    HEARTH_TRY(field_f32(options, "frequency_penalty", -1000, 1000, &p->frequency_penalty, err));
    p->top_k = (int32_t)top_k;
    p->repeat_last_n = (int32_t)last_n;
    if (t->o.n_predict == -2) t->o.n_predict = -1;
    if (seed >= 0) p->seed = (uint64_t)seed;
    else os_random(&p->seed, sizeof p->seed, NULL);
    return turn_read_stop(t, json_object_get(options, "stop"), err);
}

static hearth_status read_think(turn *t, const json_t *v, hearth_err *err)
{
    if (!v || json_is_null(v)) return HEARTH_OK;
    if (!json_is_boolean(v) && !json_is_string(v))
        return err_fail(err, HEARTH_E_ARG, "'think' must be a boolean or a level");
    t->think = json_is_false(v) ? ENGINE_THINK_OFF : ENGINE_THINK_ON;
    return HEARTH_OK;
}

// --- requests -----------------------------------------------------------------------------------

static hearth_status refuse_unsupported(const json_t *body, hearth_err *err)
{
    static const char *const later[] = {"template", "context", "images"};
    for (size_t i = 0; i < COUNTOF(later); i++) {
        const json_t *v = json_object_get(body, later[i]);
        bool is_empty = !v || json_is_null(v) || (json_is_string(v) && !*json_string_value(v)) ||
                        (json_is_array(v) && json_array_size(v) == 0);
        if (!is_empty)
            return err_fail(err, HEARTH_E_ARG, "'%s' is not supported yet", later[i]);
    }
    return HEARTH_OK;
}

// "json", or a schema.
static hearth_status read_format(turn *t, const json_t *v, hearth_err *err)
{
    const char *text = json_string_value(v);
    if (!v || json_is_null(v) || (text && !*text)) return HEARTH_OK;
    if (text && !strcmp(text, "json")) return turn_keep_to(t, NULL, err);
    if (json_is_object(v)) return turn_keep_to(t, v, err);
    return err_fail(err, HEARTH_E_ARG, "'format' must be \"json\" or a JSON schema");
}

typedef struct common {
    const char *model;
    bool has_keep_alive;
    uint64_t keep_alive_ns;
} common;

static hearth_status read_common(turn *t, common *c, hearth_err *err)
{
    const json_t *b = t->body;
    t->is_stream = t->may_cut = true;
    HEARTH_TRY(field_str(b, "model", &c->model, err));
    if (!c->model || !*c->model) return err_fail(err, HEARTH_E_ARG, "model is required");
    HEARTH_TRY(field_bool(b, "stream", &t->is_stream, err));
    HEARTH_TRY(field_bool(b, "truncate", &t->may_cut, err));
    HEARTH_TRY(field_bool(b, "logprobs", &t->wants_logprobs, err));
    HEARTH_TRY(field_int(b, "top_logprobs", 0, GENERATE_TOP_MAX, &t->n_top, err));
    HEARTH_TRY(read_think(t, json_object_get(b, "think"), err));
    HEARTH_TRY(refuse_unsupported(b, err));
    HEARTH_TRY(read_format(t, json_object_get(b, "format"), err));
    HEARTH_TRY(field_keep_alive(b, &c->has_keep_alive, &c->keep_alive_ns, err));
    return read_options(t, json_object_get(b, "options"), err);
}

static hearth_status read_chat(turn *t, hearth_err *err)
{
    const json_t *messages, *tools;
    t->is_chat = true;
    HEARTH_TRY(field_messages(t->body, &messages, err));
    HEARTH_TRY(field_objects(t->body, "tools", &tools, err));
    if (json_array_size(messages) > 0) HEARTH_TRY(dump_text(messages, &t->messages, err));
    return json_array_size(tools) > 0 ? dump_text(tools, &t->tools, err) : HEARTH_OK;
}

// A prompt is one user message to models with a chat template, unless raw.
static hearth_status read_generate(turn *t, hearth_err *err)
{
    const char *system = NULL;
    t->prompt = "";
    HEARTH_TRY(field_str(t->body, "prompt", &t->prompt, err));
    HEARTH_TRY(field_str(t->body, "system", &system, err));
    HEARTH_TRY(field_bool(t->body, "raw", &t->is_raw, err));
    if (t->is_raw && system)
        return err_fail(err, HEARTH_E_ARG,
                        "raw mode does not support template, system, or context");
    HEARTH_TRY(field_str(t->body, "suffix", &t->suffix, err));
    if (t->suffix && !*t->suffix) t->suffix = NULL;
    if (t->is_raw || t->suffix) return HEARTH_OK;
    json_t *messages = json_array();
    if (system)
        json_array_append_new(messages,
                              json_pack("{s:s,s:s}", "role", "system", "content", system));
    json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "user", "content", t->prompt));
    hearth_status status = dump_text(messages, &t->messages, err);
    json_decref(messages);
    return status;
}

// Nothing to say: the model is loaded, or let go.
static bool is_load(const turn *t, bool is_generate)
{
    if (is_generate) return !*t->prompt;
    return json_array_size(json_object_get(t->body, "messages")) == 0;
}

static hearth_status touch_model(void *ctx, engine *e, hearth_err *err)
{
    (void)ctx;
    (void)e;
    (void)err;
    return HEARTH_OK;
}

static void tell_loaded(void *ctx, const hearth_err *failed)
{
    turn *t = ctx;
    json_t *frame = begin_frame(t);
    put_text(t, frame, (str){0}, (str){0}, NULL);
    json_object_set_new(frame, "done", json_true());
    json_object_set_new(frame, "done_reason", json_string(t->is_raw ? "unload" : "load"));
    if (failed) ollama_error(t->x, http_status(failed->status), failed->msg);
    else reply_json(t->x, 200, json_incref(frame));
    json_decref(frame);
    if (atomic_fetch_sub(&t->holds, 1) == 1) turn_free(t);
}

static void load_model(turn *t, const common *c, const model_entry *m)
{
    hearth_err err = ERR_INIT;
    sched_job *job = NULL;
    snprintf(t->model, sizeof t->model, "%s", c->model);
    t->is_raw = c->has_keep_alive && c->keep_alive_ns == 0; // for tell_loaded()
    if (t->is_raw) {
        sched_keep_alive(t->s->sched, m->path, 0, NULL);
        atomic_store(&t->holds, 1);
        tell_loaded(t, NULL);
        return;
    }
    sched_request r = {.source = m->path, .client = listen_client(t->x),
                       .has_keep_alive = c->has_keep_alive, .keep_alive_ns = c->keep_alive_ns,
                       .calls = {.call = touch_model, .done = tell_loaded, .ctx = t}};
    if (sched_submit(t->s->sched, &r, &job, &err) == HEARTH_OK) {
        atomic_store(&t->job, job);
        if (atomic_fetch_sub(&t->holds, 1) == 1) turn_free(t);
        return;
    }
    ollama_error(t->x, 503, err.msg);
    turn_free(t);
}

static void run_turn(server *s, listen_exchange *x, bool is_generate)
{
    hearth_err err = ERR_INIT;
    json_t *body = NULL;
    common c = {0};
    model_entry m;
    turn *t = NULL;
    hearth_status status = read_body(x, &body, &err);
    if (status == HEARTH_OK) {
        t = turn_new(s, x, &dialect, body);
        status = t ? read_common(t, &c, &err) : err_fail(&err, HEARTH_E_NOMEM, "out of memory");
    }
    json_decref(body);
    if (status == HEARTH_OK) status = catalog_find(s->models, c.model, &m, &err);
    if (status == HEARTH_OK)
        status = is_generate ? read_generate(t, &err) : read_chat(t, &err);
    if (status != HEARTH_OK) {
        ollama_error(x, http_status(status), err.msg);
        if (t) turn_free(t);
        return;
    }
    if (is_load(t, is_generate)) {
        t->is_chat = !is_generate;
        load_model(t, &c, &m);
        return;
    }
    if (is_generate && t->messages) t->is_legacy = t->is_chat = true;
    turn_run(t, c.model, c.has_keep_alive, c.keep_alive_ns);
}

static void run_generate(server *s, listen_exchange *x) { run_turn(s, x, true); }
static void run_chat(server *s, listen_exchange *x) { run_turn(s, x, false); }

// --- models -------------------------------------------------------------------------------------

static json_t *model_details(const model_entry *m)
{
    return json_pack("{s:s,s:s,s:s,s:[s],s:s,s:s,s:I,s:I}", "parent_model", "", "format", "gguf",
                     "family", m->family, "families", m->family, "parameter_size", m->size,
                     "quantization_level", m->type, "context_length", (json_int_t)m->n_ctx,
                     "embedding_length", (json_int_t)m->n_embd);
}

static void list_tags(server *s, listen_exchange *x)
{
    model_entry *list;
    size_t n;
    hearth_err err = ERR_INIT;
    hearth_status status = catalog_list(s->models, &list, &n, &err);
    if (status != HEARTH_OK) {
        ollama_error(x, http_status(status), err.msg);
        return;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < n; i++) {
        char when[40];
        time_of(list[i].modified, when);
        json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:I,s:s,s:o}", "name", list[i].name,
                                                "model", list[i].name, "modified_at", when, "size",
                                                (json_int_t)list[i].bytes, "digest",
                                                list[i].digest, "details",
                                                model_details(&list[i])));
    }
    mem_free(list);
    reply_json(x, 200, json_pack("{s:o}", "models", rows));
}

static void list_running(server *s, listen_exchange *x)
{
    enum { MOST = 64 };
    sched_loaded *loaded = mem_alloc_zero(MEM_MISC, MOST, sizeof *loaded);
    model_entry *list = NULL;
    size_t n_list = 0;
    int n = loaded ? int_min(sched_list(s->sched, loaded, MOST), MOST) : 0;
    catalog_list(s->models, &list, &n_list, NULL);
    json_t *rows = json_array();
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; k < n_list; k++) {
            if (strcmp(list[k].path, loaded[i].source) != 0) continue;
            char when[40];
            uint64_t left = loaded[i].expires_in_ns;
            int64_t seconds = left == SCHED_FOREVER ? INT64_C(3153600000)
                                                    : (int64_t)(left / 1000000000);
            time_of(os_unix_seconds() + seconds, when);
            const llm_plan *plan = &loaded[i].info.plan;
            json_array_append_new(
                rows, json_pack("{s:s,s:s,s:I,s:s,s:o,s:s,s:i,s:I}", "name", list[k].name, "model",
                                  list[k].name, "size", (json_int_t)plan->total_bytes, "digest",
                                  list[k].digest, "details", model_details(&list[k]),
                                  "expires_at", when, "size_vram", 0, "context_length",
                                  (json_int_t)(loaded[i].info.n_ctx / s->o.sched.engine.n_seq)));
        }
    }
    mem_free(list);
    mem_free(loaded);
    reply_json(x, 200, json_pack("{s:o}", "models", rows));
}

static json_t *capabilities(const model_entry *m, const char *template_text)
{
    json_t *list = json_pack("[s]", m->is_encoder ? "embedding" : "completion");
    if (template_text && strstr(template_text, "tools"))
        json_array_append_new(list, json_string("tools"));
    if (template_text && strstr(template_text, "think"))
        json_array_append_new(list, json_string("thinking"));
    return list;
}

// "metadata" of `hearth show` as Ollama's model_info: long arrays are null.
static json_t *model_info(json_t *metadata, const char **template_text)
{
    json_t *info = json_object(), *v;
    const char *key;
    json_object_foreach(metadata, key, v) {
        if (!strcmp(key, "tokenizer.chat_template")) *template_text = json_string_value(v);
        else if (strcmp(key, "general.name") != 0)
            json_object_set(info, key, json_is_object(v) ? json_null() : v);
    }
    return info;
}

static void show_opened(listen_exchange *x, const model_entry *m, engine *e)
{
    buf text;
    hearth_err err = ERR_INIT;
    const char *template_text = NULL;
    buf_init(&text, MEM_MISC, LIMIT_HTTP_BACKLOG);
    hearth_status status = engine_describe(e, &text, &err);
    json_t *described = status == HEARTH_OK ? json_loadb(text.p, text.n, 0, NULL) : NULL;
    buf_release(&text);
    if (!described) {
        ollama_error(x, 500, status == HEARTH_OK ? "out of memory" : err.msg);
        return;
    }
    char when[40];
    time_of(m->modified, when);
    json_t *info = model_info(json_object_get(described, "metadata"), &template_text);
    json_t *body = json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:s}", "modelfile", "", "parameters", "",
                             "template", template_text ? template_text : "", "details",
                             model_details(m), "model_info", info, "capabilities",
                             capabilities(m, template_text), "modified_at", when);
    json_decref(described);
    reply_json(x, 200, body);
}

static void show_model(server *s, listen_exchange *x)
{
    hearth_err err = ERR_INIT;
    json_t *body = NULL;
    const char *name = NULL;
    model_entry m;
    engine_options o;
    engine *e = NULL;
    hearth_status status = read_body(x, &body, &err);
    if (status == HEARTH_OK) status = field_str(body, "model", &name, &err);
    if (status == HEARTH_OK && !name) status = field_str(body, "name", &name, &err);
    if (status == HEARTH_OK && (!name || !*name))
        status = err_fail(&err, HEARTH_E_ARG, "model is required");
    if (status == HEARTH_OK) status = catalog_find(s->models, name, &m, &err);
    engine_options_default(&o);
    o.metadata_only = true;
    if (status == HEARTH_OK) status = engine_open(m.path, &o, &e, &err);
    json_decref(body);
    if (status != HEARTH_OK) {
        ollama_error(x, http_status(status), err.msg);
        return;
    }
    catalog_describe(&m);
    show_opened(x, &m, e);
    engine_close(e);
}

// --- the rest -----------------------------------------------------------------------------------

static void say_alive(server *s, listen_exchange *x)
{
    (void)s;
    listen_reply(x, 200, "text/plain; charset=utf-8", STR("Ollama is running"));
}

// Clients gate features by version; this one has what they ask for.
static void say_version(server *s, listen_exchange *x)
{
    (void)s;
    reply_json(x, 200, json_pack("{s:s,s:s}", "version", "0.12.6", "hearth", HEARTH_VERSION));
}

static void refuse_store(server *s, listen_exchange *x)
{
    (void)s;
    ollama_error(x, 501, "this server has no store of models yet: put files into its folder");
}

const route ollama_routes[] = {
    {"GET", "/", say_alive, ollama_error},
    {"GET", "/api/version", say_version, ollama_error},
    {"POST", "/api/generate", run_generate, ollama_error},
    {"POST", "/api/chat", run_chat, ollama_error},
    {"GET", "/api/tags", list_tags, ollama_error},
    {"POST", "/api/show", show_model, ollama_error},
    {"GET", "/api/ps", list_running, ollama_error},
    {"POST", "/api/pull", refuse_store, ollama_error},
    {"POST", "/api/push", refuse_store, ollama_error},
    {"POST", "/api/create", refuse_store, ollama_error},
    {"POST", "/api/copy", refuse_store, ollama_error},
    {"DELETE", "/api/delete", refuse_store, ollama_error},
    {0},
};
