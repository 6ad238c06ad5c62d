// `hearth embed` and `hearth rerank`: texts to vectors, documents by how well they answer a query.
//
// Texts are the words of the command line, or the lines of a file or of stdin; an empty line is no
// text. Vectors go to stdout one a line, numbers separated by spaces, with enough digits to come
// back as the same floats. Ranks come best first, with the number of the document as it was given.
#include "cli/args.h"

#include <math.h>
#include <stdlib.h>

#include "defs/limits.h"

typedef struct text_list { str *v; size_t n, cap; buf file; } text_list;

static hearth_status push_text(text_list *l, str text, hearth_err *err)
{
    if (l->n == l->cap) {
        size_t cap = size_max(64, l->cap * 2);
        str *grown = mem_realloc(MEM_MISC, l->v, cap * sizeof *grown);
        if (!grown) return err_fail(err, HEARTH_E_NOMEM, "out of memory for %zu texts", cap);
        l->v = grown;
        l->cap = cap;
    }
    l->v[l->n++] = text;
    return HEARTH_OK;
}

static void free_texts(text_list *l)
{
    mem_free(l->v);
    buf_release(&l->file);
}

static hearth_status read_lines(const char *file, text_list *l, hearth_err *err)
{
    if (file && !str_eq_z(str_from(file), "-")) HEARTH_TRY(read_file(file, &l->file, err));
    else HEARTH_TRY(read_stdin(&l->file, err));
    str rest = buf_str(&l->file);
    while (rest.n > 0) {
        str line = str_cut(&rest, '\n');
        if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
        if (line.n > 0) HEARTH_TRY(push_text(l, line, err));
    }
    return HEARTH_OK;
}

// The words from `first` on, then the lines of the file, or of stdin where nothing else is given.
static hearth_status collect_texts(cli *c, const cli_args *a, int first, const char *file,
                                   text_list *l, hearth_err *err)
{
    for (int i = first; i < a->n_words; i++)
        HEARTH_TRY(push_text(l, str_from(a->words[i]), err));
    if (file || (l->n == 0 && !c->in_is_tty)) HEARTH_TRY(read_lines(file, l, err));
    return l->n > 0 ? HEARTH_OK : cli_usage(c, err, "no text was given");
}

// --- embed --------------------------------------------------------------------------------------

// Of the angle between two vectors, also with --raw.
static double cosine_of(const float *a, const float *b, int64_t n)
{
    double sum = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? sum / sqrt(aa * bb) : 0;
}

static void print_similarity(cli *c, const text_list *l, const float *x, int64_t width)
{
    for (size_t i = 0; i < l->n; i++) {
        for (size_t j = 0; j < l->n; j++) {
            double cosine = cosine_of(x + (int64_t)i * width, x + (int64_t)j * width, width);
            out_printf(c, "%7.4f", cosine);
        }
        out_bytes(c, STR("  "));
        out_text(c, (str){l->v[i].p, size_min(l->v[i].n, 48)});
        out_bytes(c, STR("\n"));
    }
}

static void print_vectors(cli *c, size_t n, const float *x, int64_t width)
{
    for (size_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++, x++)
            out_printf(c, "%.9g%c", (double)*x, j + 1 < width ? ' ' : '\n');
}

