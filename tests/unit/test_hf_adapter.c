// Folders of PEFT that lie, or hold what is not applied: one line that names the file.
#define _GNU_SOURCE // mkdtemp
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "hf/hf.h"
#include "support/hf_folder.h"

#define CONFIG(x) "{\"peft_type\":\"LORA\",\"lora_alpha\":4,\"bias\":\"none\"" x "}"
#define Q(half) "base_model.model.model.layers.0.self_attn.q_proj.lora_" half ".weight"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/hearth-peft-XXXXXX", 24);
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char path[128];
    static const char *const names[] = {"adapter_config.json", "adapter_model.safetensors"};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static void put_config(const char *text)
{
    assert_true(hf_folder_put(dir, "adapter_config.json", text, strlen(text)));
}

// A file of one tensor of zeros; `pad` spaces shift where its data begins.
static void put_weights(const char *name, const char *type, const char *shape, int bytes, int pad)
{
    char header[512];
    uint8_t all[2048] = {0};
    int len = snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],"
                       "\"data_offsets\":[0,%d]}}%*s", name, type, shape, bytes, pad, "");
    all[0] = (uint8_t)len;
    all[1] = (uint8_t)(len >> 8);
    memcpy(all + 8, header, (size_t)len);
    assert_true(hf_folder_put(dir, "adapter_model.safetensors", all,
                              8 + (size_t)len + (size_t)bytes));
}

static void expect_fail(const char *arch, const char *text)
{
    hf_model *m = NULL;
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    hearth_status s = hf_open_adapter(dir, str_from(arch), &m, &g, &err);
    if (s == HEARTH_OK || !strstr(err.msg, text) || strncmp(err.msg, dir, strlen(dir)))
        fail_msg("%d '%s', expected '%s'", s, err.msg, text);
    assert_null(m);
    assert_null(g);
    assert_null(strchr(err.msg, '\n'));
}

static void test_config(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{", "adapter_config.json: json"},
        {"{}", "'peft_type' is '', expected 'LORA'"},
        {"{\"peft_type\":\"IA3\"}", "'peft_type' is 'IA3'"},
        {CONFIG(",\"use_dora\":true"), "'use_dora' is not supported"},
        {CONFIG(",\"modules_to_save\":[\"lm_head\"]"), "'modules_to_save' is not supported"},
        {CONFIG(",\"alpha_pattern\":{\"q_proj\":2}"), "'alpha_pattern' is not supported"},
        {CONFIG(",\"fan_in_fan_out\":true"), "'fan_in_fan_out' is not supported"},
        {"{\"peft_type\":\"LORA\",\"lora_alpha\":\"4\"}", "no number 'lora_alpha'"},
        {"{\"peft_type\":\"LORA\",\"lora_alpha\":4,\"bias\":\"all\"}",
         "'bias' is not supported"},
    };
    assert_false(hf_is_adapter(dir));
    put_weights(Q("A"), "F32", "2,4", 32, 0);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        put_config(bad[i][0]);
        assert_true(hf_is_adapter(dir));
        expect_fail("llama", bad[i][1]);
    }
}

static void test_tensors(void **state)
{
    (void)state;
    put_config(CONFIG(""));
    expect_fail("llama", "has no adapter_model.safetensors");
    put_weights(Q("A"), "F32", "2,4", 32, 0);
    expect_fail("nosuch", "names of folders are not known for 'nosuch' models");
    put_weights("x.lora_A.weight", "F32", "2,4", 32, 0);
    expect_fail("llama", "'x.lora_A.weight': is no half of a matrix");
    put_weights("base_model.model.lora_A.weight", "F32", "2,4", 32, 0);
    expect_fail("llama", "is no half of a matrix");
    put_weights(Q("C"), "F32", "2,4", 32, 0);
    expect_fail("llama", "is no half of a matrix");
    put_weights("base_model.model.model.layers.0.zip.lora_A.weight", "F32", "2,4", 32, 0);
    expect_fail("llama", "not known in a model of family 'llama'");
    put_weights("base_model.model.model.layers.0.mlp.experts.3.up_proj.lora_A.weight", "F32",
                "2,4", 32, 0);
    expect_fail("qwen3moe", "not known in a model of family 'qwen3moe'");
    put_weights(Q("A"), "F32", "8", 32, 0);
    expect_fail("llama", "is no matrix");
    put_weights(Q("A"), "F32", "0,4", 0, 0);
    expect_fail("llama", "is no matrix");
    put_weights(Q("A"), "I8", "2,4", 8, 0);
    expect_fail("llama", "is neither F32 nor F16 nor BF16");
}

// Data may begin at any byte; the index must not.
static void test_places(void **state)
{
    (void)state;
    put_config(CONFIG(",\"use_rslora\":true"));
    for (int pad = 0; pad < 4; pad++) {
        hf_model *m = NULL;
        gguf *g = NULL;
        hearth_err err = ERR_INIT;
        put_weights(Q("B"), "F32", "4,2", 32, pad);
        if (hf_open_adapter(dir, STR("llama"), &m, &g, &err)) fail_msg("%s", err.msg);
        const gguf_tensor *t = gguf_find_tensor(g, "blk.0.attn_q.weight.lora_b");
        assert_non_null(t);
        assert_int_equal((uintptr_t)t->data % 4, 0);
        assert_int_equal(t->dim[0], 2);
        assert_int_equal(t->dim[1], 4);
        assert_non_null(gguf_find(g, "hearth.rope.halves"));
        assert_non_null(gguf_find(g, "hearth.lora.rank_root"));
        gguf_close(g);
        hf_close(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_config, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_tensors, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_places, make_dir, remove_dir),
    };
    return cmocka_run_group_tests_name("hf adapter", tests, NULL, NULL);
}
