// The structures of the protocol, field by field; see wire.h. Ranges are those that make a value
// safe to use as it is; whether it makes sense is for the functions that it is given to.
#include <string.h>

#include "defs/limits.h"
#include "engine/engine_int.h"
#include "engine/wire.h"

static void pass_dtype(wire_io *w, dtype *x)
{
    uint32_t id = (uint32_t)*x;
    wire_u32(w, &id);
    if (!w->out && !dtype_known(id)) {
        w->bad = true;
        id = 0;
    }
    *x = (dtype)id;
}

static void pass_text(wire_io *w, char *text, size_t cap)
{
    str s = {text, w->out ? strlen(text) : 0};
    wire_str(w, &s, cap - 1);
    if (!w->out) engine_copy_text(text, cap, s);
}

static void pass_i32(wire_io *w, int32_t *x)
{
    int v = *x;
    wire_int(w, &v, INT32_MIN, INT32_MAX);
    *x = v;
}

static void pass_count(wire_io *w, int64_t *x, int64_t most)
{
    wire_i64(w, x, 0, most);
}

void wire_open(wire_io *w, str *source, engine_options *o)
{
    uint32_t protocol = WIRE_PROTOCOL;
    wire_u32(w, &protocol);
    w->bad |= protocol != WIRE_PROTOCOL;
    wire_str(w, source, LIMIT_PATH);
    wire_int(w, &o->n_threads, 0, LIMIT_THREADS);
    wire_u32(w, &o->cpu);
    pass_count(w, &o->n_ctx, LIMIT_CONTEXT);
    pass_count(w, &o->n_ctx_seq, LIMIT_CONTEXT);
    wire_int(w, &o->n_seq, 1, LIMIT_SEQUENCES);
    wire_int(w, &o->n_batch, 1, LIMIT_BATCH_ROWS);
    wire_int(w, &o->n_logits, 1, LIMIT_BATCH_ROWS);
    pass_dtype(w, &o->type_k);
    pass_dtype(w, &o->type_v);
    wire_u64(w, &o->memory_limit);
    wire_bool(w, &o->metadata_only);
    wire_int(w, &o->n_adapters, 0, ENGINE_ADAPTERS_MAX);
    for (int i = 0; i < o->n_adapters && !w->bad; i++) {
        wire_str(w, &o->adapters[i].path, LIMIT_PATH);
        wire_f32(w, &o->adapters[i].scale);
    }
}

void wire_ctx_options(wire_io *w, llm_ctx_options *o)
{
    pass_count(w, &o->n_ctx, LIMIT_CONTEXT);
    wire_int(w, &o->n_seq, 0, LIMIT_SEQUENCES);
    wire_int(w, &o->n_batch, 0, LIMIT_BATCH_ROWS);
    wire_int(w, &o->n_logits, 0, LIMIT_BATCH_ROWS);
    pass_dtype(w, &o->type_k);
    pass_dtype(w, &o->type_v);
}

void wire_plan(wire_io *w, llm_plan *p)
{
    wire_u64(w, &p->weights_bytes);
    wire_u64(w, &p->model_bytes);
    wire_u64(w, &p->cache_bytes);
    wire_u64(w, &p->scratch_bytes);
    wire_u64(w, &p->total_bytes);
}

static void pass_special(wire_io *w, tok_special *s)
{
    int32_t *const ids[] = {&s->bos, &s->eos, &s->eot, &s->eom, &s->unk, &s->sep, &s->pad,
                            &s->mask, &s->fim_pre, &s->fim_suf, &s->fim_mid, &s->fim_pad,
                            &s->fim_repo, &s->fim_file};
    STATIC_ASSERT(sizeof *s == (COUNTOF(ids) + 1) * 4, "a field of tok_special is not passed");
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        int id = *ids[i];
        wire_int(w, &id, TOK_NONE, LIMIT_VOCAB);
        *ids[i] = id;
    }
    wire_bool(w, &s->add_bos);
    wire_bool(w, &s->add_eos);
    wire_bool(w, &s->add_space_prefix);
}

