// Public functions on models: opening, information, tokens and logits.
#include <string.h>

#include "capi/api_int.h"
#include "defs/limits.h"

void hearth_model_options_default(hearth_model_options *options)
{
    *options = (hearth_model_options){.size = sizeof *options, .sessions = 1, .batch = 512};
}

static dtype cache_dtype(int32_t type)
{
    return type == HEARTH_CACHE_F32 ? DTYPE_F32 : DTYPE_F16;
}

static bool is_cache_type(int32_t type)
{
    return type == HEARTH_CACHE_F16 || type == HEARTH_CACHE_F32;
}

static engine_options convert_options(const hearth_model_options *o)
{
    engine_options e;
    engine_options_default(&e);
    e.place = ENGINE_LOCAL;
    e.n_threads = o->threads;
    e.n_ctx = o->context;
    e.n_seq = o->sessions ? o->sessions : 1;
    e.n_batch = o->batch ? o->batch : 512;
    e.n_logits = int_min(e.n_logits, e.n_batch);
    e.type_k = e.type_v = cache_dtype(o->cache_type);
    e.memory_limit = o->memory_limit;
    e.metadata_only = o->metadata_only != 0;
    return e;
}

static hearth_status convert_adapters(const hearth_model_options *o, engine_options *e,
                                      hearth_err *err)
{
    if (o->n_adapters < 0 || o->n_adapters > ENGINE_ADAPTERS_MAX || (o->n_adapters && !o->adapters))
        return err_fail(err, HEARTH_E_ARG, "%d adapters: not in [0, %d]", (int)o->n_adapters,
                        ENGINE_ADAPTERS_MAX);
    for (int i = 0; i < o->n_adapters; i++) {
        const hearth_adapter *a = &o->adapters[i];
        if (!a->path) return err_fail(err, HEARTH_E_ARG, "adapter %d: its path is NULL", i);
        e->adapters[i] = (engine_adapter){str_from(a->path), a->scale};
    }
    e->n_adapters = o->n_adapters;
    return HEARTH_OK;
}

hearth_status hearth_model_open(const char *path, const hearth_model_options *options,
                                hearth_model **out, hearth_error *error)
{
    hearth_model_options o;
    hearth_err err = ERR_INIT;
    if (!out) return api_refuse(error, "hearth_model_open: 'out' is NULL");
    *out = NULL;
    hearth_model_options_default(&o);
    if (options && !api_read_sized(&o, sizeof o, options))
        return api_refuse(error, "hearth_model_open: options.size is not one of this version");
    if (!is_cache_type(o.cache_type))
        return api_refuse(error, "hearth_model_open: unknown cache_type");
    hearth_model *m = mem_alloc_zero(MEM_MISC, 1, sizeof *m);
    if (!m) return api_report(err_fail(&err, HEARTH_E_NOMEM, "out of memory"), &err, error);
    engine_options e = convert_options(&o);
    hearth_status status = convert_adapters(&o, &e, &err);
    if (status == HEARTH_OK) status = engine_open(path, &e, &m->e, &err);
    if (status == HEARTH_OK) *out = m;
    else mem_free(m);
    return api_report(status, &err, error);
}

void hearth_model_close(hearth_model *model)
{
    if (!model) return;
    engine_close(model->e);
    mem_free(model);
}

static hearth_plan convert_plan(const llm_plan *p)
{
    return (hearth_plan){p->weights_bytes, p->model_bytes, p->cache_bytes, p->scratch_bytes,
                         p->total_bytes};
}

static void copy_names(hearth_model_info *to, const engine_info *from)
{
    STATIC_ASSERT(sizeof to->name == sizeof from->name, "copied whole");
    STATIC_ASSERT(sizeof to->processor == sizeof from->cpu, "copied whole");
    memcpy(to->name, from->name, sizeof to->name);
    memcpy(to->architecture, from->arch, sizeof to->architecture);
    memcpy(to->tokenizer, from->tokenizer, sizeof to->tokenizer);
    memcpy(to->file_type, from->file_type, sizeof to->file_type);
    memcpy(to->processor, from->cpu, sizeof to->processor);
}

hearth_status hearth_model_get_info(const hearth_model *model, hearth_model_info *info,
                                    hearth_error *error)
{
    if (!model || !info) return api_refuse(error, "hearth_model_get_info: an argument is NULL");
    const engine_info *i = engine_get_info(model->e);
    hearth_model_info all;
    memset(&all, 0, sizeof all);
    copy_names(&all, i);
    all.threads = i->n_threads;
    all.file_bytes = i->file_bytes;
    all.parameters = i->parameters;
    all.context = i->n_ctx;
    all.context_trained = i->n_ctx_train;
    all.vocabulary = i->n_vocab;
    all.embedding = i->n_embd;
    all.layers = i->n_layer;
    all.bos = i->special.bos;
    all.eos = i->special.eos;
    all.eot = i->special.eot;
    all.has_chat_template = i->has_chat_template;
    all.plan = convert_plan(&i->plan);
    all.load_ns = i->load_ns;
    all.embedding_out = i->n_embd_out;
    all.can_rank = i->can_rank;
    all.is_encoder = i->is_encoder;
    if (!api_write_sized(info, &all, sizeof all))
        return api_refuse(error, "hearth_model_get_info: info.size is not one of this version");
    return api_report(HEARTH_OK, NULL, error);
}

