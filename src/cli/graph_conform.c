// `hearth graph conform DIR`: the official ONNX tests, counted as passed, failed, not attempted.
//
//   DIR/**/test_<name>/model.onnx
//                      test_data_set_<n>/input_<k>.pb, output_<k>.pb      TensorProto
//   DIR/real/test_<name>/data.json     names light/light_<model>.onnx; the input is i / n for item
//                                      i of n, the result light_<model>_output_<k>.pb
//
// The comparison is the official runner's: same type and shape, |a - b| <= atol + rtol |b| with one
// tolerance for all tests, strings and integers exact where they are; two NaNs are equal. "Not
// attempted" is what the engine refuses as unsupported, with its message as the reason.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/graph_files.h"
#include "kern/half.h"

static const double rel_tolerance = 1e-3, abs_tolerance = 1e-7;
enum { TESTS_MAX = 1 << 16, IO_MAX = 4096, NAME_BYTES = 512 };

typedef enum verdict { PASSED, FAILED, NOT_ATTEMPTED, VERDICTS } verdict;
static const char *const verdict_names[VERDICTS] = {"passed", "failed", "not_attempted"};

typedef struct conform_class { char name[64]; int n[VERDICTS]; } conform_class;
enum { CLASSES_MAX = 16 };

typedef struct conform {
    cli *c;
    const graph_conform_args *args;
    const char *root;
    char **dirs; // [n_dirs], relative to root
    int n_dirs, cap_dirs;
    arena names;
    conform_class classes[CLASSES_MAX];
    int n_classes;
    int total[VERDICTS];
    json_writer json;
} conform;

// --- comparison ---------------------------------------------------------------------------------

static double item_of(const tensor *t, int64_t i)
{
    const uint16_t *h = t->data;
    switch (t->type) {
    case T_F16: return (double)f16_to_f32(h[i]);
    case T_BF16: return (double)bf16_to_f32(h[i]);
    case T_F8E4M3FN: case T_F8E4M3FNUZ: case T_F8E5M2: case T_F8E5M2FNUZ: case T_U4: case T_I4:
    case T_F4E2M1: case T_F8E8M0: case T_U2: case T_I2:
        return small_decode(t->type, ((const uint8_t *)t->data)[i]);
    default: return tensor_number(t, i);
    }
}

static bool is_close(double have, double want)
{
    if (isnan(want) || isnan(have)) return isnan(want) && isnan(have);
    if (isinf(want) || isinf(have)) return have == want;
    return fabs(have - want) <= abs_tolerance + rel_tolerance * fabs(want);
}

static hearth_status compare(const tensor *have, const tensor *want, int k, hearth_err *err)
{
    if (have->type != want->type) {
        return err_fail(err, HEARTH_E_VERIFY, "output %d: type %s, expected %s", k,
                        elem_name(have->type), elem_name(want->type));
    }
    if (!tensor_same_shape(have, want)) {
        return err_fail(err, HEARTH_E_VERIFY, "output %d: other shape than expected", k);
    }
    int64_t n = tensor_items(have);
    for (int64_t i = 0; i < n; i++) {
        if (have->type == T_STRING) {
            if (str_eq(((const str *)have->data)[i], ((const str *)want->data)[i])) continue;
            return err_fail(err, HEARTH_E_VERIFY, "output %d: string %lld", k, (long long)i);
        }
        double a = item_of(have, i), b = item_of(want, i);
        if (is_close(a, b)) continue;
        return err_fail(err, HEARTH_E_VERIFY, "output %d: value %lld is %.9g, expected %.9g", k,
                        (long long)i, a, b);
    }
    return HEARTH_OK;
}

// --- one test -----------------------------------------------------------------------------------

typedef struct case_state {
    const char *outputs;       // folder for .npy files, or NULL
    char model[LIMIT_PATH];    // the .onnx
    char inputs[LIMIT_PATH];   // in front of "<k>.pb"; "" makes them up
    char expected[LIMIT_PATH]; // in front of "<k>.pb"
    graph_file file;
    graph_session *session;
    arena memory;
    tensor given[IO_MAX], want;
    const tensor *in[IO_MAX];
} case_state;

