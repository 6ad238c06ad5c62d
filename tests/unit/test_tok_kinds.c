// Unigram, WordPiece, RWKV, PLaMo 2, DNA and splits on small vocabularies made here; hostile rules,
// memory failures, and texts that would take forever if a matcher went over them again and again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/vocab_file.h"
#include "tok/charsmap.h"
#include "tok/fold.h"
#include "tok/split.h"
#include "tok/split_match.h"
#include "tok/tok.h"

typedef struct model {
    buf bytes;
    gguf *g;
    tok *t;
    hearth_err err;
} model;

static test_vocab vocab; // too large for the stack of some platforms

static hearth_status open_vocab(model *m)
{
    *m = (model){.err = ERR_INIT};
    buf_init(&m->bytes, MEM_TEST, 1 << 20);
    assert_true(test_vocab_write(&vocab, &m->bytes));
    gguf_bytes part = {"test", (const uint8_t *)m->bytes.p, m->bytes.n};
    assert_int_equal(gguf_open(&part, 1, &m->g, &m->err), HEARTH_OK);
    return tok_open(m->g, &m->t, &m->err);
}

static void open_good(model *m)
{
    if (open_vocab(m) != HEARTH_OK) fail_msg("%s", m->err.msg);
}

static void close_vocab(model *m)
{
    tok_free(m->t);
    gguf_close(m->g);
    buf_release(&m->bytes);
}

static const tok_options PLAIN = {false, false}, PARSE = {false, true}, ADD = {true, false};

