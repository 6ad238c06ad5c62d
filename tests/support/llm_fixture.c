// See llm_fixture.h.
#include "support/llm_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "kern/kern.h"
#include "support/closed_dev.h"
#include "support/test_data.h"

fixture_options fixture_default(void)
{
    return (fixture_options){
        .n_threads = 1,
        .cpu = CPU_ALL,
        .ctx = {.n_ctx = 512, .n_seq = 1, .n_batch = 512, .n_logits = 512,
                .type_k = DTYPE_F32, .type_v = DTYPE_F32},
    };
}

static hearth_status open_device(const fixture_options *o, dev **out, hearth_err *err)
{
    HEARTH_TRY(dev_cpu_open(o->n_threads, o->cpu, out, err));
    if (!o->is_closed) return HEARTH_OK;
    dev *inner = *out;
    hearth_status s = closed_dev_open(inner, out, err);
    if (s != HEARTH_OK) dev_close(inner);
    return s;
}

static hearth_status open_parts(fixture *f, size_t n, const fixture_options *o, hearth_err *err)
{
    const gguf_bytes part = {"model.gguf", f->file.data, n};
    HEARTH_TRY(gguf_open(&part, 1, &f->g, err));
    HEARTH_TRY(open_device(o, &f->d, err));
    HEARTH_TRY(llm_model_open(f->g, f->d, &o->part, &f->m, err));
    if (o->adapter) HEARTH_TRY(llm_model_adapt(f->m, o->adapter, o->adapter_scale, err));
    if (o->is_closed) os_guarded_protect(&f->file, false, false);
    return o->ctx.n_ctx ? llm_ctx_create(f->m, &o->ctx, &f->c, err) : HEARTH_OK;
}

hearth_status fixture_open(fixture *f, const void *bytes, size_t n, const fixture_options *o,
                           hearth_err *err)
{
    *f = (fixture){0};
    // 64-byte steps keep the start aligned as a mapping would be, whatever the size.
    HEARTH_TRY(os_guarded_create(align_up(n, 64), true, &f->file, err));
    memcpy(f->file.data, bytes, n);
    hearth_status s = open_parts(f, n, o, err);
    if (s != HEARTH_OK) fixture_close(f);
    return s;
}

void fixture_close(fixture *f)
{
    llm_ctx_free(f->c);
    llm_model_close(f->m);
    dev_close(f->d);
    if (f->file.data) os_guarded_protect(&f->file, true, true);
    gguf_close(f->g);
    os_guarded_free(&f->file);
    *f = (fixture){0};
}

hearth_status fixture_logits(fixture *f, llm_seq s, const int32_t *ids, int from, int n, int batch,
                             float *out, hearth_err *err)
{
    size_t n_vocab = (size_t)llm_model_config(f->m)->n_vocab;
    llm_row *row = calloc((size_t)batch, sizeof *row);
    if (!row) return HEARTH_E_NOMEM;
    hearth_status status = HEARTH_OK;
    for (int done = from; done < n && status == HEARTH_OK; done += batch) {
        int rows = int_min(batch, n - done);
        for (int i = 0; i < rows; i++)
            row[i] = (llm_row){.seq = s, .pos = done + i, .token = ids[done + i],
                               .want = LLM_WANT_LOGITS};
        status = llm_step(f->c, row, rows, err);
        for (int i = 0; i < rows && status == HEARTH_OK; i++, out += n_vocab)
            memcpy(out, llm_logits(f->c, i), n_vocab * sizeof *out);
    }
    free(row);
    return status;
}

unsigned char *fixture_data(const char *name, size_t *n)
{
    char path[1024];
    return test_data_path(name, path, sizeof path) ? test_read_file(path, n) : NULL;
}
