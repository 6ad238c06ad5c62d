// make_models DIR: models for the tests that speak to the server.
//
//   script.gguf   says what it is told to by the last byte of its prompt, below
//   bert.gguf     gives vectors
//   rank.gguf     ranks documents
//
// script.gguf is a model whose arithmetic does nothing: token i's embedding is the unit vector i,
// attention and feed-forward add zero, and the output row of token j is the sum of the embeddings
// of all tokens after which j comes. So a reply is known in advance to the byte, whatever else the
// server does at the same time: a test sees text that is mixed up, cut, repeated or late. Logits
// are SHARP * sqrt(N_VOCAB) for the next token and 0 for all others, so that sampling cannot stray.
//
//   h  "Hello there!"                      t  reasoning, then "Yes"
//   c  a call of get_weather               l  " one two three one two ..." without an end
//   the mark of a middle to fill in: as h
//   0 to 9  " 0a 0b 0a ..." without an end; anything else: "ok"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmt/gguf_write.h"
#include "kern/kern.h"
#include "support/encoder_file.h"
#include "support/test_data.h"

enum { N_VOCAB = 320, N_FF = 64, UNK = 0, BOS = 1, EOS = 2, FIRST_BYTE = 3, N_BYTES = 256,
       SHARP = 4 };

static const char chat_template[] =
    "{%- if tools %}{{ '<tool_call>' }}{{ tools | length }}{{ '</tool_call>' }}{% endif -%}"
    "{%- for m in messages %}{{ '<|' + m.role + '|>' }}"
    "{%- if m.reasoning_content %}{{ '<think>' + m.reasoning_content + '</think>' }}{% endif -%}"
    "{{ m.content }}{% endfor -%}";

typedef struct script_model {
    char text[N_VOCAB][48];
    str token[N_VOCAB];
    int32_t type[N_VOCAB];
    float score[N_VOCAB];
    int next[N_VOCAB];
    int n, fim; // fim: the first of three
} script_model;

static int add_token(script_model *m, const char *text, int32_t type)
{
    snprintf(m->text[m->n], sizeof m->text[0], "%s", text);
    m->token[m->n] = str_from(m->text[m->n]);
    m->type[m->n] = type;
    m->score[m->n] = -(float)m->n;
    m->next[m->n] = EOS;
    return m->n++;
}

static int byte_token(char c) { return FIRST_BYTE + (unsigned char)c; }

// After the byte `begin` come these pieces, up to NULL; then the end or, again, the first.
static void add_script(script_model *m, char begin, const char *const *piece, bool repeats)
{
    int first = 0, last = byte_token(begin);
    for (size_t i = 0; piece[i]; i++) {
        int id = add_token(m, piece[i], 1);
        m->next[last] = id;
        if (i == 0) first = id;
        last = id;
    }
    m->next[last] = repeats ? first : EOS;
}

static void add_scripts(script_model *m)
{
    static const char *const hello[] = {"Hello", "\xE2\x96\x81there", "!", NULL};
    static const char *const think[] = {"<think>", "I\xE2\x96\x81wonder", "</think>", "Yes", NULL};
    static const char *const call[] = {"<tool_call>", "{\"name\":\"get_weather\",",
                                       "\"arguments\":{\"city\":\"Z\xC3\xBCrich\"}}",
                                       "</tool_call>", NULL};
    static const char *const loop[] = {"\xE2\x96\x81one", "\xE2\x96\x81two", "\xE2\x96\x81three",
                                       NULL};
    add_script(m, 'h', hello, false);
    add_script(m, 't', think, false);
    add_script(m, 'c', call, false);
    add_script(m, 'l', loop, true);
    for (char digit = '0'; digit <= '9'; digit++) {
        char a[16], b[16];
        snprintf(a, sizeof a, "\xE2\x96\x81%ca", digit);
        snprintf(b, sizeof b, "\xE2\x96\x81%cb", digit);
        add_script(m, digit, (const char *const[]){a, b, NULL}, true);
    }
}

