// LoRA adapters of PEFT on the seeded models (golden/hf/gen_lora_goldens.py): a model file and a
// folder, each with the folder of PEFT and with the GGUF that the converter of llama.cpp makes of
// it, must give the logits of PEFT within 1e-4 of their range.
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
static golden_set sets[2]; // cases.json, arch_cases.json

static void case_file(const char *name, const char *file, char out[512])
{
    char path[128];
    snprintf(path, sizeof path, "golden/hf/lora/%s/%s", name, file);
    test_source_path(path, out, 512);
}

// Logits of the model with this adapter; `out` has room for them.
static void run_adapted(const gguf *model, const gguf *adapter, const golden_case *c, float *out)
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
    if (dev_cpu_open(2, CPU_ALL, &d, &err) || llm_model_open(model, d, NULL, &m, &err) ||
        llm_model_adapt(m, adapter, 1, &err) || llm_ctx_create(m, &o, &ctx, &err) ||
        llm_seq_new(ctx, &seq, &err))
        fail_msg("%s: %s", c->name, err.msg);
    llm_row rows[GOLDEN_MAX_TOKENS];
    size_t n_vocab = (size_t)llm_model_config(m)->n_vocab;
    for (int i = 0; i < c->n_tokens; i++)
        rows[i] = (llm_row){.seq = seq, .pos = i, .token = c->tokens[i], .want = LLM_WANT_LOGITS};
    if (llm_step(ctx, rows, c->n_tokens, &err)) fail_msg("%s: %s", c->name, err.msg);
    for (int i = 0; i < c->n_tokens; i++)
        memcpy(out + (size_t)i * n_vocab, llm_logits(ctx, i), n_vocab * sizeof *out);
    llm_ctx_free(ctx);
    llm_model_close(m);
    dev_close(d);
}

static void check_logits(const gguf *model, const gguf *adapter, const golden_case *c,
                         const char *way)
{
    char path[512];
    size_t n = 0;
    npy a;
    case_file(c->name, "logits.npy", path);
    unsigned char *bytes = test_read_file(path, &n);
    assert_non_null(bytes);
    assert_int_equal(npy_parse(bytes, n, &a, NULL), HEARTH_OK);
    const float *want = (const float *)(const void *)a.data;
    float *ours = calloc(a.bytes, 1), low = want[0], high = want[0];
    assert_non_null(ours);
    run_adapted(model, adapter, c, ours);
    double worst = 0;
    for (size_t i = 0; i < a.bytes / sizeof(float); i++) {
        double d = fabs((double)ours[i] - (double)want[i]);
        if (!(d <= worst)) worst = d;
        low = f32_min(low, want[i]);
        high = f32_max(high, want[i]);
    }
    worst /= (double)(high - low);
    printf("  %-14s %-16s %.2e of the range\n", c->name, way, worst);
    if (!(worst <= 1e-4)) fail_msg("%s, %s: more than 1e-4 of the range", c->name, way);
    free(ours);
    free(bytes);
}

static gguf *open_bytes(const void *p, size_t n)
{
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    gguf_bytes bytes = {NULL, p, n};
    if (gguf_open(&bytes, 1, &g, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return g;
}

// The folder of a case in folders.json, looked at as GGUF.
static hf_model *open_folder(const hf_case *c, char *dir, gguf **out)
{
    hf_model *m = NULL;
    hearth_err err = ERR_INIT;
    assert_non_null(mkdtemp(dir));
    assert_true(hf_folder_make(c, dir));
    if (hf_open(dir, &m, &err) || hf_view(m, out, &err)) fail_msg("%s: %s", c->name, err.msg);
    return m;
}

static void check_adapter(const hf_case *c, const gguf *file, const gguf *view)
{
    char path[512];
    size_t n = 0;
    hf_model *peft = NULL;
    gguf *adapter = NULL;
    hearth_err err = ERR_INIT;
    case_file(c->name, "", path);
    assert_true(hf_is_adapter(path));
    assert_false(hf_is_model(path));
    if (hf_open_adapter(path, str_from(c->model->arch), &peft, &adapter, &err))
        fail_msg("%s: %s", c->name, err.msg);
    check_logits(file, adapter, c->model, "file, folder");
    check_logits(view, adapter, c->model, "folder, folder");
    gguf_close(adapter);
    hf_close(peft);
    if (!strcmp(c->name, "qwen3_norms")) return; // rsLoRA, which the converter does not know
    case_file(c->name, "adapter.gguf", path);
    unsigned char *bytes = test_read_file(path, &n);
    assert_non_null(bytes);
    adapter = open_bytes(bytes, n);
    check_logits(file, adapter, c->model, "file, file");
    check_logits(view, adapter, c->model, "folder, file");
    gguf_close(adapter);
    free(bytes);
}

static void check_case(const char *name)
{
    hf_case c = {.all = &folders};
    str found = {0};
    for (int64_t i = 0; !str_eq_z(found, name); i++) {
        char path[64];
        snprintf(c.at, sizeof c.at, "cases.%lld", (long long)i);
        snprintf(path, sizeof path, "%s.name", c.at);
        assert_true(conf_str(&folders, path, &found));
    }
    snprintf(c.name, sizeof c.name, "%s", name);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < sets[s].n; i++)
            if (!strcmp(sets[s].cases[i].name, name)) c.model = &sets[s].cases[i];
    assert_non_null(c.model);
    char dir[] = "/tmp/hearth-peft-XXXXXX";
    gguf *view = NULL, *file = open_bytes(c.model->gguf, c.model->gguf_bytes);
    hf_model *folder = open_folder(&c, dir, &view);
    check_adapter(&c, file, view);
    gguf_close(view);
    gguf_close(file);
    hf_close(folder);
    hf_folder_remove(dir);
}

static void test_llama(void **state)
{
    (void)state;
    check_case("llama_gqa");
}

static void test_qwen3(void **state)
{
    (void)state;
    check_case("qwen3_norms");
}

static void test_phi3(void **state)
{
    (void)state;
    check_case("phi3");
}

static int load(void **state)
{
    static const char *const names[] = {"golden/llm/cases.json", "golden/llm/arch_cases.json"};
    (void)state;
    char path[512];
    size_t n;
    hearth_err err = ERR_INIT;
    for (int i = 0; i < 2; i++) {
        test_source_path(names[i], path, sizeof path);
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
    for (int i = 0; i < 2; i++) golden_release(&sets[i]);
    conf_release(&folders);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_llama), cmocka_unit_test(test_qwen3),
                                       cmocka_unit_test(test_phi3)};
    return cmocka_run_group_tests_name("peft", tests, load, unload);
}