static hearth_status make_ramp(case_state *s, int i, hearth_err *err)
{
    tensor *t = &s->given[i];
    const graph_port *p = graph_input(s->file.g, i);
    *t = p->t;
    if (t->type != T_F32 || t->n_dims < 0) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "an input of unknown shape to make up");
    }
    for (int d = 0; d < t->n_dims; d++) t->dim[d] = t->dim[d] < 0 ? 1 : t->dim[d];
    int64_t n = tensor_items(t);
    float *x = arena_new(&s->memory, float, (size_t)n);
    if (!x) return err_fail(err, HEARTH_E_NOMEM, "out of memory for an input");
    for (int64_t k = 0; k < n; k++) x[k] = (float)((double)k / (double)n);
    t->data = x;
    s->in[i] = t;
    return HEARTH_OK;
}

static hearth_status load_input(case_state *s, int i, hearth_err *err)
{
    char path[LIMIT_PATH + 32];
    s->in[i] = NULL;
    if (!*s->inputs) {
        return graph_input(s->file.g, i)->has_default ? HEARTH_OK : make_ramp(s, i, err);
    }
    snprintf(path, sizeof path, "%s%d.pb", s->inputs, i);
    if (os_path_kind(path, NULL) != OS_KIND_FILE) return HEARTH_OK;
    s->in[i] = &s->given[i];
    return tensor_from_pb(path, &s->memory, &s->given[i], err);
}

static hearth_status check_outputs(case_state *s, hearth_err *err)
{
    char path[LIMIT_PATH + 32];
    for (int k = 0; k < graph_output_count(s->file.g); k++) {
        if (s->outputs) {
            snprintf(path, sizeof path, "%s/output_%d.npy", s->outputs, k);
            HEARTH_TRY(tensor_to_npy(path, graph_result(s->session, k), err));
        }
        snprintf(path, sizeof path, "%s%d.pb", s->expected, k);
        HEARTH_TRY(tensor_from_pb(path, &s->memory, &s->want, err));
        HEARTH_TRY(compare(graph_result(s->session, k), &s->want, k, err));
    }
    return HEARTH_OK;
}

static hearth_status run_steps(case_state *s, hearth_err *err)
{
    HEARTH_TRY(graph_file_open(s->model, &s->file, err));
    if (graph_input_count(s->file.g) > IO_MAX) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "more than %d inputs", IO_MAX);
    }
    for (int i = 0; i < graph_input_count(s->file.g); i++) HEARTH_TRY(load_input(s, i, err));
    HEARTH_TRY(graph_prepare(s->file.g, s->in, &s->session, err));
    HEARTH_TRY(graph_run(s->session, s->in, err));
    if (s->outputs) HEARTH_TRY(os_mkdirs(s->outputs, err));
    return check_outputs(s, err);
}

static hearth_status run_case(case_state *s, hearth_err *err)
{
    arena_init(&s->memory, MEM_MISC, LIMIT_GRAPH_MEMORY);
    hearth_status st = run_steps(s, err);
    graph_session_free(s->session);
    graph_file_close(&s->file);
    arena_release(&s->memory);
    return st;
}

// data.json: {"url": "onnx/backend/test/data/light/light_x.onnx", ...}
static bool find_light(const char *json, char *name, size_t cap)
{
    buf text;
    hearth_err err = ERR_INIT;
    buf_init(&text, MEM_MISC, 1 << 20);
    size_t at = SIZE_MAX, end = SIZE_MAX;
    if (read_file(json, &text, &err) == HEARTH_OK) {
        at = str_find(buf_str(&text), STR("light/"), 0);
        if (at != SIZE_MAX) end = str_find(buf_str(&text), STR(".onnx"), at);
    }
    bool ok = end != SIZE_MAX && end - at < cap;
    if (ok) {
        memcpy(name, text.p + at, end - at);
        name[end - at] = 0;
    }
    buf_release(&text);
    return ok;
}

