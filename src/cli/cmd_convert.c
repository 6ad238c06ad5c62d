// `hearth convert`: a Hugging Face folder as a GGUF file, streamed (hf/hf.h).
//
// Before a byte is written, the folder is opened as a model: what lacks a tensor or has one of
// another shape than its family computes with is refused at once, not when the file is run.
#include "cli/args.h"
#include "hf/hf.h"
#include "kern/kern.h"
#include "llm/llm.h"
#include "os/os.h"

static hearth_status write_bytes(void *ctx, const void *p, size_t n, hearth_err *err)
{
    if (os_interrupted()) return err_fail(err, HEARTH_E_CANCELED, "interrupted");
    return safe_write(ctx, p, n, err);
}

static void show_share(void *ctx, uint64_t done, uint64_t total)
{
    char a[16], b[16];
    progress_show(ctx, "writing %s of %s", format_bytes(done, a), format_bytes(total, b));
}

static hf_convert_options choose(cli *c, const convert_args *a)
{
    static const dtype types[] = {DTYPE_BF16, DTYPE_F16, DTYPE_BF16, DTYPE_F32, DTYPE_Q8_0};
    ASSERT(a->type >= 0 && (size_t)a->type < COUNTOF(types));
    return (hf_convert_options){.is_auto = a->type == 0, .type = types[a->type],
                                .progress = show_share, .progress_ctx = c};
}

static hearth_status write_file(cli *c, const convert_args *a, hf_model *m, hearth_err *err)
{
    safe_file *f = NULL;
    hf_convert_options o = choose(c, a);
    HEARTH_TRY(safe_open(a->common.words[1], &f, err));
    hearth_status s = hf_convert(m, &o, write_bytes, f, err);
    progress_clear(c);
    if (s == HEARTH_OK) return safe_commit(f, err);
    safe_abort(f);
    return s;
}

static hearth_status check_model(const char *folder, hf_model *m, hearth_err *err)
{
    gguf *view = NULL;
    dev *d = NULL;
    llm_model *model = NULL;
    const llm_model_options all = {0};
    hearth_status s = hf_view_shapes(m, &view, err);
    if (s == HEARTH_OK) s = dev_cpu_open(1, CPU_ALL, &d, err);
    if (s == HEARTH_OK) s = llm_model_open(view, d, &all, &model, err);
    if (s != HEARTH_OK && !str_starts(str_from(err->msg), str_from(folder)))
        err_prefix(err, "%s: ", folder);
    llm_model_close(model);
    dev_close(d);
    gguf_close(view);
    return s;
}

hearth_status cmd_convert(cli *c, void *args, hearth_err *err)
{
    const convert_args *a = args;
    const char *folder = a->common.words[0];
    hf_model *m = NULL;
    HEARTH_TRY(check_model_path(folder, err));
    if (!hf_is_model(folder))
        return err_fail(err, HEARTH_E_ARG, "%s: is no folder of a Hugging Face model", folder);
    os_interrupt_catch();
    HEARTH_TRY(hf_open(folder, &m, err));
    hearth_status s = check_model(folder, m, err);
    if (s == HEARTH_OK) s = write_file(c, a, m, err);
    hf_close(m);
    return s;
}
