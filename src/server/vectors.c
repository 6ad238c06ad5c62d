// Vectors of texts and ranks of documents: /api/embed and /api/embeddings as Ollama has them,
// /v1/embeddings as OpenAI does, /v1/rerank in the form of Jina and Cohere.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "server/ask.h"

// --- texts --------------------------------------------------------------------------------------

static hearth_status add_text(ask *a, const json_t *v, const char *name, hearth_err *err)
{
    if (!json_is_string(v))
        return err_fail(err, HEARTH_E_ARG, "'%s' must be a string or an array of strings", name);
    a->texts[a->n_texts++] = (str){json_string_value(v), json_string_length(v)};
    return HEARTH_OK;
}

// A string or an array of them, as a->texts.
static hearth_status read_texts(ask *a, const char *name, hearth_err *err)
{
    const json_t *v = json_object_get(a->body, name);
    if (!v || json_is_null(v)) return err_fail(err, HEARTH_E_ARG, "'%s' is required", name);
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    a->texts = mem_alloc_zero(MEM_MISC, n + 1, sizeof *a->texts);
    if (!a->texts) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    if (!json_is_array(v)) return add_text(a, v, name, err);
    for (size_t i = 0; i < n; i++) HEARTH_TRY(add_text(a, json_array_get(v, i), name, err));
    return HEARTH_OK;
}

static hearth_status read_dimensions(ask *a, hearth_err *err)
{
    return field_int(a->body, "dimensions", 0, INT32_MAX, &a->embed.dimensions, err);
}

// --- vectors ------------------------------------------------------------------------------------

typedef struct vectors {
    float *x;
    size_t width;
    int64_t n_tokens;
} vectors;

static hearth_status make_vectors(const ask *a, engine *e, vectors *v, hearth_err *err)
{
    const engine_info *info = engine_get_info(e);
    *v = (vectors){.width = (size_t)info->n_embd_out};
    if (a->embed.dimensions > info->n_embd_out)
        return err_fail(err, HEARTH_E_ARG, "'dimensions' is %lld, the model's vectors have %lld",
                        (long long)a->embed.dimensions, (long long)info->n_embd_out);
    if (a->embed.dimensions > 0) v->width = (size_t)a->embed.dimensions;
    v->x = mem_alloc_zero(MEM_MISC, (a->n_texts * v->width) | 1, sizeof *v->x);
    if (!v->x) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    hearth_status status = HEARTH_OK;
    if (a->n_texts > 0)
        status = engine_embed(e, a->texts, a->n_texts, &a->embed, v->x, &v->n_tokens, err);
    if (status != HEARTH_OK) mem_free(v->x);
    return status;
}

static json_t *number_list(const float *x, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, json_real((double)x[i])) != 0) break;
    if (json_array_size(list) == n) return list;
    json_decref(list);
    return NULL;
}

// Base64 of little-endian float32 values, as every machine that this runs on has them.
static json_t *base64_text(const float *x, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = (const uint8_t *)x;
    size_t left = n * sizeof *x, at = 0;
    char *text = mem_alloc(MEM_MISC, (left + 2) / 3 * 4 + 1);
    if (!text) return NULL;
    for (; left > 0; p += 3, at += 4) { // three bytes are four digits of six bits
        uint32_t v = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) |
                     (left > 2 ? p[2] : 0);
        for (int i = 0; i < 4; i++) text[at + (size_t)i] = digits[v >> (18 - 6 * i) & 63];
        if (left < 3) text[at + 3] = '=';
        if (left < 2) text[at + 2] = '=';
        left -= size_min(left, 3);
    }
    json_t *value = json_stringn(text, at);
    mem_free(text);
    return value;
}

static json_t *vector_at(const ask *a, const vectors *v, size_t i)
{
    const float *x = v->x + i * v->width;
    return a->is_base64 ? base64_text(x, v->width) : number_list(x, v->width);
}

// --- Ollama -------------------------------------------------------------------------------------

static hearth_status read_alive(ask *a, hearth_err *err)
{
    return field_keep_alive(a->body, &a->has_keep_alive, &a->keep_alive_ns, err);
}