static hearth_status run_dir(const conform *f, const char *dir, case_state *s, hearth_err *err)
{
    char path[LIMIT_PATH], light[128];
    snprintf(s->model, sizeof s->model, "%s/%s/model.onnx", f->root, dir);
    snprintf(s->inputs, sizeof s->inputs, "%s/%s/test_data_set_0/input_", f->root, dir);
    snprintf(s->expected, sizeof s->expected, "%s/%s/test_data_set_0/output_", f->root, dir);
    snprintf(path, sizeof path, "%s/%s/data.json", f->root, dir);
    if (find_light(path, light, sizeof light)) {
        s->inputs[0] = 0;
        snprintf(s->model, sizeof s->model, "%s/%s/../../%s.onnx", f->root, dir, light);
        snprintf(s->expected, sizeof s->expected, "%s/%s/../../%s_output_", f->root, dir, light);
    }
    return run_case(s, err);
}

static verdict judge(hearth_status st)
{
    if (st == HEARTH_OK) return PASSED;
    return st == HEARTH_E_UNSUPPORTED ? NOT_ATTEMPTED : FAILED;
}

// --- counting -----------------------------------------------------------------------------------

// The class of a test is the folder that it is in.
static conform_class *class_of(conform *f, const char *dir)
{
    char name[64] = "tests";
    const char *slash = strrchr(dir, '/');
    if (slash) {
        size_t n = size_min((size_t)(slash - dir), sizeof name - 1);
        memcpy(name, dir, n);
        name[n] = 0;
    }
    for (int i = 0; i < f->n_classes; i++) {
        if (strcmp(f->classes[i].name, name) == 0) return &f->classes[i];
    }
    if (f->n_classes == CLASSES_MAX) return &f->classes[CLASSES_MAX - 1];
    conform_class *k = &f->classes[f->n_classes++];
    memcpy(k->name, name, sizeof name);
    return k;
}

// The message without the path in front, which only says what the name says.
static const char *reason_of(const hearth_err *err)
{
    const char *cut = strstr(err->msg, ".onnx: ");
    return cut ? cut + strlen(".onnx: ") : err->msg;
}

static void report(conform *f, const char *dir, verdict v, const hearth_err *err)
{
    f->total[v]++;
    class_of(f, dir)->n[v]++;
    if (f->args->common.json) {
        json_write_object(&f->json);
        put_text(&f->json, "test", str_from(dir));
        put_text(&f->json, "verdict", str_from(verdict_names[v]));
        if (v != PASSED) put_text(&f->json, "reason", str_from(reason_of(err)));
        json_write_object_end(&f->json);
    } else if (v != PASSED) {
        out_printf(f->c, "%-14s %s: %s\n", verdict_names[v], dir, reason_of(err));
    }
}

static hearth_status run_all(conform *f, hearth_err *err)
{
    char outputs[LIMIT_PATH];
    case_state *s = mem_alloc(MEM_MISC, sizeof *s);
    if (!s) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    for (int i = 0; i < f->n_dirs; i++) {
        hearth_err why = ERR_INIT;
        memset(s, 0, sizeof *s);
        const char *slash = strrchr(f->dirs[i], '/');
        snprintf(outputs, sizeof outputs, "%s/%s", f->args->outputs ? f->args->outputs : "",
                 slash ? slash + 1 : f->dirs[i]);
        s->outputs = f->args->outputs ? outputs : NULL;
        progress_show(f->c, "%d of %d  %s", i + 1, f->n_dirs, f->dirs[i]);
        hearth_status st = run_dir(f, f->dirs[i], s, &why);
        if (st == HEARTH_E_NOMEM) err_clear(err);
        report(f, f->dirs[i], judge(st), &why);
    }
    progress_clear(f->c);
    mem_free(s);
    return HEARTH_OK;
}

static void print_totals(conform *f)
{
    for (int i = 0; i < f->n_classes; i++) {
        const conform_class *k = &f->classes[i];
        out_printf(f->c, "%-20s %5d passed %5d failed %5d not attempted\n", k->name, k->n[PASSED],
                   k->n[FAILED], k->n[NOT_ATTEMPTED]);
    }
    out_printf(f->c, "%-20s %5d passed %5d failed %5d not attempted\n", "total", f->total[PASSED],
               f->total[FAILED], f->total[NOT_ATTEMPTED]);
}