// `expected`: spellings separated by blanks.
static void check_encoding(const tok *t, const char *text, tok_options o, const char *expected)
{
    tok_ids ids = {0};
    hearth_err err = ERR_INIT;
    if (tok_encode(t, str_from(text), o, &ids, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    buf got;
    buf_init(&got, MEM_TEST, 1 << 16);
    for (size_t i = 0; i < ids.n; i++) {
        if (i) buf_append_char(&got, ' ');
        buf_append_str(&got, tok_text(t, ids.id[i]));
    }
    assert_string_equal(buf_str(&got).p, expected);
    buf_release(&got);
    tok_ids_release(&ids);
}

// Encodes and decodes.
static void check_back(const tok *t, const char *text, const char *expected)
{
    tok_ids ids = {0};
    tok_stream s;
    buf out;
    buf_init(&out, MEM_TEST, 1 << 16);
    tok_stream_init(&s);
    assert_int_equal(tok_encode(t, str_from(text), PLAIN, &ids, NULL), HEARTH_OK);
    for (size_t i = 0; i < ids.n; i++) {
        assert_int_equal(tok_stream_put(t, &s, ids.id[i], false, &out), HEARTH_OK);
    }
    assert_int_equal(tok_stream_flush(&s, false, &out), HEARTH_OK);
    assert_string_equal(buf_str(&out).p, expected);
    buf_release(&out);
    tok_ids_release(&ids);
}

static void check_refused(hearth_status status, const char *message)
{
    model m;
    assert_int_equal(open_vocab(&m), status);
    assert_null(m.t);
    if (!strstr(m.err.msg, message)) fail_msg("'%s' is not in '%s'", message, m.err.msg);
    close_vocab(&m);
}

static void test_unigram(void **state)
{
    (void)state;
    model m;
    test_vocab_t5(&vocab, false);
    open_good(&m);
    check_encoding(m.t, "hello", PLAIN, "\u2581hello"); // -9.5 against -11 with the space alone
    check_encoding(m.t, "xhello", PLAIN, "\u2581 <unk> hello");
    check_encoding(m.t, "xyz \xFFq", PLAIN, "\u2581 <unk> \u2581 <unk>"); // a run is one
    check_encoding(m.t, "  hello", PLAIN, "\u2581 \u2581 \u2581hello");
    check_encoding(m.t, "hello<tool>he", PLAIN, "\u2581hello <tool> \u2581he");
    check_back(m.t, "hello hello", "hello hello");
    close_vocab(&m);
    test_vocab_t5(&vocab, true);
    vocab.add_eos = vocab.remove_extra_spaces = true;
    open_good(&m);
    check_encoding(m.t, "  x  hello ", ADD, "\u2581 <0x78> \u2581hello </s>");
    check_encoding(m.t, "   ", PLAIN, "");
    check_back(m.t, "hello w\u00f6", "hello w\u00f6");
    close_vocab(&m);
}

static void test_unigram_refused(void **state)
{
    (void)state;
    static const char bad[][8] = {{1, 0, 0, 0, 0}, {4, 0, 0, 0, 0, 0, 0, 0}, {0}, {1}};
    static const size_t sizes[] = {5, 8, 6, 3};
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        test_vocab_t5(&vocab, false);
        vocab.charsmap = (str){bad[i], sizes[i]};
        check_refused(HEARTH_E_FORMAT, "'tokenizer.ggml.precompiled_charsmap'");
    }
    char huge[600];
    memset(huge, 'x', sizeof huge);
    test_vocab_t5(&vocab, false);
    vocab.text[3] = (str){huge, sizeof huge};
    check_refused(HEARTH_E_LIMIT, "token 3 has 600 bytes, at most 512");
    test_vocab_rwkv(&vocab);
    vocab.text[3] = (str){huge, sizeof huge};
    check_refused(HEARTH_E_LIMIT, "token 3 has more than 512 bytes");
}

// Random arrays: nothing outside is read (the sanitizers look), matches stay inside the text.
static void test_hostile_rules(void **state)
{
    (void)state;
    rng r;
    rng_seed(&r, 21);
    for (int round = 0; round < 3000; round++) {
        uint8_t data[4 + 4 * 16 + 4] = {4 * 16};
        for (size_t i = 4; i + 1 < sizeof data; i++) data[i] = (uint8_t)rng_below(&r, 256);
        for (size_t i = 0; i < 16; i++) { // small offsets and labels, so that walks go on
            data[4 + 4 * i] &= 0x0F;
            data[6 + 4 * i] = 0;
            data[7 + 4 * i] &= 0x80;
        }
        charsmap m;
        assert_int_equal(charsmap_open(&m, data, sizeof data, NULL), HEARTH_OK);
        char text[8];
        for (size_t i = 0; i < sizeof text; i++) text[i] = (char)rng_below(&r, 16);
        str with = {0};
        size_t n = charsmap_match(&m, (str){text, sizeof text}, &with);
        assert_true(n <= sizeof text);
        if (n) assert_true(with.p >= (char *)data && with.p + with.n < (char *)data + sizeof data);
    }
}

static void test_wordpiece(void **state)
{
    (void)state;
    model m;
    test_vocab_bert(&vocab);
    open_good(&m);
    check_encoding(m.t, "Hello, w\u00f6rld! h\u00c9llo", PLAIN,
                   "\u2581hello [UNK] \u2581world \u2581! \u2581hello");
    check_encoding(m.t, "hellos heo\u4e16\u4e16", ADD,
                   "[CLS] \u2581hello s \u2581he o \u2581\u4e16 \u2581\u4e16 [SEP]");
    check_encoding(m.t, "he\u00adllo he\x01 \xFFhe", PLAIN, "\u2581hello \u2581he \u2581he");
    check_encoding(m.t, "he\u2581he", PLAIN, "[UNK]"); // its own mark cannot be spelled
    check_encoding(m.t, "hello<tool>[SEP]", PARSE, "\u2581hello <tool> [SEP]");
    check_back(m.t, "Hellos world!", "hellos world !");
    char room[300];
    memset(room, 'l', sizeof room);
    room[0] = 'h', room[100] = 0;
    tok_ids ids = {0};
    assert_int_equal(tok_encode(m.t, str_from(room), PLAIN, &ids, NULL), HEARTH_OK);
    assert_int_equal(ids.n, 100);
    room[100] = 'l', room[101] = 0;
    check_encoding(m.t, room, PLAIN, "[UNK]");
    tok_ids_release(&ids);
    close_vocab(&m);
    test_vocab_bert(&vocab); // the published spelling
    for (int i = 4; i < 16; i++) {
        str s = vocab.text[i];
        if (str_starts(s, STR("\u2581"))) vocab.text[i] = (str){s.p + 3, s.n - 3};
    }
    vocab.text[test_vocab_find(&vocab, "llo")] = STR("##llo");
    open_good(&m);
    check_encoding(m.t, "hello heLLO llo", PLAIN, "hello hello [UNK]");
    check_encoding(m.t, "HELLO WORLD", PLAIN, "hello world");
    close_vocab(&m);
}

static void test_fold(void **state)
{
    (void)state;
    uint32_t out[FOLD_MAX];
    assert_int_equal(fold_strip(0xE9, out), 1);
    assert_int_equal(out[0], 'e');
    assert_int_equal(fold_strip(0x301, out), 0);
    assert_int_equal(fold_strip(0xAC01, out), 3); // a syllable of three letters
    assert_true(out[0] == 0x1100 && out[1] == 0x1161 && out[2] == 0x11A8);
    assert_int_equal(fold_strip(0xAC00, out), 2);
    assert_int_equal(fold_strip(0x10FFFF, out), 1);
    assert_int_equal(fold_lower(0x130, out), 2);
    assert_int_equal(fold_lower(0x1E921, out), 1);
    assert_int_equal(out[0], 0x1E943);
    assert_int_equal(fold_lower(0x1E922, out), 1);
    assert_int_equal(out[0], 0x1E922);
    assert_int_equal(fold_lower(0x101, out), 1); // between two of a run with step 2
    assert_int_equal(out[0], 0x101);
}

static void test_rwkv(void **state)
{
    (void)state;
    model m;
    test_vocab_rwkv(&vocab);
    open_good(&m);
    check_encoding(m.t, "hello hellohe", PLAIN, "hello  hello he");
    check_encoding(m.t, "\n\n\n's", PLAIN, "\\n\\n \\x0a \\'s");
    check_encoding(m.t, "\t\r\\\u4e16\xE4", PLAIN, "\\t\\r\\\\ \\xe4\\xb8\\x96 \\xe4");
    check_back(m.t, "a\t\r\\\n\n\x01\xFFhello's\u4e16", "a\t\r\\\n\n\x01\xFFhello's\u4e16");
    close_vocab(&m);
    vocab.text[1 + 'q'] = STR("\\x7");
    open_good(&m);
    tok_ids ids = {0};
    assert_int_equal(tok_encode(m.t, STR("he"), PLAIN, &ids, &m.err), HEARTH_OK);
    assert_int_equal(tok_encode(m.t, STR("heq"), PLAIN, &ids, &m.err), HEARTH_E_FORMAT);
    assert_int_equal(ids.n, 1); // as before the failed call
    tok_ids_release(&ids);
    assert_non_null(strstr(m.err.msg, "no token for byte 0x71"));
    close_vocab(&m);
}

static void test_raw(void **state)
{
    (void)state;
    model m;
    test_vocab_raw(&vocab);
    open_good(&m);
    check_encoding(m.t, "hello hello", ADD, "<s> hello \u2581hello"); // no space in front
    check_encoding(m.t, "  h  \u00f6", PLAIN, "\u2581\u2581 h \u2581\u2581 <0xC3> <0xB6>");
    check_encoding(m.t, "\n\n\nhe\n\n", PLAIN, "\n\n\n he \n \n"); // no merge makes three
    check_back(m.t, " hello  w\u00f6\xFF\n\n\n", " hello  w\u00f6\xFF\n\n\n");
    assert_string_equal(tok_kind_name(m.t), "gemma4");
    close_vocab(&m);
}

static void test_plamo(void **state)
{
    (void)state;
    model m;
    test_vocab_plamo(&vocab);
    open_good(&m);
    check_encoding(m.t, "hello", ADD, "hel lo"); // -8, as "he llo": the longer comes first
    check_encoding(m.t, " hello", PLAIN, "  hel lo"); // -10; " h e llo" is -12
    check_encoding(m.t, "llhe", PLAIN, "ll he"); // as "l l": the longer
    check_encoding(m.t, "\ufeffh\u00e9\u4e16\xFF", PLAIN, "h <0xC3> <0xA9> \u4e16 <0xFF>");
    check_encoding(m.t, "qz", PLAIN, "<0x71> <0x7A>"); // as bytes it costs less; worth nothing
    check_encoding(m.t, "</s>he<tool>he", PLAIN, // control tokens are no words
                   "<0x3C> <0x2F> <0x73> <0x3E> he <tool> he");
    check_encoding(m.t, "</s>he", PARSE, "</s> he");
    check_back(m.t, "hello  w\u00f6\xFF\n\n", "hello  w\u00f6\xFF\n\n");
    assert_string_equal(tok_kind_name(m.t), "plamo2");
    close_vocab(&m);
    vocab.score[260] = 1e9f;
    check_refused(HEARTH_E_LIMIT, "token 260 has 1 bytes and a score of 1e+09");
}

static void test_dna(void **state)
{
    (void)state;
    model m;
    test_vocab_dna(&vocab);
    open_good(&m);
    check_encoding(m.t, "hello<dna>acgtacCCCCCCCc</dna>he<dna>NNNNNNA", PLAIN,
                   "hello <dna> ACGTAC\ue000 CCCCCC\ue000 CCAAAA\ue000 </dna> he <dna> "
                   "<oov> <oov>");
    check_encoding(m.t, "he</dna>CC<dna></dna><dna>", PLAIN, // an end without a beginning is text
                   "he < / d n a > C C <dna> </dna> <dna>");
    check_back(m.t, "<dna>ACGTACCC</dna>CC hello", "<dna>ACGTACCCAAAA</dna>CC hello");
    close_vocab(&m);
    vocab.text[test_vocab_find(&vocab, "<oov>")] = STR("<none>");
    open_good(&m);
    check_encoding(m.t, "<dna>he", PLAIN, "< d n a > he");
    close_vocab(&m);
}

static void test_whitespace(void **state)
{
    (void)state;
    model m;
    test_vocab_whitespace(&vocab);
    open_good(&m);
    check_encoding(m.t, " hello  he\n\u3000\u4e16llo ", PLAIN, "hello he \u4e16 llo");
    check_encoding(m.t, "He \xFF\u4e17xy", PLAIN, "<unk> e <unk> <unk> <unk> <unk>");
    close_vocab(&m);
    vocab.lowers = true;
    open_good(&m);
    check_encoding(m.t, "HELLO h\u00c9", PLAIN, "hello h \u00e9");
    close_vocab(&m);
}

static size_t count_words(const char *pre, str text)
{
    const word_split *split = split_find(str_from(pre));
    split_cursor c = {0};
    size_t n = 0;
    for (size_t at = 0; at < text.n; n++) at = split_next(split, &c, text, at);
    return n;
}

static void test_digit_groups(void **state)
{
    (void)state;
    static char text[100000]; // its lead must not be looked for at each digit
    memset(text, '7', sizeof text);
    text[sizeof text - 1] = 'a';
    static const char *const splits[] = {"superbpe", "afmoe", "tiny_aya"};
    for (size_t i = 0; i < COUNTOF(splits); i++) {
        assert_int_equal(count_words(splits[i], (str){text, 1531}), 511);
        assert_int_equal(count_words(splits[i], (str){text, sizeof text}), 33334);
        assert_int_equal(count_words(splits[i], STR("x1234 1234567.12")), 9);
    }
    assert_int_equal(count_words("tiny_aya", STR("1234")), 2);  // 1 234
    assert_int_equal(count_words("tiny_aya", STR("1234a")), 3); // 123 4 a
    assert_int_equal(count_words("tiny_aya", STR("12345a")), 3);
    assert_int_equal(count_words("afmoe", STR("1234567a")), 4);
}

// White space behind special tokens, for models whose name says so.
static void test_strip(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    vocab.name = "Phi-3 mini";
    open_good(&m);
    check_encoding(m.t, "<|user|>\n hello", PARSE, "<|user|> \u2581hello");
    check_encoding(m.t, "hello <|user|> \n<tool> \t", PARSE, "\u2581hello \u2581 <|user|> <tool>");
    check_encoding(m.t, "<s> hello", PARSE, "<s> \u2581 \u2581hello");
    check_encoding(m.t, "<unk> hello", PARSE, "<unk> \u2581 \u2581hello");
    check_encoding(m.t, "</s> \v\f\rhello", PARSE, "</s> \u2581hello");
    close_vocab(&m);
    vocab.name = "other";
    open_good(&m);
    check_encoding(m.t, "<|user|> hello", PARSE, "<|user|> \u2581 \u2581hello");
    close_vocab(&m);
    test_vocab_bpe(&vocab, "jina-v2-code");
    test_vocab_add(&vocab, "<mask>", 0, TOK_CONTROL);
    open_good(&m);
    check_encoding(m.t, "hello \n<mask> he", PARSE, "hello <mask> \u0120 he");
    close_vocab(&m);
}

// Names of fill-in-the-middle marks and ends that the file does not give ids for.
static void test_known_names(void **state)
{
    (void)state;
    model m;
    test_vocab_bpe(&vocab, "deepseek-coder");
    int begin = test_vocab_add(&vocab, "<\uff5cfim\u2581begin\uff5c>", 0, TOK_NORMAL);
    int hole = test_vocab_add(&vocab, "<\uff5cfim\u2581hole\uff5c>", 0, TOK_CONTROL);
    int end = test_vocab_add(&vocab, "<\uff5cfim\u2581" "end\uff5c>", 0, TOK_CONTROL);
    int turn = test_vocab_add(&vocab, "<turn|>", 0, TOK_NORMAL);
    open_good(&m);
    const tok_special *s = tok_specials(m.t);
    assert_true(s->fim_pre == begin && s->fim_suf == hole && s->fim_mid == end);
    assert_int_equal(tok_get_attr(m.t, begin), TOK_CONTROL);
    assert_true(tok_is_end(m.t, turn) && !tok_is_end(m.t, end));
    close_vocab(&m);
    test_vocab_bpe(&vocab, "gpt-2");
    int prefix = test_vocab_add(&vocab, "<|code_prefix|>", 0, TOK_CONTROL);
    open_good(&m);
    assert_int_equal(tok_specials(m.t)->fim_pre, prefix);
    assert_int_equal(tok_specials(m.t)->fim_file, TOK_NONE);
    close_vocab(&m);
}

// The six marks as the families that fill in the middle spell them: Qwen Coder, Granite and
// StarCoder, StarCoder 2, CodeGemma, Code Llama.
static void test_fill_in_the_middle(void **state)
{
    (void)state;
    static const char *const families[][6] = { // NULL: the family has none
        {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>",
         "<|file_sep|>"},
        {"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<reponame>", NULL},
        {"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<repo_name>", "<file_sep>"},
        {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", NULL, NULL, "<|file_separator|>"},
        {"\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", NULL, NULL, NULL},
    };
    for (size_t f = 0; f < COUNTOF(families); f++) {
        model m;
        int32_t want[6];
        test_vocab_bpe(&vocab, "gpt-2");
        for (int i = 0; i < 6; i++) {
            const char *text = families[f][i];
            want[i] = text ? test_vocab_add(&vocab, text, 0, TOK_CONTROL) : TOK_NONE;
        }
        open_good(&m);
        const tok_special *s = tok_specials(m.t);
        const int32_t got[6] = {s->fim_pre, s->fim_suf, s->fim_mid, s->fim_pad, s->fim_repo,
                                s->fim_file};
        for (int i = 0; i < 6; i++) {
            assert_int_equal(got[i], want[i]);
            if (want[i] != TOK_NONE) assert_int_equal(tok_is_end(m.t, want[i]), i >= 3);
        }
        close_vocab(&m);
    }
}

// How many characters a matcher takes behind `front`, and the hash of golden/tok/gen_texts.py.
static void check_list(split_match match, const char *front, uint32_t count, uint32_t hash)
{
    uint32_t n = 0, h = 0x811C9DC5u;
    size_t front_n = strlen(front);
    char text[8];
    memcpy(text, front, front_n);
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        if (cp >= 0xD800 && cp < 0xE000) continue;
        size_t end = front_n + utf8_encode(cp, text + front_n);
        if (match((str){text, end}, 0) != end) continue;
        n++;
        for (int i = 0; i < 4; i++) h = (h ^ (cp >> 8 * i & 0xFF)) * 0x01000193u;
    }
    assert_int_equal(n, count);
    assert_int_equal(h >> 8, hash);
}

// Figures from "golden/tok/gen_splits.py lists".
static void test_listed_characters(void **state)
{
    (void)state;
    check_list(match_cased, "", 2729, 0x952e25);
    check_list(match_kimi, "\u4e16", 103352, 0x6b8c19);
}

static void test_halved_spaces(void **state)
{
    (void)state;
    char text[2048];
    memset(text, ' ', sizeof text);
    assert_int_equal(count_words("jais-2", (str){text, 512}), 1);
    assert_int_equal(count_words("jais-2", (str){text, 513}), 2);
    assert_int_equal(count_words("jais-2", (str){text, 511}), 9); // 256, 128 ... 4, 2 and 1
    text[513] = 'x';
    assert_int_equal(count_words("jais-2", (str){text, 514}), 2); // 512, and one with the x
}

// Each would take hours if it cost the square of the length.
static void test_long_runs(void **state)
{
    (void)state;
    static const char *const parts[] = {" ", "\n ", "1", "a", "\u4e16", "\u4e16A", "A", "'",
                                        "\u0301", "! ", "\xFF", " a", "\u3000", ".", "\x01",
                                        "12\u00bd", "<sentinel:1", "IMGIMGA"};
    static const char *const splits[] = {
        "default", "falcon", "starcoder", "llama3", "qwen35", "gpt-4o", "tekken", "deepseek-llm",
        "deepseek-coder", "deepseek-v3", "spark2_5", "youtu", "viking", "seed-coder", "jais-2",
        "exaone-moe", "laguna", "minicpm5", "superbpe", "afmoe", "chameleon", "tiny_aya",
        "whitespace"};
    const size_t n = 100000;
    char *text = malloc(n);
    assert_non_null(text);
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        size_t part_n = strlen(parts[i]), whole = n / part_n * part_n;
        for (size_t at = 0; at < whole; at++) text[at] = parts[i][at % part_n];
        for (size_t k = 0; k < COUNTOF(splits); k++) {
            assert_true(count_words(splits[k], (str){text, whole}) > 0);
            text[whole - 1] ^= 1; // something else at the end
            assert_true(count_words(splits[k], (str){text, whole}) > 0);
            text[whole - 1] ^= 1;
        }
    }
    free(text);
}