static hearth_status read_ollama_embed(ask *a, hearth_err *err)
{
    a->embed.truncate = true;
    HEARTH_TRY(read_alive(a, err));
    HEARTH_TRY(field_bool(a->body, "truncate", &a->embed.truncate, err));
    HEARTH_TRY(read_dimensions(a, err));
    return read_texts(a, "input", err);
}

static hearth_status run_ollama_embed(ask *a, engine *e, hearth_err *err)
{
    vectors v;
    HEARTH_TRY(make_vectors(a, e, &v, err));
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_texts; i++) json_array_append_new(list, vector_at(a, &v, i));
    if (json_array_size(list) == a->n_texts)
        a->reply = json_pack("{s:s,s:O,s:I,s:I,s:I}", "model", a->model, "embeddings", list,
                             "total_duration", (json_int_t)(os_now_ns() - a->begun_ns),
                             "load_duration", (json_int_t)(a->loaded_ns - a->begun_ns),
                             "prompt_eval_count", (json_int_t)v.n_tokens);
    json_decref(list);
    mem_free(v.x);
    return HEARTH_OK;
}

static hearth_status read_legacy_embed(ask *a, hearth_err *err)
{
    a->embed.truncate = a->embed.raw = true;
    HEARTH_TRY(read_alive(a, err));
    HEARTH_TRY(read_texts(a, "prompt", err));
    if (a->n_texts > 1 || json_is_array(json_object_get(a->body, "prompt")))
        return err_fail(err, HEARTH_E_ARG, "'prompt' must be a string");
    if (a->texts[0].n == 0) a->n_texts = 0; // nothing to say: the model is loaded
    return HEARTH_OK;
}

static hearth_status run_legacy_embed(ask *a, engine *e, hearth_err *err)
{
    vectors v;
    HEARTH_TRY(make_vectors(a, e, &v, err));
    json_t *x = a->n_texts > 0 ? vector_at(a, &v, 0) : json_array();
    a->reply = json_pack("{s:o}", "embedding", x);
    mem_free(v.x);
    return HEARTH_OK;
}

// --- OpenAI -------------------------------------------------------------------------------------

static hearth_status read_openai_embed(ask *a, hearth_err *err)
{
    const char *format = "float";
    const json_t *input = json_object_get(a->body, "input");
    HEARTH_TRY(field_str(a->body, "encoding_format", &format, err));
    a->is_base64 = !strcmp(format, "base64");
    if (!a->is_base64 && strcmp(format, "float") != 0)
        return err_fail(err, HEARTH_E_ARG, "'encoding_format' is '%.40s', expected float or base64",
                        format);
    HEARTH_TRY(read_dimensions(a, err));
    if (json_is_array(input) && !json_is_string(json_array_get(input, 0)))
        return err_fail(err, HEARTH_E_ARG, "'input' must be text; arrays of tokens are not taken");
    return read_texts(a, "input", err);
}

static json_t *usage_of(int64_t n_tokens)
{
    return json_pack("{s:I,s:I}", "prompt_tokens", (json_int_t)n_tokens, "total_tokens",
                     (json_int_t)n_tokens);
}

static hearth_status run_openai_embed(ask *a, engine *e, hearth_err *err)
{
    vectors v;
    HEARTH_TRY(make_vectors(a, e, &v, err));
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_texts; i++)
        json_array_append_new(list, json_pack("{s:s,s:i,s:o}", "object", "embedding", "index",
                                              (int)i, "embedding", vector_at(a, &v, i)));
    if (json_array_size(list) == a->n_texts)
        a->reply = json_pack("{s:s,s:O,s:s,s:o}", "object", "list", "data", list, "model",
                             a->model, "usage", usage_of(v.n_tokens));
    json_decref(list);
    mem_free(v.x);
    return HEARTH_OK;
}

// --- ranks --------------------------------------------------------------------------------------

