// `hearth debug logits`: the float32 logits of given tokens as .npy, for comparison with others.
#include "cli/args.h"
#include "fmt/npy.h"

static hearth_status write_array(const char *path, const float *logits, int64_t n, int64_t n_vocab,
                                 hearth_err *err)
{
    const int64_t dim[2] = {n, n_vocab};
    safe_file *f = NULL;
    buf header;
    buf_init(&header, MEM_MISC, SIZE_MAX);
    hearth_status st = npy_header(NPY_F32, 2, dim, &header, err);
    if (st == HEARTH_OK) st = safe_open(path, &f, err);
    if (st == HEARTH_OK) st = safe_write(f, header.p, header.n, err);
    if (st == HEARTH_OK) st = safe_write(f, logits, (size_t)(n * n_vocab) * sizeof *logits, err);
    if (st == HEARTH_OK) {
        st = safe_commit(f, err);
    } else {
        safe_abort(f);
    }
    buf_release(&header);
    return st;
}

static hearth_status compute(engine *e, const logits_args *a, const tok_ids *ids, hearth_err *err)
{
    int64_t n = (int64_t)ids->n, n_vocab = engine_get_info(e)->n_vocab;
    size_t count, bytes;
    if (!mul_ok(ids->n, (size_t)n_vocab, &count) || !mul_ok(count, sizeof(float), &bytes)) {
        return err_fail(err, HEARTH_E_LIMIT, "%zu tokens are too many", ids->n);
    }
    float *logits = mem_alloc(MEM_MISC, bytes);
    if (!logits) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu bytes of logits", bytes);
    hearth_status st = engine_logits(e, ids->id, n, a->batch, logits, err);
    err_prefix(err, "%s: ", a->common.words[0]);
    if (st == HEARTH_OK) st = write_array(a->out, logits, n, n_vocab, err);
    mem_free(logits);
    return st;
}

// The vocabulary is known after opening, the context has to be before: count first.
static hearth_status count_ids(const char *text, size_t *n, hearth_err *err)
{
    tok_ids ids = {0};
    hearth_status st = parse_ids(str_from(text), INT32_MAX, &ids, err);
    *n = ids.n;
    tok_ids_release(&ids);
    if (st == HEARTH_OK && *n == 0) st = err_fail(err, HEARTH_E_ARG, "no token ids");
    err_prefix(err, "option '--tokens': ");
    return st;
}

hearth_status cmd_debug_logits(cli *c, void *args, hearth_err *err)
{
    const logits_args *a = args;
    size_t n;
    if (!a->tokens) return cli_usage(c, err, "--tokens is missing");
    if (!a->out) return cli_usage(c, err, "--out is missing");
    hearth_status st = count_ids(a->tokens, &n, err);
    c->is_usage = st != HEARTH_OK;
    if (st != HEARTH_OK) return st;
    engine_args ea = {.threads = a->threads, .ctx = (int64_t)n, .batch = a->batch, .cache_k = 0,
                      .cache_v = 0, .in_process = a->in_process, .cpu = a->cpu};
    engine_options o;
    engine *e = NULL;
    tok_ids ids = {0};
    HEARTH_TRY(fill_engine_options(c, &ea, &o, err));
    o.n_logits = a->batch;
    HEARTH_TRY(open_engine(a->common.words[0], &o, &e, NULL, err));
    st = parse_ids(str_from(a->tokens), engine_get_info(e)->n_vocab, &ids, err);
    if (st == HEARTH_OK) {
        st = compute(e, a, &ids, err);
    } else {
        err_prefix(err, "option '--tokens': ");
    }
    if (st == HEARTH_OK && a->common.json) {
        out_printf(c, "{\"shape\": [%zu, %lld]}\n", ids.n, (long long)engine_get_info(e)->n_vocab);
    }
    tok_ids_release(&ids);
    engine_close(e);
    return st;
}
