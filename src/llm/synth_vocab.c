// The vocabulary of synthetic models: any text can be encoded with it, in as many tokens as it has
// bytes. The tokens behind the named ones are fillers that no text encodes to.
#include <stdio.h>

#include "base/mem.h"
#include "llm/synth_int.h"

enum { N_CONTROL = 3, N_BYTES = 256, N_NAMED = N_CONTROL + N_BYTES + 1, TOKEN_BYTES = 16 };

static void spell_token(int64_t i, char out[TOKEN_BYTES])
{
    static const char *const control[N_CONTROL] = {"<unk>", "<s>", "</s>"};
    if (i < N_CONTROL)
        snprintf(out, TOKEN_BYTES, "%s", control[i]);
    else if (i < N_CONTROL + N_BYTES)
        snprintf(out, TOKEN_BYTES, "<0x%02X>", (unsigned)(i - N_CONTROL));
    else if (i < N_NAMED)
        snprintf(out, TOKEN_BYTES, "\xE2\x96\x81"); // U+2581, SentencePiece's space
    else
        snprintf(out, TOKEN_BYTES, "[PAD%07lld]", (long long)(i - N_NAMED) % 10000000);
}

// tokenizer.ggml.token_type: 2 unknown, 3 control, 6 byte, 1 normal, 5 unused.
static int32_t type_of_token(int64_t i)
{
    if (i < N_CONTROL) return i == 0 ? 2 : 3;
    if (i < N_CONTROL + N_BYTES) return 6;
    return i < N_NAMED ? 1 : 5;
}

typedef struct vocabulary {
    str *token;       // [n]
    int32_t *type;    // [n]
    float *score;     // [n]
    char (*text)[TOKEN_BYTES]; // [n]
} vocabulary;

static void free_vocabulary(vocabulary *v)
{
    mem_free(v->token);
    mem_free(v->type);
    mem_free(v->score);
    mem_free(v->text);
}

static hearth_status make_vocabulary(int64_t n, vocabulary *v, hearth_err *err)
{
    size_t count = (size_t)n;
    *v = (vocabulary){
        .token = mem_alloc_zero(MEM_MISC, count, sizeof *v->token),
        .type = mem_alloc_zero(MEM_MISC, count, sizeof *v->type),
        .score = mem_alloc_zero(MEM_MISC, count, sizeof *v->score),
        .text = mem_alloc_zero(MEM_MISC, count, sizeof *v->text),
    };
    if (!v->token || !v->type || !v->score || !v->text) {
        free_vocabulary(v);
        return err_fail(err, HEARTH_E_NOMEM, "no memory for a vocabulary of %zu tokens", count);
    }
    for (int64_t i = 0; i < n; i++) {
        spell_token(i, v->text[i]);
        v->token[i] = str_from(v->text[i]);
        v->type[i] = type_of_token(i);
        v->score[i] = i < N_CONTROL + N_BYTES ? 0.0f : -(float)i;
    }
    return HEARTH_OK;
}

static hearth_status write_keys(gguf_writer *w, const vocabulary *v, uint64_t n,
                                      hearth_err *err)
{
    HEARTH_TRY(gguf_write_str(w, "tokenizer.ggml.model", STR("llama"), err));
    HEARTH_TRY(gguf_write_str_array(w, "tokenizer.ggml.tokens", v->token, n, err));
    HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.token_type", GGUF_I32, v->type, n, err));
    HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.scores", GGUF_F32, v->score, n, err));
    HEARTH_TRY(gguf_write_u32(w, "tokenizer.ggml.bos_token_id", 1, err));
    HEARTH_TRY(gguf_write_u32(w, "tokenizer.ggml.eos_token_id", 2, err));
    HEARTH_TRY(gguf_write_u32(w, "tokenizer.ggml.unknown_token_id", 0, err));
    HEARTH_TRY(gguf_write_bool(w, "tokenizer.ggml.add_bos_token", true, err));
    return gguf_write_bool(w, "tokenizer.ggml.add_space_prefix", false, err);
}

hearth_status synth_write_vocabulary(gguf_writer *w, int64_t n, hearth_err *err)
{
    vocabulary v;
    HEARTH_TRY(make_vocabulary(n, &v, err));
    hearth_status s = write_keys(w, &v, (uint64_t)n, err);
    free_vocabulary(&v);
    return s;
}
