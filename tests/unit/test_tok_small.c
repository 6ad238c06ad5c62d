// Tokenizers on small vocabularies made here: special tokens, streaming, damage, memory failures.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "os/os.h"
#include "support/vocab_file.h"
#include "tok/tok.h"

typedef struct model {
    buf bytes;
    gguf *g;
    tok *t;
    hearth_err err;
} model;

static hearth_status open_vocab(const test_vocab *v, model *m)
{
    *m = (model){.err = ERR_INIT};
    buf_init(&m->bytes, MEM_TEST, 1 << 20);
    assert_true(test_vocab_write(v, &m->bytes));
    gguf_bytes part = {"test", (const uint8_t *)m->bytes.p, m->bytes.n};
    assert_int_equal(gguf_open(&part, 1, &m->g, &m->err), HEARTH_OK);
    return tok_open(m->g, &m->t, &m->err);
}

static void close_vocab(model *m)
{
    tok_free(m->t);
    gguf_close(m->g);
    buf_release(&m->bytes);
}

static test_vocab vocab; // too large for the stack of some platforms

static void open_good(model *m)
{
    if (open_vocab(&vocab, m) != HEARTH_OK) fail_msg("%s", m->err.msg);
}

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

static const tok_options PLAIN = {false, false}, PARSE = {false, true}, ADD = {true, false};

static void test_spm_merges(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    open_good(&m);
    // "ll" first, then "he", before the whole word is found; "world" ends in pieces.
    check_encoding(m.t, "hello", PLAIN, "\u2581hello");
    check_encoding(m.t, "hello world", PLAIN, "\u2581hello \u2581 worl <0x64>");
    check_encoding(m.t, "", PLAIN, "");
    check_encoding(m.t, " ", PLAIN, "\u2581\u2581");
    check_encoding(m.t, "\u00e9\xFF", PLAIN, "\u2581 \u00e9 <0xFF>");
    check_encoding(m.t, "hello", ADD, "<s> \u2581hello");
    assert_string_equal(tok_kind_name(m.t), "llama");
    close_vocab(&m);
}

static void test_spm_spaces(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    vocab.no_space_prefix = vocab.add_eos = true;
    open_good(&m);
    check_encoding(m.t, "hello hello", ADD, "<s> hello \u2581hello </s>");
    buf out;
    buf_init(&out, MEM_TEST, 1 << 10);
    int word = test_vocab_find(&vocab, "\u2581hello");
    assert_int_equal(tok_decode_one(m.t, word, false, true, &out), HEARTH_OK);
    assert_string_equal(out.p, " hello"); // nothing was put in front, so nothing is taken off
    buf_release(&out);
    close_vocab(&m);
    test_vocab_spm(&vocab);
    vocab.remove_extra_spaces = true;
    open_good(&m);
    check_encoding(m.t, "  hello   hello ", PLAIN, "\u2581hello \u2581hello");
    check_encoding(m.t, "   ", PLAIN, "");
    close_vocab(&m);
}

static void test_bpe_merges(void **state)
{
    (void)state;
    model m;
    test_vocab_bpe(&vocab, "gpt-2");
    open_good(&m);
    check_encoding(m.t, "hello hello", PLAIN, "hello \u0120hello");
    check_encoding(m.t, "helo", PLAIN, "he lo");
    // "l l" ranks before "l o": the leftmost of the two possible pairs wins in "lll".
    check_encoding(m.t, "lllo", PLAIN, "ll lo");
    check_encoding(m.t, "hello'shello", PLAIN, "hello ' s hello");
    assert_string_equal(tok_kind_name(m.t), "gpt2/gpt-2");
    close_vocab(&m);
    vocab.merge[vocab.n_merges++] = vocab.merge[0]; // a second mention changes nothing
    open_good(&m);
    check_encoding(m.t, "llo", PLAIN, "llo");
    close_vocab(&m);
}

