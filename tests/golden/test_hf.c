// Hugging Face folders of the seeded models: logits of the folder itself and of the GGUF made of
// it, and that GGUF's keys and tensors against those of llama.cpp's converter
// (golden/hf/gen_hf_goldens.py).
//
// Bounds: 1e-4 of the range of the golden logits for the folder; the same for the file where it
// keeps the folder's types. Keys that the converter writes must be there with the same type and
// bytes; tensors must be the same ones, with the same type, shape and bytes. Long rotation factors
// and numbers that follow from them are given to a few bits only by either side.
#define _GNU_SOURCE // mkdtemp
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <math.h>

#include "fmt/npy.h"
#include "hf/hf.h"
#include "kern/kern.h"
#include "llm/llm.h"
#include "support/hf_folder.h"
#include "support/test_data.h"

static conf folders;
static const char *const set_names[] = {
    "golden/llm/cases.json",       "golden/llm/arch_cases.json",  "golden/llm/plain_cases.json",
    "golden/llm/latent_cases.json", "golden/llm/recurrent_cases.json",
};
enum { SETS = sizeof set_names / sizeof *set_names };
static golden_set sets[SETS];

static const golden_case *find_model(const char *name)
{
    for (int s = 0; s < SETS; s++)
        for (int i = 0; i < sets[s].n; i++)
            if (!strcmp(sets[s].cases[i].name, name)) return &sets[s].cases[i];
    fail_msg("no case %s", name);
    return NULL;
}

// --- logits -------------------------------------------------------------------------------------

static void run_model(const gguf *g, const golden_case *c, float *out)
{
    hearth_err err = ERR_INIT;
    dev *d = NULL;
    llm_model *m = NULL;
    llm_ctx *ctx = NULL;
    llm_ctx_options o;
    llm_seq seq = 0;
    llm_ctx_options_default(&o);
    o.n_ctx = o.n_batch = o.n_logits = c->n_tokens;
    o.type_k = o.type_v = DTYPE_F32;
    if (dev_cpu_open(2, CPU_ALL, &d, &err) ||
        llm_model_open(g, d, &(llm_model_options){0, 0}, &m, &err) ||
        llm_ctx_create(m, &o, &ctx, &err) || llm_seq_new(ctx, &seq, &err))
        fail_msg("%s: %s", c->name, err.msg);
    llm_row rows[GOLDEN_MAX_TOKENS];
    size_t row_bytes = (size_t)llm_model_config(m)->n_vocab * sizeof *out;
    for (int i = 0; i < c->n_tokens; i++)
        rows[i] = (llm_row){.seq = seq, .pos = i, .token = c->tokens[i], .want = LLM_WANT_LOGITS};
    if (llm_step(ctx, rows, c->n_tokens, &err)) fail_msg("%s: %s", c->name, err.msg);
    for (int i = 0; i < c->n_tokens; i++)
        memcpy((uint8_t *)out + (size_t)i * row_bytes, llm_logits(ctx, i), row_bytes);
    llm_ctx_free(ctx);
    llm_model_close(m);
    dev_close(d);
}

// The greatest difference to the golden, as a share of its range.
static double compare_logits(const gguf *g, const golden_case *c)
{
    char file[128], path[512];
    size_t n = 0;
    npy a;
    snprintf(file, sizeof file, "golden/llm/%s.npy", c->name);
    test_source_path(file, path, sizeof path);
    unsigned char *bytes = test_read_file(path, &n);
    assert_non_null(bytes);
    assert_int_equal(npy_parse(bytes, n, &a, NULL), HEARTH_OK);
    const float *want = (const float *)(const void *)a.data;
    float *ours = calloc(a.bytes, 1), low = want[0], high = want[0];
    assert_non_null(ours);
    run_model(g, c, ours);
    double worst = 0;
    for (size_t i = 0; i < a.bytes / sizeof(float); i++) {
        double d = fabs((double)ours[i] - (double)want[i]);
        if (!(d <= worst)) worst = d;
        low = f32_min(low, want[i]);
        high = f32_max(high, want[i]);
    }
    free(ours);
    free(bytes);
    return worst / (double)(high - low);
}

