// Folders packed by GPTQ and AWQ (golden/hf/gen_packed_goldens.py): each matrix has the type that
// was chosen for it and exactly the values it stands for (F16: those rounded once), looked at and
// converted; and what lies about itself is refused in one line.
#define _GNU_SOURCE // mkdtemp
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/rng.h"
#include "fmt/npy.h"
#include "hf/hf.h"
#include "kern/half.h"
#include "kern/kern.h"
#include "support/hf_folder.h"
#include "support/test_data.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/hearth-hf-XXXXXX", 22);
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    hf_folder_remove(dir);
    return 0;
}

static unsigned char *read_golden(const char *name, const char *ending, size_t *n)
{
    char file[128], path[512];
    snprintf(file, sizeof file, "golden/hf/%s%s", name, ending);
    test_source_path(file, path, sizeof path);
    unsigned char *p = test_read_file(path, n);
    if (!p) fail_msg("%s is not there", path);
    return p;
}

static void copy_golden(const char *name, const char *ending, const char *to)
{
    size_t n;
    unsigned char *p = read_golden(name, ending, &n);
    assert_true(hf_folder_put(dir, to, p, n));
    free(p);
}

static void put_config(const char *quantization)
{
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "{\"architectures\":[\"MistralForCausalLM\"],\"hidden_size\":64,"
                     "\"intermediate_size\":128,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
                     "\"head_dim\":8,\"vocab_size\":96,\"rms_norm_eps\":1e-5,"
                     "\"max_position_embeddings\":16,\"quantization_config\":%s}", quantization);
    assert_true(hf_folder_put(dir, "config.json", text, (size_t)n));
}

static void put_case(const char *name)
{
    char path[64];
    size_t n;
    snprintf(path, sizeof path, "packed/%s", name);
    unsigned char *config = read_golden(path, ".json", &n);
    char text[512];
    snprintf(text, sizeof text, "%.*s", (int)n, (const char *)config);
    put_config(text);
    free(config);
    copy_golden(path, ".safetensors", "model.safetensors");
    copy_golden("tokenizer", ".json", "tokenizer.json");
    copy_golden("tokenizer_config", ".json", "tokenizer_config.json");
}

// Where row `at` of a converted q, whose rows are neighbours, stands in the folder; of two heads.
static int64_t folder_row(int64_t at, int64_t n_rows, bool is_paired)
{
    int64_t d = n_rows / 2, i = at % d;
    return is_paired ? at - i + i % 2 * (d / 2) + i / 2 : at;
}

static void check_matrix(const char *name, const char *which, const gguf *g, const char *ours,
                         const char *type, bool is_paired)
{
    char path[64];
    size_t n;
    npy a;
    kern k;
    snprintf(path, sizeof path, "packed/%s.%s", name, which);
    unsigned char *golden = read_golden(path, ".npy", &n);
    assert_int_equal(npy_parse(golden, n, &a, NULL), HEARTH_OK);
    const gguf_tensor *t = gguf_find_tensor(g, ours);
    if (!t) fail_msg("%s: no %s", name, ours);
    if (strcmp(dtype_get(t->type)->name, type))
        fail_msg("%s: %s is %s, expected %s", name, ours, dtype_get(t->type)->name, type);
    size_t count = (size_t)(t->dim[0] * t->dim[1]);
    assert_int_equal(a.bytes, count * sizeof(float));
    float *got = calloc(count, sizeof *got);
    assert_non_null(got);
    kern_init(&k, 0);
    k.dequant[t->type](t->data, got, (int64_t)count);
    for (int64_t i = 0; i < (int64_t)count; i++) {
        int64_t row = folder_row(i / t->dim[0], t->dim[1], is_paired);
        float want;
        size_t at = (size_t)(row * t->dim[0] + i % t->dim[0]);
        memcpy(&want, a.data + at * sizeof want, sizeof want);
        if (t->type == DTYPE_F16) want = f16_to_f32(f32_to_f16(want));
        if (want < got[i] || want > got[i] || got[i] != got[i])
            fail_msg("%s: %s[%lld] is %g, expected %g", name, ours, (long long)i, (double)got[i],
                     (double)want);
    }
    free(got);
    free(golden);
}

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    return buf_append(ctx, p, n) == HEARTH_OK ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "test");
}

static void check_converted(const char *name, hf_model *m, bool is_auto, const char *type)
{
    hearth_err err = ERR_INIT;
    hf_convert_options o = {.is_auto = is_auto, .type = DTYPE_F32};
    buf file;
    gguf *g;
    buf_init(&file, MEM_TEST, 1 << 24);
    if (hf_convert(m, &o, append, &file, &err)) fail_msg("%s: %s", name, err.msg);
    const gguf_bytes bytes = {NULL, (const uint8_t *)file.p, file.n};
    if (gguf_open(&bytes, 1, &g, &err)) fail_msg("%s: %s", name, err.msg);
    check_matrix(name, "q", g, "blk.0.attn_q.weight", type, true);
    check_matrix(name, "down", g, "blk.0.ffn_down.weight", type, false);
    gguf_close(g);
    buf_release(&file);
}

static void check_case(const char *name, const char *type)
{
    hf_model *m = NULL;
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    put_case(name);
    if (hf_open(dir, &m, &err) || hf_view(m, &g, &err)) fail_msg("%s: %s", name, err.msg);
    check_matrix(name, "q", g, "blk.0.attn_q.weight", type, false);
    check_matrix(name, "down", g, "blk.0.ffn_down.weight", type, false);
    assert_null(gguf_find_tensor(g, "blk.0.attn_q.bias")); // of zeros
    check_converted(name, m, true, type);
    check_converted(name, m, false, "F32");
    gguf_close(g);
    hf_close(m);
}