static void test_special_tokens(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    open_good(&m);
    // Without parse_special nothing in the text becomes a control token, user-defined ones do.
    check_encoding(m.t, "<s>", PLAIN, "\u2581 <0x3C> <0x73> <0x3E>");
    check_encoding(m.t, "<s><|user|>hello<|im_end|>", PARSE,
                   "<s> <|user|> \u2581hello <|im_end|>");
    check_encoding(m.t, "<tool>s<tool>", PLAIN, "<tool>s <tool>");
    check_encoding(m.t, "<tool", PARSE, "\u2581 <0x3C> <0x74> o o l");
    check_encoding(m.t, "<pad>", PARSE, "\u2581 <0x3C> <0x70> <0x61> <0x64> <0x3E>");
    assert_true(tok_is_end(m.t, 2));
    assert_true(tok_is_end(m.t, test_vocab_find(&vocab, "<|im_end|>")));
    assert_false(tok_is_end(m.t, test_vocab_find(&vocab, "<|user|>")));
    assert_false(tok_is_end(m.t, -1));
    assert_int_equal(tok_specials(m.t)->eot, test_vocab_find(&vocab, "<|im_end|>"));
    close_vocab(&m);
}

// Where a token spells a word, merges of the text must not be able to make a control token.
static void test_no_injection(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    test_vocab_add(&vocab, "<", 1, TOK_NORMAL);
    test_vocab_add(&vocab, "s>", 3, TOK_NORMAL);
    test_vocab_add(&vocab, "s", 1, TOK_NORMAL);
    test_vocab_add(&vocab, ">", 1, TOK_NORMAL);
    open_good(&m);
    check_encoding(m.t, "<s>", PLAIN, "\u2581 < s>");
    close_vocab(&m);
    test_vocab_bpe(&vocab, "llama-bpe");
    vocab.type[test_vocab_find(&vocab, "hello")] = TOK_CONTROL;
    open_good(&m);
    check_encoding(m.t, "hello", PLAIN, "he llo");
    close_vocab(&m);
}

static void test_ends(void **state)
{
    (void)state;
    model m;
    test_vocab_bpe(&vocab, "gpt-2");
    int eom = test_vocab_add(&vocab, "<|eom_id|>", 0, TOK_NORMAL);
    int html = test_vocab_add(&vocab, "</s>", 0, TOK_NORMAL);
    int end = test_vocab_add(&vocab, "<|end|>", 0, TOK_CONTROL);
    open_good(&m);
    assert_true(tok_is_end(m.t, eom) && tok_is_end(m.t, end));
    assert_int_equal(tok_get_attr(m.t, eom), TOK_CONTROL);
    assert_false(tok_is_end(m.t, html));
    close_vocab(&m);
    test_vocab_add(&vocab, "<|return|>", 0, TOK_CONTROL);
    test_vocab_add(&vocab, "<|call|>", 0, TOK_CONTROL);
    open_good(&m);
    assert_false(tok_is_end(m.t, end));
    assert_true(tok_is_end(m.t, vocab.n - 1) && tok_is_end(m.t, vocab.n - 2));
    close_vocab(&m);
}

static void test_unknown(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    for (int i = 3; i < 259; i++) vocab.type[i] = TOK_UNUSED;
    open_good(&m);
    check_encoding(m.t, "h??\u4e16o?", PLAIN, "\u2581h <unk> o <unk>");
    close_vocab(&m);
    test_vocab_bpe(&vocab, "gpt-2"); // no unknown token there
    vocab.text['x'] = STR("question");
    open_good(&m);
    check_encoding(m.t, "xhexllo ox", PLAIN, "hello \u0120 o"); // left out, then merged
    check_encoding(m.t, "x", PLAIN, "");
    close_vocab(&m);
    vocab.unk = test_vocab_find(&vocab, "<|im_end|>"); // which text must not make
    open_good(&m);
    check_encoding(m.t, "xhexllo ox", PLAIN, "hello \u0120 o");
    close_vocab(&m);
    test_vocab_spm(&vocab);
    for (int i = 3; i < 259; i++) vocab.type[i] = TOK_UNUSED;
    vocab.text[0] = STR("<|fim_middle|>");
    open_good(&m);
    check_encoding(m.t, "h?", PLAIN, "\u2581h <|fim_middle|>");
    assert_int_equal(tok_get_attr(m.t, 0), TOK_UNKNOWN);
    close_vocab(&m);
}

