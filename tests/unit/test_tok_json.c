// Tokenizers from tokenizer.json: against the tokenizers package (golden/tok/gen_json.py) on models
// with every component, and by hand: damage, patterns without end, what a GGUF file brings along.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fmt/gguf_write.h"
#include "support/test_data.h"
#include "tok/tok.h"

// --- golden -------------------------------------------------------------------------------------

enum { TEXTS = 250 };

typedef struct file { unsigned char *bytes; str rest; } file;

static void open_file(file *f, const char *name)
{
    char path[512];
    size_t n = 0;
    test_source_path(name, path, sizeof path);
    f->bytes = test_read_file(path, &n);
    assert_non_null(f->bytes);
    f->rest = (str){(const char *)f->bytes, n};
}

static int hex_value(char c) { return c <= '9' ? c - '0' : (c & ~32) - 'A' + 10; }

static void unescape(str s, buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < s.n; i++) {
        bool escaped = s.p[i] == '%';
        char c = escaped ? (char)(hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2])) : s.p[i];
        if (escaped) i += 2;
        assert_int_equal(buf_append_char(out, c), HEARTH_OK);
    }
}

// The next string of texts.vec that is UTF-8.
static void next_text(file *f, buf *text)
{
    uint32_t cp = UTF8_BAD;
    while (cp == UTF8_BAD) {
        str line = str_cut(&f->rest, '\n');
        unescape(str_cut(&line, ' '), text);
        cp = 0;
        for (size_t i = 0; i < text->n && cp != UTF8_BAD;) {
            i += utf8_decode(text->p + i, text->n - i, &cp);
        }
    }
}

static uint32_t hash_number(uint32_t h, uint32_t number)
{
    for (int i = 0; i < 4; i++) h = (h ^ (number >> 8 * i & 0xFF)) * 0x01000193u;
    return h;
}

static bool equals_base64(uint32_t h, str expected)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[4];
    for (int i = 0; i < 4; i++) text[i] = digits[h >> (26 - 6 * i) & 63];
    return str_eq((str){text, 4}, expected);
}

static uint32_t hash_ids(const tok *t, str text, uint32_t h, tok_options o, tok_ids *ids)
{
    hearth_err err = ERR_INIT;
    ids->n = 0;
    if (tok_encode(t, text, o, ids, &err) != HEARTH_OK) return 0;
    for (size_t i = 0; i < ids->n; i++) h = hash_number(h, (uint32_t)ids->id[i]);
    return h;
}

static uint32_t hash_decoded(const tok *t, const tok_ids *ids)
{
    buf out;
    tok_stream s;
    buf_init(&out, MEM_TEST, 1 << 24);
    tok_stream_init(&s);
    for (size_t i = 0; i < ids->n; i++) {
        assert_int_equal(tok_stream_put(t, &s, ids->id[i], true, &out), HEARTH_OK);
    }
    assert_int_equal(tok_stream_flush(&s, false, &out), HEARTH_OK);
    uint32_t h = 0x811C9DC5u;
    for (size_t i = 0; i < out.n; i++) h = hash_number(h, (uint8_t)out.p[i]);
    buf_release(&out);
    return h;
}

typedef struct counts { int ids, wrong, decoded, wrong_decoded; } counts;

static void check_text(const tok *t, str text, str ids_hash, str bytes_hash, counts *n)
{
    tok_ids ids = {0};
    tok_ids first = {0};
    uint32_t h = hash_ids(t, text, 0x811C9DC5u, (tok_options){true, true}, &first);
    h = hash_ids(t, text, hash_number(h, UINT32_MAX), (tok_options){false, false}, &ids);
    if (!str_eq_z(ids_hash, "----")) {
        n->ids++;
        n->wrong += !equals_base64(h, ids_hash);
    }
    if (!str_eq_z(bytes_hash, "----")) {
        n->decoded++;
        n->wrong_decoded += !equals_base64(hash_decoded(t, &first), bytes_hash);
    }
    tok_ids_release(&ids);
    tok_ids_release(&first);
}

static str hash_at(str line, int i) { return (str){line.p + 4 * i, 4}; }

static bool needs_absent_library(const hearth_err *err)
{
    return strstr(err->msg, "this build has not") != NULL;
}