// --- finding the tests --------------------------------------------------------------------------

enum { SEARCH_DEPTH = 8 }; // "onnx/backend/test/data/node/test_x" below the folder of the archive
typedef struct search { conform *f; char at[NAME_BYTES]; int depth; bool failed; } search;

static bool has_file(const conform *f, const char *dir, const char *name)
{
    char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/%s/%s", f->root, dir, name);
    return os_path_kind(path, NULL) == OS_KIND_FILE;
}

static bool add_dir(conform *f, const char *dir)
{
    const char *filter = f->args->filter;
    if (filter && !strstr(dir, filter)) return true;
    if (f->n_dirs == f->cap_dirs) {
        int cap = f->cap_dirs ? 2 * f->cap_dirs : 256;
        char **grown = mem_realloc(MEM_MISC, f->dirs, (size_t)cap * sizeof *grown);
        if (!grown) return false;
        f->dirs = grown;
        f->cap_dirs = cap;
    }
    f->dirs[f->n_dirs] = arena_copy_string(&f->names, dir, strlen(dir));
    return f->dirs[f->n_dirs++] && f->n_dirs < TESTS_MAX;
}

static bool visit(void *ctx, const char *name)
{
    search *up = ctx, s = {up->f, "", up->depth + 1, false};
    char path[LIMIT_PATH];
    int n = snprintf(s.at, sizeof s.at, "%s%s%s", up->at, *up->at ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof s.at || s.depth > SEARCH_DEPTH) return true;
    snprintf(path, sizeof path, "%s/%s", s.f->root, s.at);
    if (os_path_kind(path, NULL) != OS_KIND_DIR) return true;
    bool is_test = strncmp(name, "test_", 5) == 0;
    if (is_test && (has_file(s.f, s.at, "model.onnx") || has_file(s.f, s.at, "data.json"))) {
        up->failed |= !add_dir(s.f, s.at);
        return !up->failed;
    }
    up->failed |= os_list_dir(path, visit, &s, NULL) != HEARTH_OK || s.failed;
    return !up->failed;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static hearth_status find_tests(conform *f, hearth_err *err)
{
    search s = {f, "", 0, false};
    HEARTH_TRY(os_list_dir(f->root, visit, &s, err));
    if (s.failed) return err_fail(err, HEARTH_E_LIMIT, "too many tests in '%s'", f->root);
    if (f->n_dirs == 0) {
        return err_fail(err, HEARTH_E_NOTFOUND, "no ONNX tests (test_*/model.onnx) in '%s'",
                        f->root);
    }
    qsort(f->dirs, (size_t)f->n_dirs, sizeof *f->dirs, compare_names);
    return HEARTH_OK;
}

static void begin_json(conform *f)
{
    json_write_init(&f->json, &f->c->out);
    json_write_object(&f->json);
    json_write_key(&f->json, "tests");
    json_write_array(&f->json);
}

static void end_json(conform *f)
{
    json_write_array_end(&f->json);
    for (int v = 0; v < VERDICTS; v++) put_i64(&f->json, verdict_names[v], f->total[v]);
    json_write_object_end(&f->json);
    out_bytes(f->c, STR("\n"));
}

static hearth_status conform_all(conform *f, hearth_err *err)
{
    bool json = f->args->common.json;
    HEARTH_TRY(find_tests(f, err));
    if (json) begin_json(f);
    HEARTH_TRY(run_all(f, err));
    if (json) {
        end_json(f);
    } else {
        print_totals(f);
    }
    if (f->total[PASSED] >= f->args->at_least) return HEARTH_OK;
    return err_fail(err, HEARTH_E_VERIFY, "%d tests passed, at least %d were asked for",
                    f->total[PASSED], f->args->at_least);
}

hearth_status cmd_graph_conform(cli *c, void *args, hearth_err *err)
{
    const graph_conform_args *a = args;
    conform f = {.c = c, .args = a, .root = a->common.words[0]};
    arena_init(&f.names, MEM_MISC, LIMIT_GRAPH_MEMORY);
    hearth_status st = conform_all(&f, err);
    mem_free(f.dirs);
    arena_release(&f.names);
    return st;
}