enum { KINDS = 8 };

static void make_kind(int kind)
{
    static const char rules[] = {8, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 'x', 0};
    switch (kind) {
    case 0: test_vocab_t5(&vocab, true); vocab.charsmap = (str){rules, sizeof rules}; break;
    case 1: test_vocab_bert(&vocab); break;
    case 2: test_vocab_rwkv(&vocab); break;
    case 3: test_vocab_raw(&vocab); break;
    case 4: test_vocab_plamo(&vocab); break;
    case 5: test_vocab_dna(&vocab); break;
    case 6: test_vocab_whitespace(&vocab); vocab.lowers = true; break;
    default: test_vocab_bpe(&vocab, "deepseek-llm"); break;
    }
}

static void test_open_without_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        model m;
        make_kind(kind);
        open_good(&m);
        tok_free(m.t);
        size_t before = mem_get_total().now_bytes;
        hearth_status status = HEARTH_E_NOMEM;
        for (uint64_t n = 1; status != HEARTH_OK; n++) {
            assert_true(n < 1000);
            mem_fail_nth(n, n % 2);
            status = tok_open(m.g, &m.t, NULL);
            mem_fail_nth(0, false);
            if (status == HEARTH_OK) break;
            assert_int_equal(status, HEARTH_E_NOMEM);
            assert_null(m.t);
            assert_int_equal(mem_get_total().now_bytes, before);
        }
        close_vocab(&m);
    }
}