void wire_info(wire_io *w, engine_info *info)
{
    pass_text(w, info->path, sizeof info->path);
    pass_text(w, info->name, sizeof info->name);
    pass_text(w, info->arch, sizeof info->arch);
    pass_text(w, info->tokenizer, sizeof info->tokenizer);
    pass_text(w, info->file_type, sizeof info->file_type);
    pass_text(w, info->cpu, sizeof info->cpu);
    wire_u64(w, &info->file_bytes);
    wire_u64(w, &info->parameters);
    pass_count(w, &info->n_ctx, LIMIT_CONTEXT + LLM_PAGE);
    pass_count(w, &info->n_ctx_train, INT64_MAX);
    pass_count(w, &info->n_vocab, LIMIT_VOCAB);
    pass_count(w, &info->n_embd, LIMIT_EMBD);
    pass_count(w, &info->n_layer, LIMIT_LAYERS);
    pass_count(w, &info->n_embd_out, LIMIT_EMBD);
    wire_bool(w, &info->is_encoder);
    wire_bool(w, &info->can_rank);
    wire_int(w, &info->n_threads, 0, LIMIT_THREADS);
    pass_special(w, &info->special);
    wire_bool(w, &info->has_chat_template);
    wire_plan(w, &info->plan);
    wire_u64(w, &info->load_ns);
}

// --- generation ---------------------------------------------------------------------------------

static void pass_stats(wire_io *w, generate_stats *s)
{
    pass_count(w, &s->n_prompt, INT64_MAX);
    pass_count(w, &s->n_reused, INT64_MAX);
    pass_count(w, &s->n_generated, INT64_MAX);
    wire_u64(w, &s->prompt_ns);
    wire_u64(w, &s->generate_ns);
}

void wire_event(wire_io *w, engine_event *e)
{
    generate_event *g = &e->gen;
    int finish = (int)g->finish;
    wire_int(w, &finish, GENERATE_RUNNING, GENERATE_CANCELED);
    g->finish = (generate_finish)finish;
    wire_bool(w, &g->has_token);
    int token = g->token;
    wire_int(w, &token, TOK_NONE, LIMIT_VOCAB);
    g->token = token;
    wire_f32(w, &g->logprob);
    wire_int(w, &g->n_top, 0, GENERATE_TOP_MAX);
    for (int i = 0; i < g->n_top; i++) {
        pass_i32(w, &g->top[i].id);
        wire_f32(w, &g->top[i].logprob);
    }
    pass_count(w, &e->prompt_done, INT64_MAX);
    pass_count(w, &e->prompt_total, INT64_MAX);
    pass_stats(w, &e->stats);
    wire_str(w, &g->text, LIMIT_WIRE_MESSAGE / 2);
}

void wire_news(wire_io *w, engine_news *news)
{
    int status = news->failed.status;
    str message = str_from(news->failed.msg);
    wire_int(w, &status, HEARTH_E_CRASHED, HEARTH_OK);
    wire_str(w, &message, ERR_MSG_CAP - 1);
    if (!w->out && status != HEARTH_OK)
        err_fail(&news->failed, (hearth_status)status, "%.*s", STR_ARG(message));
    wire_event(w, &news->event);
}

static void pass_order(wire_io *w, sampler_params *p)
{
    wire_int(w, &p->n_order, 0, SAMPLER_STAGE_COUNT);
    for (int i = 0; i < p->n_order; i++) {
        int stage = (int)p->order[i];
        wire_int(w, &stage, 0, SAMPLER_STAGE_COUNT - 1);
        p->order[i] = (sampler_stage)stage;
    }
}

static void pass_numbers(wire_io *w, sampler_params *p)
{
    float *const floats[] = {
        &p->temperature, &p->dynatemp_range, &p->dynatemp_exponent, &p->top_p, &p->min_p,
        &p->typical_p, &p->top_n_sigma, &p->xtc_probability, &p->xtc_threshold, &p->repeat_penalty,
        &p->presence_penalty, &p->frequency_penalty, &p->dry_multiplier, &p->dry_base,
        &p->mirostat_tau, &p->mirostat_eta,
    };
    int32_t *const ints[] = {&p->top_k, &p->repeat_last_n, &p->dry_allowed_length, &p->dry_last_n,
                             &p->mirostat, &p->min_keep};
    wire_u64(w, &p->seed);
    for (size_t i = 0; i < COUNTOF(floats); i++) wire_f32(w, floats[i]);
    for (size_t i = 0; i < COUNTOF(ints); i++) pass_i32(w, ints[i]);
}

// How many follow; reading, no more than the rest of the message could hold.
static size_t pass_length(wire_io *w, size_t n, size_t most, size_t least_bytes)
{
    uint32_t x = (uint32_t)n;
    wire_u32(w, &x);
    if (w->out) return n;
    w->bad |= x > most || x > (w->n - w->at) / least_bytes;
    return w->bad ? 0 : x;
}