// False: the build goes without a library that the model needs.
static bool check_model(str json, str ids_line, str bytes_line, counts *n)
{
    tok *t;
    hearth_err err = ERR_INIT;
    if (tok_open_json(json, (str){"", 0}, &t, &err) != HEARTH_OK) {
        if (needs_absent_library(&err)) return false;
        fail_msg("%s", err.msg);
    }
    file texts;
    buf text;
    buf_init(&text, MEM_TEST, 1 << 20);
    open_file(&texts, "golden/tok/texts.vec");
    for (int i = 0; i < TEXTS; i++) {
        next_text(&texts, &text);
        check_text(t, buf_str(&text), hash_at(ids_line, i), hash_at(bytes_line, i), n);
    }
    free(texts.bytes);
    buf_release(&text);
    tok_free(t);
    return true;
}

static void test_golden(void **state)
{
    (void)state;
    file models, vec;
    int n = 0, skipped = 0, bad = 0;
    counts all = {0};
    open_file(&models, "golden/tok/json_models.txt");
    open_file(&vec, "golden/tok/json.vec");
    for (; models.rest.n; n++) {
        str json = str_cut(&models.rest, '\n');
        str ids = str_cut(&vec.rest, '\n'), bytes = str_cut(&vec.rest, '\n');
        assert_int_equal(ids.n, 4 * TEXTS);
        assert_int_equal(bytes.n, 4 * TEXTS);
        counts one = {0};
        skipped += !check_model(json, ids, bytes, &one);
        if (one.wrong || one.wrong_decoded) {
            print_error("model %d: %d of %d ids, %d of %d texts differ\n", n + 1, one.wrong,
                        one.ids, one.wrong_decoded, one.decoded);
            bad++;
        }
        all.ids += one.ids;
        all.decoded += one.decoded;
    }
    print_message("%d models, %d not in this build, %d ids, %d decoded\n", n, skipped, all.ids,
                  all.decoded);
    assert_int_equal(bad, 0);
    assert_true(n >= 30);
    free(models.bytes);
    free(vec.bytes);
}

// --- by hand ------------------------------------------------------------------------------------

#define WORDS(more) "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"<unk>\",\"vocab\":" \
                    "{\"<unk>\":0,\"hello\":1,\"world\":2,\"a\":3}}" more "}"

static tok *open_text(const char *json, const char *config)
{
    tok *t = NULL;
    hearth_err err = ERR_INIT;
    if (tok_open_json(str_from(json), str_from(config), &t, &err)) fail_msg("%s", err.msg);
    return t;
}