static void make_script(script_model *m)
{
    char text[24];
    add_token(m, "<unk>", 2);
    add_token(m, "<s>", 3);
    add_token(m, "</s>", 3);
    for (int i = 0; i < N_BYTES; i++) {
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)i);
        add_token(m, text, 6);
    }
    add_token(m, "\xE2\x96\x81", 1); // before a text, and for each of its spaces
    int ok = add_token(m, "ok", 1);
    for (int i = 0; i < ok; i++) m->next[i] = ok;
    add_scripts(m);
    m->fim = add_token(m, "<PRE>", 3);
    add_token(m, "<SUF>", 3);
    int mid = add_token(m, "<MID>", 3);
    m->next[mid] = m->next[byte_token('h')];
    while (m->n < N_VOCAB) {
        snprintf(text, sizeof text, "[PAD%d]", m->n);
        add_token(m, text, 5);
    }
}

// --- the file -----------------------------------------------------------------------------------

static hearth_status append_bytes(void *ctx, const void *p, size_t n, hearth_err *err)
{
    return fwrite(p, 1, n, ctx) == n ? HEARTH_OK : err_fail(err, HEARTH_E_IO, "cannot write");
}

static hearth_status write_keys(gguf_writer *w, const script_model *m, hearth_err *err)
{
    static const struct { const char *key; uint32_t v; } sizes[] = {
        {"llama.context_length", 2048}, {"llama.embedding_length", N_VOCAB},
        {"llama.block_count", 1}, {"llama.feed_forward_length", N_FF},
        {"llama.attention.head_count", N_VOCAB / 64}, {"llama.attention.head_count_kv", 1},
        {"llama.vocab_size", N_VOCAB}, {"tokenizer.ggml.bos_token_id", BOS},
        {"tokenizer.ggml.eos_token_id", EOS}, {"tokenizer.ggml.unknown_token_id", UNK},
    };
    HEARTH_TRY(gguf_write_str(w, "general.architecture", STR("llama"), err));
    HEARTH_TRY(gguf_write_str(w, "general.name", STR("script"), err));
    static const char *const fim[] = {"tokenizer.ggml.fim_pre_token_id",
                                      "tokenizer.ggml.fim_suf_token_id",
                                      "tokenizer.ggml.fim_mid_token_id"};
    for (int i = 0; i < 3; i++)
        HEARTH_TRY(gguf_write_u32(w, fim[i], (uint32_t)(m->fim + i), err));
    for (size_t i = 0; i < COUNTOF(sizes); i++)
        HEARTH_TRY(gguf_write_u32(w, sizes[i].key, sizes[i].v, err));
    HEARTH_TRY(gguf_write_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-6f, err));
    HEARTH_TRY(gguf_write_str(w, "tokenizer.ggml.model", STR("llama"), err));
    HEARTH_TRY(gguf_write_str(w, "tokenizer.chat_template", str_from(chat_template), err));
    HEARTH_TRY(gguf_write_str_array(w, "tokenizer.ggml.tokens", m->token, N_VOCAB, err));
    HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.scores", GGUF_F32, m->score, N_VOCAB, err));
    return gguf_write_array(w, "tokenizer.ggml.token_type", GGUF_I32, m->type, N_VOCAB, err);
}

typedef struct tensor_row { const char *name; int64_t cols, rows; char fill; } tensor_row;
static const tensor_row tensors[] = { // fill: 1 ones, i unit vectors, o output, 0 zeros
    {"token_embd.weight", N_VOCAB, N_VOCAB, 'i'}, {"output_norm.weight", N_VOCAB, 1, '1'},
    {"output.weight", N_VOCAB, N_VOCAB, 'o'}, {"blk.0.attn_norm.weight", N_VOCAB, 1, '1'},
    {"blk.0.attn_q.weight", N_VOCAB, N_VOCAB, '0'}, {"blk.0.attn_k.weight", N_VOCAB, 64, '0'},
    {"blk.0.attn_v.weight", N_VOCAB, 64, '0'},
    {"blk.0.attn_output.weight", N_VOCAB, N_VOCAB, '0'},
    {"blk.0.ffn_norm.weight", N_VOCAB, 1, '1'}, {"blk.0.ffn_gate.weight", N_VOCAB, N_FF, '0'},
    {"blk.0.ffn_up.weight", N_VOCAB, N_FF, '0'}, {"blk.0.ffn_down.weight", N_FF, N_VOCAB, '0'},
};