// --- keys and tensors ---------------------------------------------------------------------------

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int b = 0; b < 8; b++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

// Of a value's bytes in the file, an array's without its head.
static uint32_t key_crc(const gguf_kv *kv) { return crc32_of(kv->data, kv->data_bytes); }

static int64_t item(const hf_case *c, const char *list, int64_t i, const char *field, str *text)
{
    char path[96];
    int64_t v = -1;
    snprintf(path, sizeof path, "%s.%s.%lld.%s", c->at, list, (long long)i, field);
    conf_i64(&folders, path, &v);
    if (text) *text = (str){0};
    if (text) conf_str(&folders, path, text);
    return v;
}

static int64_t count_items(const hf_case *c, const char *list)
{
    char path[64];
    snprintf(path, sizeof path, "%s.%s", c->at, list);
    const conf_value *v = conf_find(&folders, path);
    assert_non_null(v);
    return v->n;
}

// The first is computed from lengths by both sides, in their own precision; for the second the
// converter takes four times the model's width, whatever config.json says.
static bool is_loose_key(str name)
{
    return str_eq_z(name, "phi3.rope.scaling.attn_factor") ||
           str_eq_z(name, "phi2.feed_forward_length");
}

// Ids of CodeGemma, which the converter writes into every file of the first gemma.
static bool is_code_key(const hf_case *c, str name)
{
    static const char *const kinds[] = {"prefix", "suffix", "middle", "fsep", "eot"};
    for (size_t i = 0; i < COUNTOF(kinds) && !strcmp(c->model->arch, "gemma"); i++) {
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", kinds[i]);
        if (str_eq_z(name, key)) return true;
    }
    return false;
}

static void check_keys(const hf_case *c, const gguf *g)
{
    int64_t n = count_items(c, "keys");
    assert_true(n > 15);
    for (int64_t i = 0; i < n; i++) {
        str name, type;
        char key[96];
        item(c, "keys", i, "0", &name);
        item(c, "keys", i, "1", &type);
        snprintf(key, sizeof key, "%.*s", STR_ARG(name));
        const gguf_kv *kv = gguf_find(g, key);
        if (is_code_key(c, name)) continue;
        if (!kv) fail_msg("%s: key '%s' is missing", c->name, key);
        const char *found = gguf_type_name(kv->type);
        const char *kind = *found == 'u' ? "uint" : *found == 'i' ? "int" : "float";
        char long_name[16]; // the package says "uint32" and "float32"
        snprintf(long_name, sizeof long_name, "%s%s", kind, found + 1);
        if (!str_eq_z(type, found) && !str_eq_z(type, long_name))
            fail_msg("%s: key '%s' is %s", c->name, key, found);
        if (!is_loose_key(name) && (int64_t)key_crc(kv) != item(c, "keys", i, "2", NULL))
            fail_msg("%s: key '%s' has another value", c->name, key);
    }
}

static void check_tensors(const hf_case *c, const gguf *g)
{
    int64_t n = count_items(c, "tensors");
    assert_int_equal((int64_t)gguf_tensor_count(g), n);
    for (int64_t i = 0; i < n; i++) {
        str name, type;
        char key[96], field[16];
        item(c, "tensors", i, "0", &name);
        item(c, "tensors", i, "1", &type);
        snprintf(key, sizeof key, "%.*s", STR_ARG(name));
        const gguf_tensor *t = gguf_find_tensor(g, key);
        if (!t) fail_msg("%s: tensor '%s' is missing", c->name, key);
        if (!str_eq_z(type, dtype_get(t->type)->name))
            fail_msg("%s: tensor '%s' is %s", c->name, key, dtype_get(t->type)->name);
        for (int d = 0; d < t->n_dims; d++) {
            snprintf(field, sizeof field, "2.%d", d);
            assert_int_equal(t->dim[d], item(c, "tensors", i, field, NULL));
        }
        if ((int64_t)crc32_of(t->data, t->bytes) != item(c, "tensors", i, "3", NULL))
            fail_msg("%s: tensor '%s' has other bytes", c->name, key);
    }
}