static void check_ids(const tok *t, const char *text, tok_options o, size_t n, const int32_t *want)
{
    tok_ids ids = {0};
    hearth_err err = ERR_INIT;
    if (tok_encode(t, str_from(text), o, &ids, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    assert_int_equal(ids.n, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(ids.id[i], want[i]);
    tok_ids_release(&ids);
}

static void test_specials(void **state)
{
    (void)state;
    tok *t = open_text(
        WORDS(",\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"added_tokens\":["
              "{\"id\":7,\"content\":\"<|im_end|>\",\"special\":true,\"lstrip\":true},"
              "{\"id\":5,\"content\":\"KEY\",\"single_word\":true},"
              "{\"id\":0,\"content\":\"<unk>\",\"special\":true}]"),
        "{\"bos_token\":null,\"eos_token\":{\"content\":\"<|im_end|>\"},\"pad_token\":\"a\"}");
    assert_int_equal(tok_count(t), 8);
    assert_int_equal(tok_specials(t)->eos, 7);
    assert_int_equal(tok_specials(t)->bos, TOK_NONE);
    assert_int_equal(tok_specials(t)->pad, 3);
    assert_int_equal(tok_specials(t)->unk, 0);
    assert_true(tok_is_end(t, 7) && !tok_is_end(t, 1));
    assert_int_equal(tok_get_attr(t, 7), TOK_CONTROL);
    assert_int_equal(tok_get_attr(t, 6), TOK_UNUSED); // nobody has it
    assert_int_equal(tok_get_attr(t, 5), TOK_USER_DEFINED);
    assert_int_equal(tok_get_attr(t, 0), TOK_UNKNOWN);
    assert_string_equal(tok_kind_name(t), "json/words");
    const char *text = "hello  <|im_end|> KEY KEYS";
    check_ids(t, text, (tok_options){false, true}, 4, (int32_t[]){1, 7, 5, 0});
    check_ids(t, text, (tok_options){false, false}, 4, (int32_t[]){1, 0, 5, 0});
    check_ids(t, "", (tok_options){true, true}, 0, NULL);
    tok_free(t);
}

static void test_damage(void **state)
{
    (void)state;
    static const struct { const char *json, *message; } cases[] = {
        {"", "json: byte 0 is the end, expected a value"},
        {"[]", "tokenizer.json: expected an object"},
        {"{}", "tokenizer.json: no 'model'"},
        {"{\"model\":{\"vocab\":{}}}", "tokenizer.json: no tokens"},
        {"{\"model\":{\"vocab\":{\"a\":-1}}}", "expected an id"},
        {"{\"model\":{\"vocab\":{\"a\":4000000}}}", "ids up to 4000000 for 1 tokens"},
        {"{\"model\":{\"type\":\"Other\",\"vocab\":{\"a\":0}}}", "'Other' is not supported"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}", "pairs of token and score"},
        {"{\"model\":{\"vocab\":[[\"a\",1e999]]}}", "expected a score"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "merge 0 is not a pair"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", "'aa' is not in the vocabulary"},
        {WORDS(",\"normalizer\":{\"type\":\"Rot13\"}"), "'normalizer': type 'Rot13' is not"},
        {WORDS(",\"pre_tokenizer\":{\"type\":\"X\"}"), "'pre_tokenizer': type 'X' is not"},
        {WORDS(",\"decoder\":{\"type\":\"X\"}"), "'decoder': type 'X' is not supported"},
        {WORDS(",\"post_processor\":{\"type\":\"X\"}"), "'post_processor': type 'X' is not"},
        {WORDS(",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",3],"
               "\"sep\":[\"b\",9]}"), "'post_processor': 9 is not a token"},
        {WORDS(",\"added_tokens\":[{\"content\":\"x\"}]"), "'x' has no id"},
        {WORDS(",\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":"
               "{\"Regex\":\"(a\"}}"), "pattern '(a'"},
        {WORDS("},{"), "expected nothing after the document"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        tok *t = NULL;
        hearth_err err = ERR_INIT;
        hearth_status status = tok_open_json(str_from(cases[i].json), (str){"", 0}, &t, &err);
        if (status == HEARTH_OK || t || !strstr(err.msg, cases[i].message)) {
            fail_msg("case %zu: '%s'", i, err.msg);
        }
    }
}

// Nested repeats try 2^n ways on n letters.
static void test_pattern_without_end(void **state)
{
    (void)state;
    tok *t = NULL;
    hearth_err err = ERR_INIT;
    str json = STR(WORDS(",\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\","
                         "\"pattern\":{\"Regex\":\"(?:a|aa)+$\"}}"));
    if (tok_open_json(json, (str){"", 0}, &t, &err) != HEARTH_OK) {
        assert_true(needs_absent_library(&err));
        skip();
    }
    char text[200];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    tok_ids ids = {0};
    assert_int_equal(tok_encode(t, (str){text, sizeof text}, (tok_options){0}, &ids, &err),
                     HEARTH_E_LIMIT);
    assert_string_equal(err.msg, "pattern '(?:a|aa)+$' takes too many steps "
                                 "on a text of 200 bytes");
    assert_int_equal(ids.n, 0);
    tok_ids_release(&ids);
    tok_free(t);
}

// Bytes that are not UTF-8 go through byte-level models and come back.
static void test_broken_bytes(void **state)
{
    (void)state;
    buf json;
    buf_init(&json, MEM_TEST, 1 << 16);
    buf_append_str(&json, STR("{\"pre_tokenizer\":{\"type\":\"ByteLevel\","
                              "\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"},"
                              "\"model\":{\"vocab\":{"));
    for (int b = 0; b < 256; b++) { // every byte, as the library spells it
        bool plain = (b > 32 && b < 127) || (b > 160 && b != 173);
        int cp = plain ? b : b <= 32 ? 256 + b : b == 173 ? 323 : 289 + b - 127;
        buf_printf(&json, "%s\"\\u%04x\":%d", b ? "," : "", (unsigned)cp, b);
    }
    buf_append_str(&json, STR("},\"merges\":[],\"type\":\"BPE\"}}"));
    tok *t = open_text(json.p, "");
    str text = STR("a\xFF\xC3(\x80\x00\xE4\xB8\xF0\x9F\x98\x80 \xED\xA0\x80z");
    tok_ids ids = {0};
    tok_stream s;
    buf out;
    buf_init(&out, MEM_TEST, 1 << 10);
    tok_stream_init(&s);
    assert_int_equal(tok_encode(t, text, (tok_options){0}, &ids, NULL), HEARTH_OK);
    assert_int_equal(ids.n, text.n);
    for (size_t i = 0; i < ids.n; i++) {
        assert_int_equal(ids.id[i], (uint8_t)text.p[i]);
        assert_int_equal(tok_stream_put(t, &s, ids.id[i], false, &out), HEARTH_OK);
    }
    assert_int_equal(tok_stream_flush(&s, false, &out), HEARTH_OK);
    assert_true(str_eq(buf_str(&out), text));
    buf_release(&out);
    tok_ids_release(&ids);
    tok_free(t);
    buf_release(&json);
}

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

// A file whose tokenizer has no GGUF name, or one that nobody knows, but its tokenizer.json.
static void open_file_with_json(const char *model, gguf **g, buf *bytes, tok **t)
{
    gguf_writer *w = NULL;
    hearth_err err = ERR_INIT;
    str json = STR(WORDS(""));
    buf_init(bytes, MEM_TEST, 1 << 16);
    assert_int_equal(gguf_writer_create(append, bytes, &w, NULL), HEARTH_OK);
    if (model) gguf_write_str(w, "tokenizer.ggml.model", str_from(model), NULL);
    gguf_write_str(w, "tokenizer.huggingface.json", json, NULL);
    gguf_write_u32(w, "tokenizer.ggml.eos_token_id", 2, NULL);
    assert_int_equal(gguf_write_header(w, NULL), HEARTH_OK);
    assert_int_equal(gguf_write_end(w, NULL), HEARTH_OK);
    gguf_writer_free(w);
    gguf_bytes part = {"test", (const uint8_t *)bytes->p, bytes->n};
    if (gguf_open(&part, 1, g, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    if (tok_open(*g, t, &err) != HEARTH_OK) fail_msg("%s", err.msg);
}

static void test_in_gguf(void **state)
{
    (void)state;
    static const char *const models[] = {NULL, "none"};
    for (size_t i = 0; i < COUNTOF(models); i++) {
        gguf *g;
        tok *t;
        buf bytes;
        open_file_with_json(models[i], &g, &bytes, &t);
        assert_string_equal(tok_kind_name(t), "json/words");
        assert_int_equal(tok_specials(t)->eos, 2);
        assert_true(tok_is_end(t, 2));
        assert_int_equal(tok_specials(t)->unk, 0);
        check_ids(t, "hello", (tok_options){true, true}, 1, (int32_t[]){1});
        tok_free(t);
        gguf_close(g);
        buf_release(&bytes);
    }
}

static hearth_status open_and_encode(str json, hearth_err *err)
{
    tok *t;
    tok_ids ids = {0};
    str text = STR("hello  KEY e\u0301 12ab <s> x");
    HEARTH_TRY(tok_open_json(json, STR("{\"bos_token\":\"<s>\"}"), &t, err));
    hearth_status status = tok_encode(t, text, (tok_options){true, true}, &ids, err);
    tok_ids_release(&ids);
    tok_free(t);
    return status;
}

// The n-th allocation fails, for every n: always HEARTH_E_NOMEM, and nothing is left behind.
static void test_no_memory(void **state)
{
    (void)state;
    str json = STR(WORDS(",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
                         "\"NFC\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"z+|q\"},"
                         "\"content\":\"y\"}]},\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":"
                         "\"Isolated\",\"pattern\":{\"Regex\":\"[^\\\\W\\\\d]+|.\"}},"
                         "\"added_tokens\":[{\"id\":5,\"content\":\"KEY\"},"
                         "{\"id\":6,\"content\":\"<s>\",\"special\":true}]"));
    hearth_err first = ERR_INIT;
    if (open_and_encode(json, &first) != HEARTH_OK) {
        if (!needs_absent_library(&first)) fail_msg("%s", first.msg);
        skip();
    }
    size_t before = mem_get_total().now_bytes;
    hearth_status status = HEARTH_E_NOMEM;
    for (uint64_t n = 1; status != HEARTH_OK; n++) {
        hearth_err err = ERR_INIT;
        mem_fail_nth(n, n % 2);
        status = open_and_encode(json, &err);
        mem_fail_nth(0, false);
        if (status != HEARTH_OK && status != HEARTH_E_NOMEM) fail_msg("n %d: %s", (int)n, err.msg);
        assert_int_equal(mem_get_total().now_bytes, before);
        assert_true(n < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_pattern_without_end),
        cmocka_unit_test(test_broken_bytes),
        cmocka_unit_test(test_in_gguf),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