// *list is written from as it is, and read into new memory.
static void pass_strs(wire_io *w, const str **list, size_t *n, size_t most, arena *a)
{
    *n = pass_length(w, *n, most, 4);
    str *to = NULL;
    if (!w->out) {
        *list = to = arena_new(a, str, *n);
        w->bad |= !to;
    }
    for (size_t i = 0; i < *n && !w->bad; i++) {
        str s = w->out ? (*list)[i] : (str){"", 0};
        wire_str(w, &s, LIMIT_STOP_BYTES);
        if (to) to[i] = s;
    }
    if (w->bad) *n = 0;
}

static void pass_bias(wire_io *w, sampler_params *p, arena *a)
{
    p->n_bias = pass_length(w, p->n_bias, LIMIT_LOGIT_BIAS, 8);
    sampler_bias *to = NULL;
    if (!w->out) {
        p->bias = to = arena_new(a, sampler_bias, p->n_bias);
        w->bad |= !to;
    }
    for (size_t i = 0; i < p->n_bias && !w->bad; i++) {
        sampler_bias b = w->out ? p->bias[i] : (sampler_bias){0, 0};
        pass_i32(w, &b.id);
        wire_f32(w, &b.bias);
        if (to) to[i] = b;
    }
    if (w->bad) p->n_bias = 0;
}

void wire_generate(wire_io *w, generate_options *o, arena *a)
{
    pass_numbers(w, &o->sampling);
    pass_order(w, &o->sampling);
    wire_i64(w, &o->n_predict, -1, INT64_MAX);
    wire_bool(w, &o->ignore_end);
    wire_bool(w, &o->special);
    wire_bool(w, &o->hide_end);
    wire_int(w, &o->n_logprobs, 0, GENERATE_TOP_MAX);
    int constraint = (int)o->constraint;
    wire_int(w, &constraint, GRAM_NONE, GRAM_KIND_END - 1);
    o->constraint = (gram_kind)constraint;
    wire_str(w, &o->constraint_text, LIMIT_GRAM_TEXT);
    pass_bias(w, &o->sampling, a);
    pass_strs(w, &o->stop, &o->n_stop, LIMIT_STOP_STRINGS, a);
    pass_strs(w, &o->dry_breakers, &o->n_dry_breakers, LIMIT_STOP_STRINGS, a);
}

void wire_embed(wire_io *w, engine_texts *t)
{
    int n = (int)t->n, pooling = (int)t->o.pooling;
    wire_int(w, &n, 1, LIMIT_TEXTS);
    wire_int(w, &pooling, LLM_POOL_NONE, LLM_POOL_RANK);
    pass_count(w, &t->o.dimensions, LIMIT_EMBD);
    wire_bool(w, &t->o.raw);
    wire_bool(w, &t->o.truncate);
    wire_bool(w, &t->ranks);
    t->n = (size_t)n;
    t->o.pooling = (llm_pooling)pooling;
}

void wire_fail(wire_io *w, int *status, str *message)
{
    wire_int(w, status, HEARTH_E_CRASHED, HEARTH_E_NOMEM);
    wire_str(w, message, ERR_MSG_CAP - 1);
}

static void pass_text_size(wire_io *w, size_t *n, uint64_t most)
{
    uint64_t x = *n;
    wire_u64(w, &x);
    if (!w->out && x > most) {
        w->bad = true;
        x = 0;
    }
    *n = (size_t)x;
}

void wire_chat(wire_io *w, engine_chat_options *o)
{
    int think = o->think;
    pass_text_size(w, &o->n_held, LIMIT_CONTEXT);
    pass_text_size(w, &o->messages.n, LIMIT_PROMPT_BYTES);
    pass_text_size(w, &o->tools.n, LIMIT_PROMPT_BYTES);
    pass_text_size(w, &o->variables.n, LIMIT_PROMPT_BYTES);
    pass_text_size(w, &o->template_text.n, LIMIT_PROMPT_BYTES);
    wire_str(w, &o->template_name, LIMIT_PATH);
    int *const now[] = {&o->now.year, &o->now.month, &o->now.day, &o->now.hour, &o->now.minute,
                        &o->now.second};
    for (size_t i = 0; i < COUNTOF(now); i++) wire_int(w, now[i], 0, 9999);
    wire_int(w, &think, ENGINE_THINK_DEFAULT, ENGINE_THINK_OFF);
    wire_bool(w, &o->no_generation_prompt);
    o->think = (engine_think)think;
}

void wire_chat_result(wire_io *w, engine_chat_result *r)
{
    wire_u64(w, &r->style.tags);
    wire_bool(w, &r->style.starts_thinking);
    pass_text(w, r->note, sizeof r->note);
}