// Documents are strings or, as Jina has them, objects with a text.
static hearth_status read_documents(ask *a, hearth_err *err)
{
    const json_t *v = json_object_get(a->body, "documents"), *one;
    size_t n = json_array_size(v);
    if (!json_is_array(v)) return err_fail(err, HEARTH_E_ARG, "'documents' must be an array");
    if (n == 0) return err_fail(err, HEARTH_E_ARG, "'documents' is empty");
    a->texts = mem_alloc_zero(MEM_MISC, n, sizeof *a->texts);
    if (!a->texts) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        one = json_array_get(v, i);
        if (json_is_object(one)) one = json_object_get(one, "text");
        HEARTH_TRY(add_text(a, one, "documents", err));
    }
    return HEARTH_OK;
}

static hearth_status read_rerank(ask *a, hearth_err *err)
{
    const char *query = NULL;
    int64_t top = 0;
    bool whole = false;
    HEARTH_TRY(field_str(a->body, "query", &query, err));
    if (!query) return err_fail(err, HEARTH_E_ARG, "'query' is required");
    HEARTH_TRY(field_int(a->body, "top_n", 1, INT32_MAX, &top, err));
    HEARTH_TRY(field_bool(a->body, "return_documents", &whole, err));
    return read_documents(a, err);
}

typedef struct ranked { size_t index; double score; } ranked;

static int better_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->score > y->score || x->score < y->score) return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static json_t *rank_list(const ask *a, const ranked *r)
{
    bool whole = json_is_true(json_object_get(a->body, "return_documents"));
    const json_t *top = json_object_get(a->body, "top_n");
    json_t *list = json_array();
    size_t n = a->n_texts;
    if (json_is_integer(top)) n = size_min(n, (size_t)json_integer_value(top));
    for (size_t i = 0; i < n; i++) {
        str text = a->texts[r[i].index];
        json_t *row = json_pack("{s:I,s:f}", "index", (json_int_t)r[i].index, "relevance_score",
                                r[i].score);
        if (whole)
            json_object_set_new(row, "document", json_pack("{s:s%}", "text", text.p, text.n));
        json_array_append_new(list, row);
    }
    return list;
}

static hearth_status run_rerank(ask *a, engine *e, hearth_err *err)
{
    str query = str_from(json_string_value(json_object_get(a->body, "query")));
    float *scores = mem_alloc_zero(MEM_MISC, a->n_texts, sizeof *scores);
    ranked *r = mem_alloc_zero(MEM_MISC, a->n_texts, sizeof *r);
    int64_t n_tokens = 0;
    hearth_status status = scores && r ? HEARTH_OK
                                       : err_fail(err, HEARTH_E_NOMEM, "out of memory");
    if (status == HEARTH_OK)
        status = engine_rerank(e, query, a->texts, a->n_texts, true, scores, &n_tokens, err);
    if (status == HEARTH_OK) {
        for (size_t i = 0; i < a->n_texts; i++) r[i] = (ranked){i, (double)scores[i]};
        qsort(r, a->n_texts, sizeof *r, better_first);
        a->reply = json_pack("{s:s,s:s,s:o,s:o}", "model", a->model, "object", "list", "results",
                             rank_list(a, r), "usage", usage_of(n_tokens));
    }
    mem_free(scores);
    mem_free(r);
    return status;
}

// --- routes -------------------------------------------------------------------------------------

static const ask_kind ollama_embed = {ollama_error, true, read_ollama_embed, run_ollama_embed};
static const ask_kind legacy_embed = {ollama_error, true, read_legacy_embed, run_legacy_embed};
static const ask_kind openai_embed = {openai_error, true, read_openai_embed, run_openai_embed};
static const ask_kind rerank = {openai_error, false, read_rerank, run_rerank};

static void take_ollama(server *s, listen_exchange *x) { ask_run(s, x, &ollama_embed); }
static void take_legacy(server *s, listen_exchange *x) { ask_run(s, x, &legacy_embed); }
static void take_openai(server *s, listen_exchange *x) { ask_run(s, x, &openai_embed); }
static void take_rerank(server *s, listen_exchange *x) { ask_run(s, x, &rerank); }

const route vector_routes[] = {
    {"POST", "/api/embed", take_ollama, ollama_error},
    {"POST", "/api/embeddings", take_legacy, ollama_error},
    {"POST", "/v1/embeddings", take_openai, openai_error},
    {"POST", "/v1/rerank", take_rerank, openai_error},
    {"POST", "/rerank", take_rerank, openai_error},
    {0},
};