static float value_at(const script_model *m, char fill, int64_t row, int64_t col)
{
    if (fill == '1') return 1;
    if (fill == 'i') return row == col ? 1 : 0;
    if (fill == 'o') return m->next[col] == row ? SHARP : 0;
    return 0;
}

static hearth_status write_values(gguf_writer *w, const script_model *m, const tensor_row *t,
                                  hearth_err *err)
{
    float values[N_VOCAB];
    for (int64_t row = 0; row < t->rows; row++) {
        for (int64_t col = 0; col < t->cols; col++) values[col] = value_at(m, t->fill, row, col);
        HEARTH_TRY(gguf_write_data(w, values, (size_t)t->cols * sizeof *values, err));
    }
    return HEARTH_OK;
}

static hearth_status write_script(gguf_writer *w, const script_model *m, hearth_err *err)
{
    HEARTH_TRY(write_keys(w, m, err));
    for (size_t i = 0; i < COUNTOF(tensors); i++) {
        int64_t dim[2] = {tensors[i].cols, tensors[i].rows};
        HEARTH_TRY(gguf_write_tensor(w, tensors[i].name, DTYPE_F32, dim[1] > 1 ? 2 : 1, dim, err));
    }
    HEARTH_TRY(gguf_write_header(w, err));
    for (size_t i = 0; i < COUNTOF(tensors); i++)
        HEARTH_TRY(write_values(w, m, &tensors[i], err));
    return gguf_write_end(w, err);
}

static FILE *open_in(const char *dir, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return fopen(path, "wb");
}

static bool save_script(const char *dir)
{
    static script_model m;
    hearth_err err = ERR_INIT;
    gguf_writer *w = NULL;
    FILE *f = open_in(dir, "script.gguf");
    if (!f) return false;
    make_script(&m);
    hearth_status status = gguf_writer_create(append_bytes, f, &w, &err);
    if (status == HEARTH_OK) status = write_script(w, &m, &err);
    gguf_writer_free(w);
    if (status != HEARTH_OK) fprintf(stderr, "script.gguf: %s\n", err.msg);
    return fclose(f) == 0 && status == HEARTH_OK;
}

// --- encoders -----------------------------------------------------------------------------------

static bool save_encoder(const golden_set *set, const char *which, const char *dir,
                         const char *name)
{
    static test_vocab v;
    buf file;
    bool ok = false;
    buf_init(&file, MEM_MISC, 64u << 20);
    test_vocab_bert(&v);
    for (int i = 0; i < set->n; i++)
        if (!strcmp(set->cases[i].name, which))
            ok = encoder_file_make(&set->cases[i], &v, NULL, &file);
    FILE *f = open_in(dir, name);
    ok = ok && f && fwrite(file.p, 1, file.n, f) == file.n;
    if (f && fclose(f) != 0) ok = false;
    buf_release(&file);
    return ok;
}

int main(int argc, char **argv)
{
    static golden_set set;
    char path[512];
    if (argc != 2) return 2;
    test_source_path("golden/llm/encoder_cases.json", path, sizeof path);
    bool ok = golden_load(path, &set, NULL) == HEARTH_OK && save_script(argv[1]) &&
              save_encoder(&set, "bert", argv[1], "bert.gguf") &&
              save_encoder(&set, "roberta_rank", argv[1], "rank.gguf");
    golden_release(&set);
    if (!ok) fprintf(stderr, "make_models: failed\n");
    return !ok;
}
