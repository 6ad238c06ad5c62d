// Fuzzes tokenizers: the first byte says how the rest is read.
//   0..3   text for a good small vocabulary; what comes back from decoding must be the text
//   4      a GGUF file, opened as it is
//   other  a recipe: tokens, types, scores and merges for a vocabulary made here, then text
// Whatever opens must encode any text to ids inside the vocabulary, or say why not.
#include <stdlib.h>
#include <string.h>

#include "support/vocab_file.h"
#include "tok/tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct model { buf bytes; gguf *g; tok *t; } model;

static void require(bool x)
{
    if (!x) abort();
}

static bool open_bytes(const uint8_t *p, size_t n, model *m)
{
    gguf_bytes part = {"fuzz", p, n};
    hearth_err err = ERR_INIT;
    hearth_status status = gguf_open(&part, 1, &m->g, &err);
    if (status == HEARTH_OK) status = tok_open(m->g, &m->t, &err);
    require((status == HEARTH_OK) == (m->t != NULL) && (status == HEARTH_OK || err.msg[0]));
    return status == HEARTH_OK;
}

static bool open_vocab(const test_vocab *v, model *m)
{
    buf_init(&m->bytes, MEM_TEST, 1 << 24);
    require(test_vocab_write(v, &m->bytes));
    return open_bytes((const uint8_t *)m->bytes.p, m->bytes.n, m);
}

static void close_model(model *m)
{
    tok_free(m->t);
    gguf_close(m->g);
    buf_release(&m->bytes);
}

// A text of one author in many runs is the text in one.
static void try_marked(const tok *t, str text, tok_options o, const tok_ids *expected)
{
    str_run runs[64] = {{0}};
    size_t at = 0, n = 0;
    tok_ids ids = {0};
    for (; n < 63 && at < text.n; n++) {
        runs[n] = (str_run){size_min(1 + ((uint8_t)text.p[at] & 7), text.n - at), !o.parse_special};
        at += runs[n].n;
    }
    runs[n++] = (str_run){text.n - at, !o.parse_special};
    o.parse_special = true;
    hearth_status status = tok_encode_marked(t, text, runs, n, o, &ids, NULL);
    require(ids.n == expected->n && (status == HEARTH_OK || ids.n == 0));
    for (size_t i = 0; i < ids.n; i++) require(ids.id[i] == expected->id[i]);
    tok_ids_release(&ids);
}

// Encodes and decodes; with `exact` the text must come back.
static void try_text(const tok *t, str text, tok_options o, bool exact)
{
    tok_ids ids = {0};
    tok_stream s;
    buf back;
    hearth_err err = ERR_INIT;
    buf_init(&back, MEM_TEST, (size_t)1 << 28);
    tok_stream_init(&s);
    hearth_status status = tok_encode(t, text, o, &ids, &err);
    require(status == HEARTH_OK || (!exact && ids.n == 0 && err.msg[0]));
    try_marked(t, text, o, &ids);
    for (size_t i = 0; i < ids.n; i++) {
        require(ids.id[i] >= 0 && ids.id[i] < tok_count(t));
        require(tok_stream_put(t, &s, ids.id[i], o.parse_special, &back) == HEARTH_OK);
    }
    require(tok_stream_flush(&s, !exact, &back) == HEARTH_OK);
    if (exact) require(str_eq(buf_str(&back), text));
    buf_release(&back);
    tok_ids_release(&ids);
}

static test_vocab vocab;

// SentencePiece reads U+2581 as a space and puts a space behind special tokens, so with those the
// text does not come back.
static bool is_exact_spm(str text, bool control_too)
{
    return str_find(text, STR("\u2581"), 0) == SIZE_MAX &&
           str_find(text, STR("<tool>"), 0) == SIZE_MAX && !control_too;
}

static void try_good(int kind, str text)
{
    static const char *const splits[] = {NULL, "gpt-2", "llama-bpe", "deepseek-llm"};
    static model kept[COUNTOF(splits)]; // opened once
    model *m = &kept[kind];
    if (!m->t) {
        if (kind) test_vocab_bpe(&vocab, splits[kind]);
        else test_vocab_spm(&vocab);
        require(open_vocab(&vocab, m));
    }
    bool control_too = text.n % 2;
    tok_options o = {.parse_special = control_too};
    try_text(m->t, text, o, kind || is_exact_spm(text, control_too));
}

