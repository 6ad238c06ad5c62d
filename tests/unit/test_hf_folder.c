// Folders that lie: what is missing, broken or hostile is one line that names the file and tensor.
// The folders of real shape are in golden/test_hf.c.
#define _GNU_SOURCE // mkdtemp
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "hf/conf.h"
#include "hf/hf.h"
#include "support/hf_folder.h"

#define CONFIG \
    "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":4,\"intermediate_size\":4," \
    "\"num_hidden_layers\":1,\"num_attention_heads\":1,\"num_local_experts\":2," \
    "\"vocab_size\":2,\"rms_norm_eps\":1e-5,\"max_position_embeddings\":16}"
#define Q(name) "model.layers.0.self_attn." name ".weight"

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

static void put_text(const char *name, const char *text)
{
    assert_true(hf_folder_put(dir, name, text, strlen(text)));
}

// A file of one F32 tensor of zeros with this shape.
static void put_weights(const char *file, const char *name, const char *shape, int n)
{
    char header[512];
    uint8_t bytes[2048] = {0};
    int len = snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],"
                       "\"data_offsets\":[0,%d]}}", name, shape, 4 * n);
    bytes[0] = (uint8_t)len;
    bytes[1] = (uint8_t)(len >> 8);
    memcpy(bytes + 8, header, (size_t)len);
    assert_true(hf_folder_put(dir, file, bytes, 8 + (size_t)len + 4 * (size_t)n));
}

// Opening fails in one line that begins with the folder and has `text` in it.
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

static void test_missing(void **state)
{
    (void)state;
    assert_false(hf_is_model(dir));
    expect_fail("has no config.json");
    put_text("config.json", "{\"architectures\":");
    expect_fail("/config.json: json");
    put_text("config.json", CONFIG);
    assert_true(hf_is_model(dir));
    expect_fail("no model.safetensors");
    put_text("model.safetensors", "short");
    expect_fail("/model.safetensors: 5 bytes are no safetensors file");
}

static void test_tensors(void **state)
{
    (void)state;
    put_text("config.json", "{\"architectures\":[\"NoSuchForCausalLM\"]}");
    put_weights("model.safetensors", Q("q_proj"), "4,4", 16);
    expect_fail("class 'NoSuchForCausalLM'");
    put_text("config.json", CONFIG);
    put_weights("model.safetensors", Q("z_proj"), "4,4", 16);
    expect_fail("/model.safetensors: tensor '" Q("z_proj") "': not known in a model");
    put_weights("model.safetensors", Q("q_proj"), "3,4", 12);
    expect_fail("its rows are no pairs");
    put_weights("model.safetensors", Q("q_proj"), "0,4", 0);
    expect_fail("has no elements");
    put_weights("model.safetensors", "model.layers.0.mlp.experts.1.up_proj.weight", "4,4", 16);
    expect_fail("expert 0 of 2 is missing");
    put_weights("model.safetensors", "model.layers.0.mlp.experts.2.up_proj.weight", "4,4", 16);
    expect_fail("is of more experts than config.json says");
    put_weights("model.safetensors", "model.layers.x.norm.weight", "4", 4);
    expect_fail("its name is not understood");
}