// --- both routes --------------------------------------------------------------------------------

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    return buf_append(ctx, p, n) == HEARTH_OK ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "test");
}

static void convert(hf_model *m, bool is_auto, const char *type, buf *out)
{
    hearth_err err = ERR_INIT;
    hf_convert_options o = {.is_auto = is_auto};
    assert_true(is_auto || dtype_from_name(type, &o.type));
    buf_init(out, MEM_TEST, (size_t)1 << 30);
    if (hf_convert(m, &o, append, out, &err) != HEARTH_OK) fail_msg("%s", err.msg);
}

static gguf *open_bytes(const buf *b)
{
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    gguf_bytes bytes = {NULL, (const uint8_t *)b->p, b->n};
    if (gguf_open(&bytes, 1, &g, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return g;
}

// The type that keeps a case's weights as they are.
static void check_logits(const hf_case *c, hf_model *m)
{
    hearth_err err = ERR_INIT;
    gguf *view = NULL;
    buf file;
    if (hf_view(m, &view, &err) != HEARTH_OK) fail_msg("%s: %s", c->name, err.msg);
    double folder = compare_logits(view, c->model);
    gguf_close(view);
    convert(m, false, c->model->type, &file);
    gguf *g = open_bytes(&file);
    double made = compare_logits(g, c->model);
    gguf_close(g);
    buf_release(&file);
    printf("  %-14s folder %.2e, file %.2e of the range\n", c->name, folder, made);
    if (!(folder <= 1e-4 && made <= 1e-4)) fail_msg("%s: more than 1e-4 of the range", c->name);
}

static void check_file(const hf_case *c, hf_model *m)
{
    buf file;
    str type;
    char path[64], name[16];
    snprintf(path, sizeof path, "%s.type", c->at);
    assert_true(conf_str(&folders, path, &type));
    snprintf(name, sizeof name, "%.*s", STR_ARG(type));
    convert(m, false, name, &file);
    gguf *g = open_bytes(&file);
    check_keys(c, g);
    check_tensors(c, g);
    gguf_close(g);
    buf_release(&file);
}

static void check_case(int64_t i)
{
    hf_case c = {.all = &folders};
    str name;
    char path[64], dir[] = "/tmp/hearth-hf-XXXXXX";
    snprintf(c.at, sizeof c.at, "cases.%lld", (long long)i);
    snprintf(path, sizeof path, "%s.name", c.at);
    assert_true(conf_str(&folders, path, &name));
    snprintf(c.name, sizeof c.name, "%.*s", STR_ARG(name));
    c.model = find_model(c.name);
    assert_non_null(mkdtemp(dir));
    assert_true(hf_folder_make(&c, dir));
    assert_true(hf_is_model(dir));
    hf_model *m = NULL;
    hearth_err err = ERR_INIT;
    if (hf_open(dir, &m, &err) != HEARTH_OK) fail_msg("%s: %s", c.name, err.msg);
    check_logits(&c, m);
    check_file(&c, m);
    hf_close(m);
    hf_folder_remove(dir);
}

static void test_folders(void **state)
{
    (void)state;
    int64_t n = conf_find(&folders, "cases")->n;
    assert_int_equal(n, 28);
    for (int64_t i = 0; i < n; i++) check_case(i);
}

static int load(void **state)
{
    (void)state;
    char path[512];
    size_t n;
    hearth_err err = ERR_INIT;
    for (int i = 0; i < SETS; i++) {
        test_source_path(set_names[i], path, sizeof path);
        if (golden_load(path, &sets[i], &err) != HEARTH_OK) fail_msg("%s", err.msg);
    }
    test_source_path("golden/hf/folders.json", path, sizeof path);
    unsigned char *p = test_read_file(path, &n);
    assert_non_null(p);
    conf_init(&folders);
    if (conf_read(&folders, p, n, NULL, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    free(p);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    for (int i = 0; i < SETS; i++) golden_release(&sets[i]);
    conf_release(&folders);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_folders)};
    return cmocka_run_group_tests_name("hf", tests, load, unload);
}
