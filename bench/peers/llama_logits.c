// A model by llama.cpp, as a peer to compare with. Reads token ids from the standard input, writes
// float32 to the standard output: logits [n_tokens][n_vocab], or what a word asks for instead:
//
//   hidden        the last hidden states [n_tokens][n_embd]
//   vector        the text's vector or labels [1][n], pooled as the file says
//   inputs=FILE   float32 [n_tokens][n_embd] in place of the tokens' embeddings
//   fast=X slow=X YaRN's turns, which llama.cpp reads from files of few families
//
// Built by tests/golden/compare_llama.py against a copy of llama.cpp's headers and libraries; never
// part of Hearth.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml-backend.h"
#include "llama.h"

enum { MAX_TOKENS = 4096 };

typedef struct wishes {
    bool hidden, vector;
    const char *inputs;
    float fast, slow;
} wishes;

static void keep_quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static int fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return 1;
}

static bool parse(int argc, char **argv, wishes *w)
{
    *w = (wishes){.fast = -1, .slow = -1}; // negative: as the file says
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "hidden")) w->hidden = true;
        else if (!strcmp(argv[i], "vector")) w->vector = true;
        else if (!strncmp(argv[i], "inputs=", 7)) w->inputs = argv[i] + 7;
        else if (!strncmp(argv[i], "fast=", 5)) w->fast = strtof(argv[i] + 5, NULL);
        else if (!strncmp(argv[i], "slow=", 5)) w->slow = strtof(argv[i] + 5, NULL);
        else return false;
    }
    return argc >= 3;
}

static struct llama_context *open_context(struct llama_model *m, const wishes *w)
{
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = 256; // what it rounds up to; a larger one would choose phi3's long factors
    cp.n_batch = cp.n_ubatch = 512;
    cp.n_threads = cp.n_threads_batch = 2;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    cp.yarn_beta_fast = w->fast;
    cp.yarn_beta_slow = w->slow;
    cp.embeddings = w->hidden || w->vector;
    if (w->hidden) cp.pooling_type = LLAMA_POOLING_TYPE_NONE;
    return llama_init_from_model(m, cp);
}

static bool fill(struct llama_batch *b, const int *token, int n, const char *inputs, int n_embd)
{
    b->n_tokens = n;
    for (int i = 0; i < n; i++) {
        if (!inputs) b->token[i] = token[i];
        b->pos[i] = i;
        b->n_seq_id[i] = 1;
        b->seq_id[i][0] = 0;
        b->logits[i] = 1;
    }
    if (!inputs) return true;
    FILE *f = fopen(inputs, "rb");
    size_t want = (size_t)n * (size_t)n_embd;
    bool ok = f && fread(b->embd, sizeof(float), want, f) == want;
    if (f) fclose(f);
    return ok;
}

int main(int argc, char **argv)
{
    static int token[MAX_TOKENS];
    int n = 0;
    wishes w;
    if (!parse(argc, argv, &w)) return fail("usage: llama_logits BACKENDS MODEL.gguf [WORD ...]");
    while (n < MAX_TOKENS && scanf("%d", &token[n]) == 1) n++;
    llama_log_set(keep_quiet, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    struct llama_model_params mp = llama_model_default_params();
    mp.use_extra_bufts = false; // weights repacked in other layouts round activations otherwise
    struct llama_model *m = llama_model_load_from_file(argv[2], mp);
    if (!m) return fail("the model does not load");
    struct llama_context *c = open_context(m, &w);
    if (!c) return fail("no context");
    int n_embd = llama_model_n_embd(m), n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m));
    struct llama_batch b = llama_batch_init(n, w.inputs ? n_embd : 0, 1);
    if (!fill(&b, token, n, w.inputs, n_embd)) return fail("the inputs do not come");
    if (llama_decode(c, b)) return fail("the step failed");
    size_t width = (size_t)(w.hidden ? n_embd : n_vocab);
    if (w.vector) {
        bool ranks = llama_pooling_type(c) == LLAMA_POOLING_TYPE_RANK;
        width = ranks ? llama_model_n_cls_out(m) : (size_t)llama_model_n_embd_out(m);
        fwrite(llama_get_embeddings_seq(c, 0), sizeof(float), width, stdout);
    }
    for (int i = 0; i < n && !w.vector; i++)
        fwrite(w.hidden ? llama_get_embeddings_ith(c, i) : llama_get_logits_ith(c, i),
               sizeof(float), width, stdout);
    return 0;
}