static void test_streaming(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    open_good(&m);
    tok_ids ids = {0};
    tok_stream s;
    buf out;
    buf_init(&out, MEM_TEST, 1 << 16);
    tok_stream_init(&s);
    assert_int_equal(tok_encode(m.t, STR("hello\U0001F600\xE4\xB8"), ADD, &ids, NULL), HEARTH_OK);
    assert_int_equal(ids.n, 8); // <s>, one word, six bytes
    static const char *const after[] = {"",      "hello", "hello", "hello", "hello",
                                        "hello\U0001F600", "hello\U0001F600", "hello\U0001F600"};
    for (size_t i = 0; i < ids.n; i++) {
        assert_int_equal(tok_stream_put(m.t, &s, ids.id[i], false, &out), HEARTH_OK);
        assert_string_equal(buf_str(&out).p, after[i]);
    }
    assert_int_equal(tok_stream_flush(&s, true, &out), HEARTH_OK);
    assert_string_equal(out.p, "hello\U0001F600\uFFFD");
    buf_reset(&out);
    assert_int_equal(tok_decode_one(m.t, 1, true, false, &out), HEARTH_OK);
    int two_spaces = test_vocab_find(&vocab, "\u2581\u2581");
    assert_int_equal(tok_decode_one(m.t, two_spaces, false, true, &out), HEARTH_OK);
    assert_string_equal(out.p, "<s> ");
    assert_int_equal(tok_decode_one(m.t, vocab.n, false, false, &out), HEARTH_E_ARG);
    buf_release(&out);
    tok_ids_release(&ids);
    close_vocab(&m);
}

static str random_text(rng *r, char *room, size_t n)
{
    static const char *const parts[] = {" ", "  ", "h", "e", "l", "o", "hello", "w", "rl", "\u00e9",
                                        "\u4e16", "\n", "<tool>", "1", "'s", "\xC3", "\xFF"};
    size_t at = 0;
    for (uint32_t i = rng_below(r, 20); i > 0; i--) {
        const char *part = parts[rng_below(r, COUNTOF(parts))];
        size_t part_n = strlen(part);
        if (at + part_n > n) break;
        memcpy(room + at, part, part_n);
        at += part_n;
    }
    return (str){room, at};
}

// A token with U+2581 inside makes the encoder take the text as a whole; ids must stay the same.
static void test_words_equal_whole(void **state)
{
    (void)state;
    model words, whole;
    rng r;
    char room[256];
    tok_ids a = {0}, b = {0};
    test_vocab_spm(&vocab);
    open_good(&words);
    test_vocab_add(&vocab, "\u2581q", 90, TOK_NORMAL);
    test_vocab_add(&vocab, "q\u2581q", 100, TOK_NORMAL);
    open_good(&whole);
    check_encoding(whole.t, "q q", PLAIN, "\u2581q \u2581q"); // from the left, so none is left over
    check_encoding(whole.t, "oq q", PLAIN, "\u2581 o q\u2581q");
    rng_seed(&r, 11);
    for (int i = 0; i < 5000; i++) {
        str text = random_text(&r, room, sizeof room);
        a.n = b.n = 0;
        assert_int_equal(tok_encode(words.t, text, PLAIN, &a, NULL), HEARTH_OK);
        assert_int_equal(tok_encode(whole.t, text, PLAIN, &b, NULL), HEARTH_OK);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.id, b.id, a.n * sizeof *a.id);
    }
    tok_ids_release(&a);
    tok_ids_release(&b);
    close_vocab(&words);
    close_vocab(&whole);
}

