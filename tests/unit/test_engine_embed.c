// Vectors of texts and ranks through the engine, in process and as a child: the same bits in both,
// and what stands between the text and llm_embed(): tokens around texts, pairs, templates, cutting.
// The child is this program again, so main() looks for the role first.
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <math.h>

#include "engine/engine.h"
#include "kern/kern.h"
#include "support/encoder_file.h"
#include "support/test_data.h"

enum { WIDTH = 96, MAX_TEXTS = 80 };

static golden_set set;
static const engine_place places[] = {ENGINE_LOCAL, ENGINE_CHILD};

static const golden_case *find_case(const char *name)
{
    for (int i = 0; i < set.n; i++)
        if (!strcmp(set.cases[i].name, name)) return &set.cases[i];
    fail_msg("no case '%s'", name);
    return NULL;
}

static int load_cases(void **state)
{
    char path[512];
    (void)state;
    test_source_path("golden/llm/encoder_cases.json", path, sizeof path);
    return golden_load(path, &set, NULL) == HEARTH_OK ? 0 : 1;
}

static int release_cases(void **state)
{
    (void)state;
    golden_release(&set);
    return 0;
}

// --- engines over temporary files ---------------------------------------------------------------

static char path[64];

static engine *open_path(const char *source, engine_place place)
{
    engine_options o;
    engine *e = NULL;
    hearth_err err = ERR_INIT;
    engine_options_default(&o);
    o.place = place;
    o.n_threads = 1;
    if (engine_open(source, &o, &e, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return e;
}

static engine *open_case(const char *name, test_vocab *v, const char *pattern, engine_place place)
{
    buf file;
    buf_init(&file, MEM_TEST, SIZE_MAX);
    assert_true(encoder_file_make(find_case(name), v, pattern, &file));
    snprintf(path, sizeof path, "/tmp/hearth-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file.p, file.n), (ssize_t)file.n);
    close(fd);
    buf_release(&file);
    engine *e = open_path(path, place);
    unlink(path);
    return e;
}

static engine *open_bert(engine_place place)
{
    test_vocab *v = calloc(1, sizeof *v);
    assert_non_null(v);
    test_vocab_bert(v);
    engine *e = open_case("bert", v, NULL, place);
    free(v);
    return e;
}

// WordPiece, or XLM-RoBERTa's kind, where </s> ends a text.
static engine *open_ranker(const char *name, const char *pattern, bool is_wordpiece,
                           engine_place place)
{
    test_vocab *v = calloc(1, sizeof *v);
    assert_non_null(v);
    if (is_wordpiece) test_vocab_bert(v);
    else test_vocab_t5(v, false);
    v->add_eos = !is_wordpiece;
    engine *e = open_case(name, v, pattern, place);
    free(v);
    return e;
}

static const str texts[] = {STR_INIT("hello"), STR_INIT("hello world!"), STR_INIT(""),
                            STR_INIT("hello he world hello")};

static int64_t embed(engine *e, const str *what, size_t n, engine_embed_options o, float *out)
{
    hearth_err err = ERR_INIT;
    int64_t n_tokens = 0;
    if (engine_embed(e, what, n, &o, out, &n_tokens, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return n_tokens;
}

// --- vectors ------------------------------------------------------------------------------------

static double length_of(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static void test_vectors(void **state)
{
    float raw[4 * WIDTH], x[4 * WIDTH], cut[4 * 10], first[4 * WIDTH];
    (void)state;
    for (size_t p = 0; p < COUNTOF(places); p++) {
        engine *e = open_bert(places[p]);
        const engine_info *info = engine_get_info(e);
        assert_int_equal(info->n_embd_out, WIDTH);
        assert_true(info->is_encoder);
        assert_false(info->can_rank);
        // [CLS] .. [SEP] around 1, 3, 0 and 4 tokens.
        assert_int_equal(embed(e, texts, 4, (engine_embed_options){.raw = true}, raw), 8 + 8);
        embed(e, texts, 4, (engine_embed_options){0}, x);
        embed(e, texts, 4, (engine_embed_options){.dimensions = 10}, cut);
        for (int i = 0; i < 4; i++) {
            double all = length_of(raw + i * WIDTH, WIDTH), ten = length_of(raw + i * WIDTH, 10);
            for (int j = 0; j < WIDTH; j++) {
                double want = (double)raw[i * WIDTH + j];
                assert_true(fabs((double)x[i * WIDTH + j] - want / all) < 1e-6);
                if (j < 10) assert_true(fabs((double)cut[i * 10 + j] - want / ten) < 1e-6);
            }
        }
        if (p == 0) memcpy(first, x, sizeof x);
        else assert_memory_equal(first, x, sizeof x);
        engine_close(e);
    }
}

// What the engine does with a text is what llm_embed() does with its tokens.
static void test_tokens_around(void **state)
{
    (void)state;
    engine *e = open_bert(ENGINE_LOCAL);
    tok_ids ids = {0};
    tok_options o = {.add_special = true};
    assert_int_equal(engine_tokenize(e, texts[0], o, &ids, NULL), HEARTH_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.id[0], engine_get_info(e)->special.bos);
    assert_int_equal(ids.id[2], engine_get_info(e)->special.sep);
    tok_ids_release(&ids);
    engine_close(e);
}

static void test_long_texts(void **state)
{
    static char words[6 * 300];
    float cut[WIDTH], same[WIDTH];
    (void)state;
    for (int i = 0; i < 300; i++) memcpy(words + 6 * i, "hello ", 6);
    for (size_t p = 0; p < COUNTOF(places); p++) {
        engine *e = open_bert(places[p]);
        hearth_err err = ERR_INIT;
        int64_t n_tokens = -1;
        engine_embed_options o = {0};
        const str two[] = {texts[0], {words, sizeof words}}, fits = {words, 6 * 254};
        float out[2 * WIDTH];
        assert_int_equal(engine_embed(e, two, 2, &o, out, &n_tokens, &err), HEARTH_E_LIMIT);
        assert_non_null(strstr(err.msg, "text 2: 302 tokens, expected 1 to 256"));
        assert_int_equal(n_tokens, -1);
        o.truncate = true;
        assert_int_equal(embed(e, two + 1, 1, o, cut), 256);
        assert_int_equal(embed(e, &fits, 1, o, same), 256);
        assert_memory_equal(cut, same, sizeof cut); // [SEP] is still at the end
        engine_close(e);
    }
}

static void test_refusals(void **state)
{
    static float out[MAX_TEXTS * 512];
    (void)state;
    for (size_t p = 0; p < COUNTOF(places); p++) {
        engine *e = open_bert(places[p]);
        hearth_err err = ERR_INIT;
        engine_session s;
        int64_t n_tokens;
        assert_int_equal(engine_session_open(e, &s, &err), HEARTH_E_STATE);
        assert_non_null(strstr(err.msg, "'bert' models read texts and generate none"));
        err = (hearth_err)ERR_INIT;
        assert_int_equal(engine_rerank(e, texts[0], texts, 2, false, out, &n_tokens, &err),
                         HEARTH_E_UNSUPPORTED);
        const engine_embed_options bad[] = {{.dimensions = WIDTH + 1}, {.dimensions = -1},
                                            {.pooling = LLM_POOL_RANK}};
        for (size_t i = 0; i < COUNTOF(bad); i++)
            assert_int_equal(engine_embed(e, texts, 1, &bad[i], out, &n_tokens, NULL),
                             HEARTH_E_ARG);
        assert_int_equal(engine_embed(e, texts, 0, &(engine_embed_options){0}, out, &n_tokens,
                                      NULL), HEARTH_E_ARG);
        embed(e, texts, 1, (engine_embed_options){0}, out); // it goes on
        engine_close(e);
    }
}

// A decoder's last row by default, another pooling when asked for; many texts are several steps.
static void test_decoder(void **state)
{
    static float x[2][MAX_TEXTS * 512], mean[512];
    static char words[MAX_TEXTS][32];
    str many[MAX_TEXTS];
    (void)state;
    for (int i = 0; i < MAX_TEXTS; i++) {
        snprintf(words[i], sizeof words[i], "text number %d", i * 7919);
        many[i] = str_from(words[i]);
    }
    for (size_t p = 0; p < COUNTOF(places); p++) {
        engine *e = open_path("shape:tiny:Q8_0:3", places[p]);
        int64_t width = engine_get_info(e)->n_embd_out;
        assert_int_equal(width, 256);
        embed(e, many, MAX_TEXTS, (engine_embed_options){0}, x[p]);
        float alone[512];
        embed(e, &many[70], 1, (engine_embed_options){0}, alone);
        assert_memory_equal(alone, x[p] + 70 * width, (size_t)width * sizeof *alone);
        embed(e, many, 1, (engine_embed_options){.pooling = LLM_POOL_MEAN}, mean);
        assert_memory_not_equal(mean, x[p], (size_t)width * sizeof *mean);
        engine_close(e);
    }
    assert_memory_equal(x[0], x[1], (size_t)MAX_TEXTS * 256 * sizeof(float));
}

// --- ranks --------------------------------------------------------------------------------------

// Labels of the given tokens, straight from the model.
static void labels_of(const char *name, const int32_t *ids, int64_t n, float *out)
{
    const golden_case *c = find_case(name);
    gguf_bytes bytes = {NULL, c->gguf, c->gguf_bytes};
    gguf *g = NULL;
    dev *d = NULL;
    llm_model *m = NULL;
    llm_ctx *ctx = NULL;
    llm_ctx_options o;
    llm_text text = {ids, n, n};
    hearth_err err = ERR_INIT;
    if (gguf_open(&bytes, 1, &g, &err) || dev_cpu_open(1, CPU_ALL, &d, &err) ||
        llm_model_open(g, d, NULL, &m, &err) ||
        llm_embed_options(m, LLM_POOL_RANK, n, n, 1, &o, &err) ||
        llm_ctx_create(m, &o, &ctx, &err) || llm_embed(ctx, &text, 1, out, &err))
        fail_msg("%s", err.msg);
    llm_ctx_free(ctx);
    llm_model_close(m);
    dev_close(d);
    gguf_close(g);
}

static void rerank(engine *e, const char *query, const char *const *documents, size_t n,
                   float *scores)
{
    hearth_err err = ERR_INIT;
    int64_t n_tokens = 0;
    str list[8];
    for (size_t i = 0; i < n; i++) list[i] = str_from(documents[i]);
    if (engine_rerank(e, str_from(query), list, n, false, scores, &n_tokens, &err) != HEARTH_OK)
        fail_msg("%s", err.msg);
}

// The ids of [begin] query [end (twice for "</s>")] document [end].
static size_t make_pair(engine *e, bool is_wordpiece, const char *document, int32_t *pair)
{
    const tok_special *s = &engine_get_info(e)->special;
    int32_t end = is_wordpiece ? s->sep : s->eos;
    tok_ids ids = {0};
    size_t n = 0;
    if (is_wordpiece) pair[n++] = s->bos;
    assert_int_equal(engine_tokenize(e, STR("hello"), (tok_options){0}, &ids, NULL), HEARTH_OK);
    for (size_t j = 0; j < ids.n; j++) pair[n++] = ids.id[j];
    pair[n++] = end;
    if (!is_wordpiece) pair[n++] = end;
    ids.n = 0;
    engine_tokenize(e, str_from(document), (tok_options){0}, &ids, NULL);
    for (size_t j = 0; j < ids.n; j++) pair[n++] = ids.id[j];
    pair[n++] = end;
    tok_ids_release(&ids);
    return n;
}

static void test_pairs(void **state)
{
    static const char *const documents[] = {"he", "hello hello", ""};
    float scores[3], want[1];
    int32_t pair[64];
    (void)state;
    for (int run = 0; run < 4; run++) {
        bool is_wordpiece = run >= 2;
        engine *e = open_ranker("roberta_rank", NULL, is_wordpiece, places[run % 2]);
        assert_true(engine_get_info(e)->can_rank);
        rerank(e, "hello", documents, 3, scores);
        for (int i = 0; i < 3; i++) {
            size_t n = make_pair(e, is_wordpiece, documents[i], pair);
            labels_of("roberta_rank", pair, (int64_t)n, want);
            assert_memory_equal(want, &scores[i], sizeof *want);
        }
        engine_close(e);
    }
}

// The template's own "</s>" is the token, a document's is five letters.
static void test_template(void **state)
{
    static const char *const documents[] = {"hello", "</s>"};
    float scores[2], want[2];
    (void)state;
    for (size_t p = 0; p < COUNTOF(places); p++) {
        engine *e = open_ranker("qwen3_rank", "{query}</s>{document} {query}", false, places[p]);
        tok_options o = {.parse_special = true};
        rerank(e, "he", documents, 2, scores);
        const str whole[] = {STR("he</s>hello he"), STR("he</s></s> he")};
        for (int i = 0; i < 2; i++) {
            tok_ids ids = {0};
            assert_int_equal(engine_tokenize(e, whole[i], o, &ids, NULL), HEARTH_OK);
            labels_of("qwen3_rank", ids.id, (int64_t)ids.n, want);
            assert_int_equal(memcmp(&want[0], &scores[i], sizeof *want) == 0, i == 0);
            assert_true(fabsf(want[0] + want[1] - 1) < 1e-6f);
            tok_ids_release(&ids);
        }
        hearth_err err = ERR_INIT;
        float out[WIDTH];
        int64_t n_tokens;
        engine_embed_options all = {0};
        assert_int_equal(engine_embed(e, texts, 1, &all, out, &n_tokens, &err), HEARTH_E_STATE);
        engine_close(e);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], ENGINE_ROLE_ARG)) return engine_role_main();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_tokens_around),
        cmocka_unit_test(test_long_texts), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_decoder), cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_template),
    };
    return cmocka_run_group_tests_name("engine_embed", tests, load_cases, release_cases);
}