static void test_index(void **state)
{
    (void)state;
    const char *const bad[][2] = {
        {"{\"weight_map\":{\"a\":\"../model.safetensors\"}}", "the index names '../model"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "the index names '/etc/passwd'"},
        {"{\"weight_map\":{\"a\":\"c:model.safetensors\"}}", "the index names"},
        {"{\"weight_map\":{}}", "no 'weight_map'"},
        {"{\"weight_map\":{\"a\":\"gone.safetensors\"}}", "/gone.safetensors: "},
        {"{\"weight_map\":{\"a\":\"model.safetensors\"}}",
         "/model.safetensors: tensor 'a' is not there, but the index says so"},
    };
    put_text("config.json", CONFIG);
    put_weights("model.safetensors", Q("q_proj"), "4,4", 16);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        put_text("model.safetensors.index.json", bad[i][0]);
        expect_fail(bad[i][1]);
    }
    put_text("model.safetensors.index.json", "{\"weight_map\":{\"" Q("q_proj") "\":"
             "\"model.safetensors\"}}");
    hf_model *m = NULL;
    hearth_err err = ERR_INIT;
    if (hf_open(dir, &m, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    hf_close(m);
}

// A tokenizer.json or a key that is broken shows when the model is looked at.
static void expect_view_fail(const char *text)
{
    hf_model *m = NULL;
    gguf *g = NULL;
    hearth_err err = ERR_INIT;
    if (hf_open(dir, &m, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    hearth_status s = hf_view(m, &g, &err);
    if (s == HEARTH_OK || !strstr(err.msg, text))
        fail_msg("%d '%s', expected '%s'", s, err.msg, text);
    assert_null(g);
    hf_close(m);
}

static void test_tokenizer(void **state)
{
    (void)state;
    const char *head = "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                       "\"model\":{\"type\":\"BPE\"";
    const char *const bad[][2] = {
        {",\"vocab\":{\"a\":-1},\"merges\":[]}}", "token 'a' has no id"},
        {",\"vocab\":{\"a\":99999999999},\"merges\":[]}}", "token 'a' has no id"},
        {",\"vocab\":[],\"merges\":[]}}", "'vocab' is not as expected"},
        {",\"merges\":[]}}", "no 'vocab'"},
        {",\"vocab\":{\"a\":0},\"merges\":[[1]]}}", "'merges' is not as expected"},
        {",\"vocab\":{\"a\":0}}}", "no 'merges'"},
        {",\"vocab\":{\"a\":0", "json"},
    };
    put_text("config.json", CONFIG);
    put_weights("model.safetensors", Q("q_proj"), "4,4", 16);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", head, bad[i][0]);
        put_text("tokenizer.json", text);
        expect_view_fail(bad[i][1]);
    }
    char path[128];
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    assert_int_equal(remove(path), 0);
    put_text("tokenizer.model", "\x0A\xFF\xFF\xFF\x0F");
    expect_view_fail("/tokenizer.model: ");
    snprintf(path, sizeof path, "%s/tokenizer.model", dir);
    assert_int_equal(remove(path), 0);
    put_text("config.json", "{\"architectures\":[\"Qwen2ForCausalLM\"],\"hidden_size\":\"4\"}");
    expect_view_fail("/config.json: 'hidden_size' is no count");
    put_text("config.json", "{\"architectures\":[\"Qwen2ForCausalLM\"],\"hidden_size\":-4}");
    expect_view_fail("-4 for 'qwen2.embedding_length'");
    put_text("config.json", "{\"architectures\":[\"Qwen2ForCausalLM\"],"
             "\"rope_scaling\":{\"type\":\"spiral\"}}");
    expect_view_fail("rope scaling 'spiral'");
}

static void test_conf(void **state)
{
    (void)state;
    const char *text = "{\"a\":{\"b\":[7,null,\"x\"],\"c\":true},\"skip\":{\"d\":1},\"e\":1.5}";
    static const char *const skip[] = {"skip", NULL};
    conf c;
    int64_t i;
    double f;
    bool b;
    str s;
    hearth_err err = ERR_INIT;
    conf_init(&c);
    assert_null(conf_find(&c, "a"));
    if (conf_read(&c, text, strlen(text), skip, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    assert_int_equal(conf_find(&c, "a.b")->n, 3);
    assert_true(conf_i64(&c, "a.b.0", &i) && i == 7);
    assert_null(conf_find(&c, "a.b.1"));
    assert_true(conf_str(&c, "a.b.2", &s) && str_eq_z(s, "x"));
    assert_true(conf_bool(&c, "a.c", &b) && b);
    assert_true(conf_f64(&c, "e", &f) && f > 1.4 && f < 1.6);
    assert_false(conf_i64(&c, "e", &i) || conf_str(&c, "e", &s) || conf_bool(&c, "e", &b));
    assert_non_null(conf_find(&c, "skip"));
    assert_null(conf_find(&c, "skip.d"));
    conf_release(&c);
    conf_init(&c);
    assert_true(conf_read(&c, "[1]", 3, NULL, NULL) != HEARTH_OK);
    conf_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_missing, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_tensors, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_index, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_tokenizer, make_dir, remove_dir),
        cmocka_unit_test(test_conf),
    };
    return cmocka_run_group_tests_name("hf_folder", tests, NULL, NULL);
}