hearth_status hearth_model_describe(hearth_model *model, char **json, size_t *n,
                                    hearth_error *error)
{
    if (!model || !json || !n)
        return api_refuse(error, "hearth_model_describe: an argument is NULL");
    hearth_err err = ERR_INIT;
    buf text;
    *json = NULL;
    buf_init(&text, MEM_MISC, LIMIT_WIRE_BULK);
    hearth_status status = engine_describe(model->e, &text, &err);
    if (status == HEARTH_OK) {
        *json = text.p;
        *n = text.n;
    } else {
        buf_release(&text);
    }
    return api_report(status, &err, error);
}

hearth_status hearth_model_plan(hearth_model *model, int64_t context, int32_t cache_type,
                                hearth_plan *out, hearth_error *error)
{
    if (!model || !out) return api_refuse(error, "hearth_model_plan: an argument is NULL");
    if (!is_cache_type(cache_type))
        return api_refuse(error, "hearth_model_plan: unknown cache_type");
    if (context < 0) return api_refuse(error, "hearth_model_plan: context is negative");
    hearth_err err = ERR_INIT;
    llm_ctx_options o = {.n_ctx = context ? context : engine_get_info(model->e)->n_ctx,
                         .type_k = cache_dtype(cache_type), .type_v = cache_dtype(cache_type)};
    llm_plan plan;
    hearth_status status = engine_plan(model->e, &o, &plan, &err);
    if (status == HEARTH_OK) *out = convert_plan(&plan);
    return api_report(status, &err, error);
}

// --- text and tokens ----------------------------------------------------------------------------

// Copies a result that fits; *n gets its length in any case.
static hearth_status hand_out(const void *from, size_t n_from, size_t item, void *to, size_t cap,
                              size_t *n, hearth_err *err)
{
    *n = n_from;
    if (n_from > cap)
        return err_fail(err, HEARTH_E_LIMIT, "the result has %zu items, there is room for %zu",
                        n_from, cap);
    if (n_from > 0) memcpy(to, from, n_from * item);
    return HEARTH_OK;
}

hearth_status hearth_tokenize(hearth_model *model, const char *text, size_t text_bytes,
                              uint32_t flags, int32_t *ids, size_t cap, size_t *n,
                              hearth_error *error)
{
    if (!model || !n || (!text && text_bytes > 0) || (!ids && cap > 0))
        return api_refuse(error, "hearth_tokenize: an argument is NULL");
    hearth_err err = ERR_INIT;
    tok_ids out = {0};
    tok_options o = {(flags & HEARTH_ADD_SPECIAL) != 0, (flags & HEARTH_PARSE_SPECIAL) != 0};
    str s = {text ? text : "", text_bytes};
    hearth_status status = engine_tokenize(model->e, s, o, &out, &err);
    if (status == HEARTH_OK) status = hand_out(out.id, out.n, sizeof *ids, ids, cap, n, &err);
    tok_ids_release(&out);
    return api_report(status, &err, error);
}

hearth_status hearth_detokenize(hearth_model *model, const int32_t *ids, size_t n_ids,
                                uint32_t flags, char *text, size_t cap, size_t *n,
                                hearth_error *error)
{
    if (!model || !n || (!ids && n_ids > 0) || (!text && cap > 0))
        return api_refuse(error, "hearth_detokenize: an argument is NULL");
    hearth_err err = ERR_INIT;
    buf out;
    buf_init(&out, MEM_MISC, LIMIT_WIRE_BULK);
    bool special = (flags & HEARTH_PARSE_SPECIAL) != 0;
    hearth_status status = engine_detokenize(model->e, ids, n_ids, special, &out, &err);
    if (status == HEARTH_OK) status = hand_out(out.p, out.n, 1, text, cap, n, &err);
    buf_release(&out);
    return api_report(status, &err, error);
}

hearth_status hearth_logits(hearth_model *model, const int32_t *ids, size_t n, int32_t batch,
                            float *out, hearth_error *error)
{
    if (!model || !ids || !out) return api_refuse(error, "hearth_logits: an argument is NULL");
    if (n > LIMIT_CONTEXT) return api_refuse(error, "hearth_logits: too many tokens");
    hearth_err err = ERR_INIT;
    return api_report(engine_logits(model->e, ids, (int64_t)n, batch, out, &err), &err, error);
}
