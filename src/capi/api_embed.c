// Public functions on vectors of texts and ranks of documents.
#include "capi/api_int.h"
#include "defs/limits.h"

STATIC_ASSERT((int)HEARTH_POOL_LAST == (int)LLM_POOL_LAST, "the same numbers");

void hearth_embed_options_default(hearth_embed_options *options)
{
    *options = (hearth_embed_options){.size = sizeof *options};
}

// The caller's texts as slices; mem_free() frees.
static str *convert_texts(const char *const *texts, size_t n, hearth_err *err)
{
    str *list = n <= LIMIT_TEXTS ? mem_alloc(MEM_MISC, size_max(n, 1) * sizeof *list) : NULL;
    for (size_t i = 0; list && i < n; i++) list[i] = str_from(texts[i]);
    if (!list) err_fail(err, n <= LIMIT_TEXTS ? HEARTH_E_NOMEM : HEARTH_E_LIMIT, "%zu texts", n);
    return list;
}

hearth_status hearth_embed(hearth_model *model, const char *const *texts, size_t n,
                           const hearth_embed_options *options, float *out, int64_t *n_tokens,
                           hearth_error *error)
{
    if (!model || !texts || !out) return api_refuse(error, "hearth_embed: an argument is NULL");
    hearth_embed_options o;
    hearth_embed_options_default(&o);
    if (options && !api_read_sized(&o, sizeof o, options))
        return api_refuse(error, "hearth_embed: options.size is not one of this version");
    hearth_err err = ERR_INIT;
    engine_embed_options to = {.pooling = (llm_pooling)o.pooling, .dimensions = o.dimensions,
                               .raw = o.raw != 0, .truncate = o.truncate != 0};
    int64_t read = 0;
    str *list = convert_texts(texts, n, &err);
    hearth_status status = list ? engine_embed(model->e, list, n, &to, out, &read, &err)
                                : err.status;
    if (status == HEARTH_OK && n_tokens) *n_tokens = read;
    mem_free(list);
    return api_report(status, &err, error);
}

hearth_status hearth_rerank(hearth_model *model, const char *query, const char *const *documents,
                            size_t n, int32_t truncate, float *scores, int64_t *n_tokens,
                            hearth_error *error)
{
    if (!model || !query || !documents || !scores)
        return api_refuse(error, "hearth_rerank: an argument is NULL");
    hearth_err err = ERR_INIT;
    int64_t read = 0;
    str *list = convert_texts(documents, n, &err);
    hearth_status status = list ? engine_rerank(model->e, str_from(query), list, n, truncate != 0,
                                                scores, &read, &err)
                                : err.status;
    if (status == HEARTH_OK && n_tokens) *n_tokens = read;
    mem_free(list);
    return api_report(status, &err, error);
}