// The plainest way to merge: look at all neighbours, join the best, again.
static void merge_slowly(const tok *t, str word, tok_ids *out)
{
    str part[256];
    size_t n = 0;
    for (size_t i = 0; i < word.n; i++) part[n++] = (str){word.p + i, 1};
    for (;;) {
        size_t best = SIZE_MAX;
        int best_rank = INT32_MAX;
        for (size_t i = 0; i + 1 < n; i++) {
            for (int k = 0; k < vocab.n_merges; k++) {
                str rest = vocab.merge[k], left = str_cut(&rest, ' ');
                if (str_eq(left, part[i]) && str_eq(rest, part[i + 1]) && k < best_rank) {
                    best_rank = k;
                    best = i;
                }
            }
        }
        if (best == SIZE_MAX) break;
        part[best].n += part[best + 1].n;
        memmove(&part[best + 1], &part[best + 2], (n - best - 2) * sizeof *part);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        for (int id = 0; id < tok_count(t); id++) {
            if (!str_eq(tok_text(t, id), part[i])) continue;
            out->id[out->n++] = id;
            break;
        }
    }
}

static void test_heap_equals_slow(void **state)
{
    (void)state;
    model m;
    rng r;
    test_vocab_bpe(&vocab, "gpt-2");
    open_good(&m);
    rng_seed(&r, 12);
    tok_ids fast = {0};
    int32_t room[256];
    tok_ids slow = {room, 0, COUNTOF(room)};
    for (int i = 0; i < 5000; i++) {
        char word[64];
        size_t n = 1 + rng_below(&r, sizeof word);
        for (size_t k = 0; k < n; k++) word[k] = "helo"[rng_below(&r, 4)];
        fast.n = slow.n = 0;
        assert_int_equal(tok_encode(m.t, (str){word, n}, PLAIN, &fast, NULL), HEARTH_OK);
        merge_slowly(m.t, (str){word, n}, &slow);
        assert_int_equal(fast.n, slow.n);
        assert_memory_equal(fast.id, slow.id, fast.n * sizeof *fast.id);
    }
    tok_ids_release(&fast);
    close_vocab(&m);
}

typedef struct worker { const tok *t; os_thread *thread; uint64_t sum; } worker;

static void encode_many(void *ctx)
{
    worker *w = ctx;
    rng r;
    char room[256];
    tok_ids ids = {0};
    rng_seed(&r, 13);
    for (int i = 0; i < 300; i++) {
        str text = random_text(&r, room, sizeof room);
        ids.n = 0;
        if (tok_encode(w->t, text, PLAIN, &ids, NULL) != HEARTH_OK) w->sum = 0;
        for (size_t k = 0; k < ids.n; k++) w->sum = w->sum * 31 + (uint64_t)ids.id[k];
    }
    tok_ids_release(&ids);
}

// For the thread sanitizer: one tokenizer, several threads, the same ids.
static void test_threads(void **state)
{
    (void)state;
    if (!os_has_threads()) skip();
    model m;
    test_vocab_bpe(&vocab, "qwen2");
    open_good(&m);
    worker w[4] = {0};
    for (size_t i = 0; i < COUNTOF(w); i++) {
        w[i].t = m.t;
        assert_int_equal(os_thread_start(encode_many, &w[i], &w[i].thread, NULL), HEARTH_OK);
    }
    for (size_t i = 0; i < COUNTOF(w); i++) os_thread_join(w[i].thread);
    for (size_t i = 1; i < COUNTOF(w); i++) assert_true(w[i].sum == w[0].sum && w[0].sum != 0);
    close_vocab(&m);
}

