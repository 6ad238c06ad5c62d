// `hearth graph show` and `hearth graph run`: ONNX models as a listing, and run on .npy files.
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/graph_files.h"

hearth_status cmd_graph_show(cli *c, void *args, hearth_err *err)
{
    const cli_args *a = args;
    graph_file f;
    HEARTH_TRY(graph_file_open(a->words[0], &f, err));
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    hearth_status st = graph_print(f.g, NULL, &text);
    if (st == HEARTH_OK) out_text(c, buf_str(&text));
    buf_release(&text);
    graph_file_close(&f);
    return st == HEARTH_OK ? HEARTH_OK : err_fail(err, st, "out of memory for the listing");
}

// --- run ----------------------------------------------------------------------------------------

typedef struct run_state {
    cli *c;
    graph_file file;
    graph_session *session;
    arena memory;
    tensor *given;          // [inputs]
    const tensor **inputs;  // [inputs], NULL where nothing was given
} run_state;

static int find_input(const graph *g, str name)
{
    for (int i = 0; i < graph_input_count(g); i++) {
        if (str_eq(graph_input(g, i)->name, name)) return i;
    }
    return -1;
}

// "name=file.npy"; without a name, the next input in order.
static hearth_status read_input(run_state *r, int k, const char *text, hearth_err *err)
{
    str rest = str_from(text), name = str_cut(&rest, '=');
    bool named = rest.n > 0;
    int i = named ? find_input(r->file.g, name) : k;
    if (i < 0 || i >= graph_input_count(r->file.g)) {
        return err_fail(err, HEARTH_E_ARG, "the model has no input '%.*s'", STR_ARG(name));
    }
    const char *path = named ? rest.p : text;
    bool is_pb = str_ends(str_from(path), STR(".pb"));
    r->inputs[i] = &r->given[i];
    return is_pb ? tensor_from_pb(path, &r->memory, &r->given[i], err)
                 : tensor_from_npy(path, &r->memory, &r->given[i], err);
}

static hearth_status read_inputs(run_state *r, const opt_list *list, hearth_err *err)
{
    size_t n = (size_t)graph_input_count(r->file.g);
    r->given = arena_new(&r->memory, tensor, n);
    r->inputs = arena_new(&r->memory, const tensor *, n);
    if (!r->given || !r->inputs) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    for (int k = 0; k < list->n; k++) HEARTH_TRY(read_input(r, k, list->v[k], err));
    return HEARTH_OK;
}

// Names of values may hold anything; only harmless bytes reach the file system.
static void file_name_of(str name, char *out, size_t cap)
{
    size_t n = size_min(name.n, cap - 1);
    for (size_t i = 0; i < n; i++) {
        char ch = name.p[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || ch == '_' || ch == '-';
        out[i] = plain ? ch : '_';
    }
    out[n] = 0;
}

static hearth_status write_outputs(run_state *r, const char *dir, hearth_err *err)
{
    if (dir) HEARTH_TRY(os_mkdirs(dir, err));
    for (int i = 0; i < graph_output_count(r->file.g); i++) {
        char name[128], path[LIMIT_PATH];
        const tensor *t = graph_result(r->session, i);
        file_name_of(graph_output(r->file.g, i)->name, name, sizeof name);
        out_printf(r->c, "%s %s", name, elem_name(t->type));
        for (int d = 0; d < t->n_dims; d++) {
            out_printf(r->c, "%s%lld", d ? "x" : " ", (long long)t->dim[d]);
        }
        out_bytes(r->c, STR("\n"));
        if (!dir) continue;
        snprintf(path, sizeof path, "%s/%s.npy", dir, name);
        HEARTH_TRY(tensor_to_npy(path, t, err));
    }
    return HEARTH_OK;
}

static hearth_status run_model(run_state *r, const graph_run_args *a, hearth_err *err)
{
    HEARTH_TRY(graph_file_open(a->common.words[0], &r->file, err));
    HEARTH_TRY(read_inputs(r, &a->inputs, err));
    HEARTH_TRY(graph_prepare(r->file.g, r->inputs, &r->session, err));
    HEARTH_TRY(graph_run(r->session, r->inputs, err));
    return write_outputs(r, a->output, err);
}

hearth_status cmd_graph_run(cli *c, void *args, hearth_err *err)
{
    run_state r = {.c = c};
    arena_init(&r.memory, MEM_MISC, LIMIT_GRAPH_MEMORY);
    hearth_status st = run_model(&r, args, err);
    graph_session_free(r.session);
    graph_file_close(&r.file);
    arena_release(&r.memory);
    return st;
}