static void test_encode_without_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        model m;
        make_kind(kind);
        open_good(&m);
        char text[4096];
        memset(text, 'o', sizeof text);
        memcpy(text, "hello hello<tool>he ", 20);
        hearth_status status = HEARTH_E_NOMEM;
        for (uint64_t n = 1; status != HEARTH_OK; n++) {
            tok_ids ids = {0};
            assert_true(n < 1000);
            mem_fail_nth(n, n % 2);
            status = tok_encode(m.t, (str){text, sizeof text}, ADD, &ids, NULL);
            mem_fail_nth(0, false);
            if (status != HEARTH_OK) {
                assert_int_equal(status, HEARTH_E_NOMEM);
                assert_int_equal(ids.n, 0);
            }
            tok_ids_release(&ids);
        }
        close_vocab(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unigram),
        cmocka_unit_test(test_unigram_refused),
        cmocka_unit_test(test_hostile_rules),
        cmocka_unit_test(test_wordpiece),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_rwkv),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_plamo),
        cmocka_unit_test(test_dna),
        cmocka_unit_test(test_whitespace),
        cmocka_unit_test(test_digit_groups),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_listed_characters),
        cmocka_unit_test(test_known_names),
        cmocka_unit_test(test_fill_in_the_middle),
        cmocka_unit_test(test_halved_spaces),
        cmocka_unit_test(test_long_runs),
        cmocka_unit_test(test_open_without_memory),
        cmocka_unit_test(test_encode_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