static void check_refused(hearth_status status, const char *message)
{
    model m;
    assert_int_equal(open_vocab(&vocab, &m), status);
    assert_null(m.t);
    if (!strstr(m.err.msg, message)) fail_msg("'%s' is not in '%s'", message, m.err.msg);
    close_vocab(&m);
}

static void test_refused(void **state)
{
    (void)state;
    test_vocab_bpe(&vocab, "plain");
    check_refused(HEARTH_E_UNSUPPORTED, "'plain' is none of the ");
    vocab.model = "plamo9";
    check_refused(HEARTH_E_UNSUPPORTED, "'plamo9' is not supported, only llama, gpt2");
    test_vocab_bpe(&vocab, NULL);
    vocab.merge[1] = STR("h x");
    check_refused(HEARTH_E_FORMAT, "merge 1: 'hx' is not in the vocabulary");
    vocab.merge[1] = STR("h");
    check_refused(HEARTH_E_FORMAT, "merge 1: 'h' is not a pair");
    vocab.merge[1] = STR("");
    check_refused(HEARTH_E_FORMAT, "is not a pair");
    test_vocab_bpe(&vocab, NULL);
    vocab.n = 0;
    check_refused(HEARTH_E_FORMAT, "0 tokens");
    test_vocab_spm(&vocab);
    vocab.score[7] = NAN;
    check_refused(HEARTH_E_FORMAT, "token 7 has no number");
    test_vocab_spm(&vocab);
    vocab.type[7] = 9;
    check_refused(HEARTH_E_FORMAT, "token 7 has no type");
    test_vocab_spm(&vocab);
    vocab.text[7] = STR("<0x4G>");
    check_refused(HEARTH_E_FORMAT, "byte token 7 is '<0x4G>'");
}

static void test_odd_vocabularies(void **state)
{
    (void)state;
    model m;
    test_vocab_spm(&vocab);
    for (int i = 0; i < 20; i++) test_vocab_add(&vocab, i % 2 ? "" : "hello", 50, 1 + i % 5);
    vocab.bos = 5000; // not a token
    vocab.eos = -2;
    open_good(&m);
    assert_int_equal(tok_specials(m.t)->bos, 1);
    check_encoding(m.t, "hello", ADD, "<s> \u2581hello"); // of the many "hello" the first counts
    close_vocab(&m);
    test_vocab_bpe(&vocab, "gpt-2");
    vocab.n_merges = 0;
    open_good(&m);
    check_encoding(m.t, "he", PLAIN, "h e");
    close_vocab(&m);
}

static void test_long_text(void **state)
{
    (void)state;
    const size_t n = 1 << 20;
    char *text = malloc(n);
    assert_non_null(text);
    for (int kind = 0; kind < 2; kind++) {
        model m;
        if (kind) test_vocab_bpe(&vocab, "llama-bpe");
        else test_vocab_spm(&vocab);
        open_good(&m);
        memset(text, 'l', n);
        tok_ids ids = {0};
        assert_int_equal(tok_encode(m.t, (str){text, n}, PLAIN, &ids, &m.err), HEARTH_OK);
        assert_int_equal(ids.n, n / 2 + (kind ? 0 : 1)); // all "ll", and the space in front
        tok_ids_release(&ids);
        close_vocab(&m);
    }
    free(text);
}

static void test_open_without_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        model m;
        if (kind) test_vocab_bpe(&vocab, "qwen2");
        else test_vocab_spm(&vocab);
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
    for (int kind = 0; kind < 2; kind++) {
        model m;
        if (kind) test_vocab_bpe(&vocab, "llama-bpe");
        else test_vocab_spm(&vocab);
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
        cmocka_unit_test(test_spm_merges),
        cmocka_unit_test(test_spm_spaces),
        cmocka_unit_test(test_bpe_merges),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_no_injection),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_words_equal_whole),
        cmocka_unit_test(test_heap_equals_slow),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_odd_vocabularies),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_open_without_memory),
        cmocka_unit_test(test_encode_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