// The shape of OpenAI's answer.
static void print_json(cli *c, size_t n, const float *x, int64_t width, int64_t n_tokens)
{
    json_writer w;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    json_write_key(&w, "data");
    json_write_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_write_object(&w);
        put_u64(&w, "index", i);
        json_write_key(&w, "embedding");
        json_write_array(&w);
        for (int64_t j = 0; j < width; j++) json_write_f64(&w, (double)*x++);
        json_write_array_end(&w);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    put_i64(&w, "tokens", n_tokens);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

static hearth_status embed_list(cli *c, engine *e, const embed_args *a, const text_list *l,
                                hearth_err *err)
{
    engine_embed_options o = {.pooling = (llm_pooling)a->pooling, .dimensions = a->dimensions,
                              .raw = a->raw, .truncate = a->truncate};
    int64_t n_tokens = 0, all = engine_get_info(e)->n_embd_out;
    int64_t width = a->dimensions > 0 ? i64_min(a->dimensions, all) : all;
    float *x = mem_alloc_zero(MEM_MISC, l->n, (size_t)i64_max(width, 1) * sizeof *x);
    if (!x) return err_fail(err, HEARTH_E_NOMEM, "out of memory for %zu vectors", l->n);
    hearth_status st = engine_embed(e, l->v, l->n, &o, x, &n_tokens, err);
    if (st == HEARTH_OK) {
        if (a->similarity) print_similarity(c, l, x, width);
        else if (a->common.json) print_json(c, l->n, x, width, n_tokens);
        else print_vectors(c, l->n, x, width);
    }
    mem_free(x);
    return st;
}

hearth_status cmd_embed(cli *c, void *args, hearth_err *err)
{
    const embed_args *a = args;
    engine_options o;
    engine *e = NULL;
    text_list l = {0};
    buf_init(&l.file, MEM_MISC, LIMIT_STDIN);
    hearth_status st = fill_engine_options(c, &a->engine, &o, err);
    if (st == HEARTH_OK) st = collect_texts(c, &a->common, 1, a->file, &l, err);
    if (st == HEARTH_OK) st = open_engine(a->common.words[0], &o, &e, NULL, err);
    if (st == HEARTH_OK) st = embed_list(c, e, a, &l, err);
    engine_close(e);
    free_texts(&l);
    return st;
}

// --- rerank -------------------------------------------------------------------------------------

typedef struct ranked { float score; size_t index; } ranked;

// Best first, equals as they came.
static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->score < y->score || x->score > y->score) return x->score < y->score ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static void print_ranks(cli *c, const text_list *l, const ranked *r)
{
    for (size_t i = 0; i < l->n; i++) {
        out_printf(c, "%10.4f  %4zu  ", (double)r[i].score, r[i].index + 1);
        out_text(c, l->v[r[i].index]);
        out_bytes(c, STR("\n"));
    }
}

static void print_ranks_json(cli *c, size_t n, const ranked *r, int64_t n_tokens)
{
    json_writer w;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    json_write_key(&w, "results");
    json_write_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_write_object(&w);
        put_u64(&w, "index", r[i].index);
        put_f64(&w, "relevance_score", (double)r[i].score);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    put_i64(&w, "tokens", n_tokens);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

static hearth_status rank_list(cli *c, engine *e, const rerank_args *a, const text_list *l,
                               hearth_err *err)
{
    int64_t n_tokens = 0;
    float *scores = mem_alloc_zero(MEM_MISC, l->n, sizeof *scores);
    ranked *r = mem_alloc_zero(MEM_MISC, l->n, sizeof *r);
    hearth_status st = scores && r ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "out of memory");
    if (st == HEARTH_OK)
        st = engine_rerank(e, str_from(a->common.words[1]), l->v, l->n, a->truncate, scores,
                           &n_tokens, err);
    if (st == HEARTH_OK) {
        for (size_t i = 0; i < l->n; i++) r[i] = (ranked){scores[i], i};
        qsort(r, l->n, sizeof *r, compare_ranked);
        if (a->common.json) print_ranks_json(c, l->n, r, n_tokens);
        else print_ranks(c, l, r);
    }
    mem_free(scores);
    mem_free(r);
    return st;
}

hearth_status cmd_rerank(cli *c, void *args, hearth_err *err)
{
    const rerank_args *a = args;
    engine_options o;
    engine *e = NULL;
    text_list l = {0};
    buf_init(&l.file, MEM_MISC, LIMIT_STDIN);
    hearth_status st = fill_engine_options(c, &a->engine, &o, err);
    if (st == HEARTH_OK) st = collect_texts(c, &a->common, 2, a->file, &l, err);
    if (st == HEARTH_OK) st = open_engine(a->common.words[0], &o, &e, NULL, err);
    if (st == HEARTH_OK) st = rank_list(c, e, a, &l, err);
    engine_close(e);
    free_texts(&l);
    return st;
}