static void test_values(void **state)
{
    (void)state;
    check_case("gptq4", "Q4_0");
    check_case("gptq4_one", "Q4_0");
    check_case("gptq4_asym", "Q8_0");
    check_case("gptq4_v2", "Q8_0");
    check_case("gptq4_order", "F16");
    check_case("gptq4_16", "F16");
    check_case("gptq8", "Q8_0");
    check_case("gptq8_asym", "F16");
    check_case("awq4", "Q8_0");
}

// --- damage -------------------------------------------------------------------------------------

static void expect_fail(const char *text)
{
    hf_model *m = NULL;
    hearth_err err = ERR_INIT;
    hearth_status s = hf_open(dir, &m, &err);
    if (s == HEARTH_OK || !strstr(err.msg, text) || strncmp(err.msg, dir, strlen(dir)))
        fail_msg("%d '%s', expected '%s'", s, err.msg, text);
    assert_null(m);
    assert_null(strchr(err.msg, '\n'));
}

static void test_config(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"quant_method\":\"gptq\",\"bits\":3,\"group_size\":32}", "bits' is 3, expected 4 or 8"},
        {"{\"quant_method\":\"awq\",\"bits\":8,\"group_size\":32}", "bits' is 8, expected 4"},
        {"{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":0}", "group_size' is 0, expected"},
        {"{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":-7}", "group_size' is -7"},
        {"{\"quant_method\":\"gptq\",\"bits\":4,\"checkpoint_format\":\"marlin\"}",
         "checkpoint_format' is 'marlin', expected gptq or gptq_v2"},
        {"{\"quant_method\":\"awq\",\"bits\":4,\"version\":\"gemv\"}", "version' is 'gemv'"},
        {"{\"quant_method\":\"gptq\",\"bits\":4,\"dynamic\":{\"x\":{}}}", "dynamic' is not supp"},
        {"{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":64}", "another shape than its"},
        {"{\"quant_method\":\"gptq\",\"bits\":8,\"group_size\":32}", "another shape than its"},
        {"{\"quant_method\":\"awq\",\"bits\":4,\"group_size\":32}", "another shape than its"},
        {"{\"quant_method\":\"none\"}", "not known in a model"},
    };
    put_case("gptq4");
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        put_config(bad[i][0]);
        expect_fail(bad[i][1]);
    }
}

// Renames a part, or changes bytes of the header or the data, in a file that is sound otherwise.
static void damage(const char *what, size_t n, const char *into)
{
    size_t size;
    unsigned char *p = read_golden("packed/gptq4", ".safetensors", &size);
    size_t at = 0;
    while (at + n <= size && memcmp(p + at, what, n)) at++;
    assert_true(at + n <= size);
    memcpy(p + at, into, n);
    assert_true(hf_folder_put(dir, "model.safetensors", p, size));
    free(p);
}

static void test_parts(void **state)
{
    (void)state;
    put_case("gptq4");
    damage("mlp.down_proj.qzeros", 20, "mlp.down_proj.qzzros");
    expect_fail("down_proj.qweight': there are no qzeros or no scales");
    damage("mlp.down_proj.scales", 20, "mlp.down_proj.scalez");
    expect_fail("down_proj.qweight': there are no qzeros or no scales");
    damage("mlp.down_proj.qweight", 21, "mlp.down_proj.qweighs");
    expect_fail("not known in a model");
    damage("q_proj.g_idx\":{\"dtype\":\"I32\",\"shape\":[64]", 41,
           "q_proj.g_idx\":{\"dtype\":\"F32\",\"shape\":[64]");
    expect_fail("q_proj.qweight': its g_idx is no list of a group for each input");
    damage("down_proj.scales\":{\"dtype\":\"F16\"", 32, "down_proj.scales\":{\"dtype\":\"I16\"");
    expect_fail("down_proj.qweight': its scales are neither F16 nor BF16 nor F32");
    damage("\1\0\0\0\1\0\0\0\1\0\0\0", 12, "\1\0\0\0\7\7\0\0\1\0\0\0"); // of a g_idx
    expect_fail("its g_idx names no group");
}

// Some bytes anywhere in the file changed: an error in one line or a model, and no harm.
static void test_random_damage(void **state)
{
    (void)state;
    static const char *const names[] = {"packed/gptq4_order", "packed/awq4", "packed/gptq8"};
    rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < 300; i++) {
        size_t size;
        hf_model *m = NULL;
        gguf *g = NULL;
        hearth_err err = ERR_INIT;
        if (i % 100 == 0) put_case(names[i / 100] + 7);
        unsigned char *p = read_golden(names[i / 100], ".safetensors", &size);
        uint32_t span = i % 2 ? 1500 : (uint32_t)size; // half of them in the header
        for (int n = 0; n < 1 + i % 4; n++) {
            uint32_t at = rng_below(&r, span);
            p[at] = (uint8_t)(p[at] ^ 1u << rng_below(&r, 8));
        }
        assert_true(hf_folder_put(dir, "model.safetensors", p, size));
        if (hf_open(dir, &m, &err) == HEARTH_OK && hf_view(m, &g, &err) == HEARTH_OK) gguf_close(g);
        assert_null(strchr(err.msg, '\n'));
        hf_close(m);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_config, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_parts, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_random_damage, make_dir, remove_dir),
    };
    return cmocka_run_group_tests_name("packed folders", tests, NULL, NULL);
}