static uint8_t take_byte(str *in)
{
    if (in->n == 0) return 0;
    uint8_t byte = (uint8_t)in->p[0];
    *in = (str){in->p + 1, in->n - 1};
    return byte;
}

static str take_text(str *in, size_t most)
{
    size_t wanted = take_byte(in) % (most + 1);
    str s = {in->p, size_min(wanted, in->n)};
    *in = (str){in->p + s.n, in->n - s.n};
    return s;
}

static void take_kind(int kind, str *in)
{
    static const char *const splits[] = {
        "default", "falcon", "starcoder", "llama-bpe", "dbrx", "qwen2", "qwen35", "gpt-4o",
        "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3", "spark2_5", "youtu", "bloom",
        "viking", "seed-coder", "jais-2", "ufakzeka", "exaone-moe", "laguna", "minicpm5", "gpt-2",
        "superbpe", "afmoe", "chameleon", "tiny_aya", "whitespace"};
    switch (kind) {
    case 0: test_vocab_spm(&vocab); break;
    case 1: test_vocab_rwkv(&vocab); break;
    case 2: test_vocab_t5(&vocab, take_byte(in) % 2); break;
    case 3: test_vocab_bert(&vocab); break;
    case 4: test_vocab_raw(&vocab); break;
    case 5: test_vocab_plamo(&vocab); break;
    case 6:
        if (take_byte(in) % 2) test_vocab_dna(&vocab);
        else test_vocab_whitespace(&vocab);
        vocab.lowers = true;
        break;
    default: test_vocab_bpe(&vocab, splits[take_byte(in) % COUNTOF(splits)]); break;
    }
}

// A small array of rules with small offsets, so that walks stay inside now and then.
static void take_rules(str *in)
{
    static char rules[4 + 64 + 32];
    memset(rules, 0, sizeof rules);
    rules[0] = 64;
    str from = take_text(in, sizeof rules - 5);
    memcpy(rules + 4, from.p, from.n);
    vocab.charsmap = (str){rules, sizeof rules};
}

static void make_vocab(str *in)
{
    uint8_t how = take_byte(in);
    take_kind(how & 7, in);
    if (how & 16) vocab.n = 0;
    if (how & 8) vocab.n_merges = 0;
    vocab.unk = how & 32 ? take_byte(in) : -1;
    vocab.remove_extra_spaces = how & 64;
    if (how & 128) vocab.name = "phi-3";
    if (how & 8 && (how & 7) == 2) take_rules(in);
    for (int n = take_byte(in) % 100; n > 0; n--) {
        str text = take_text(in, 9);
        int32_t type = take_byte(in) % 7;
        int at = test_vocab_add(&vocab, "", (float)(int8_t)take_byte(in), type);
        vocab.text[at] = text;
    }
    for (int n = take_byte(in) % 16; n > 0; n--) vocab.merge[vocab.n_merges++] = take_text(in, 17);
}

static void try_opened(model *m, str text)
{
    try_text(m->t, text, (tok_options){.add_special = true}, false);
    try_text(m->t, text, (tok_options){.parse_special = true}, false);
    buf out;
    buf_init(&out, MEM_TEST, 1 << 24);
    for (int32_t i = 0; i < tok_count(m->t) && i < 1000; i++) {
        (void)tok_is_end(m->t, i);
        require(tok_decode_one(m->t, i, true, i % 2, &out) == HEARTH_OK);
        buf_reset(&out);
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    str in = {(const char *)data, n};
    int mode = take_byte(&in);
    if (mode < 4) {
        try_good(mode, in);
        return 0;
    }
    model m = {0};
    bool opened;
    if (mode == 4) {
        opened = open_bytes((const uint8_t *)in.p, in.n, &m);
        in = STR("hello <s><|user|>hello's 12345\r\n \u4e16\xFF");
    } else {
        make_vocab(&in);
        opened = open_vocab(&vocab, &m);
    }
    if (opened) try_opened(&m, in);
    close_model(&m);
    return 0;
}
