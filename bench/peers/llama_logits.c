// Logits of a model by llama.cpp, as a peer to compare with: reads token ids from the standard
// input, writes float32 [n_tokens][n_vocab] to the standard output. Built by tests/golden/
// compare_llama.py against a copy of llama.cpp's headers and libraries; never part of Hearth.
#include <stdio.h>

#include "ggml-backend.h"
#include "llama.h"

enum { MAX_TOKENS = 4096 };

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

int main(int argc, char **argv)
{
    static llama_token token[MAX_TOKENS];
    int n = 0;
    if (argc != 3) return fail("usage: llama_logits BACKEND_FOLDER MODEL.gguf <TOKENS >LOGITS");
    while (n < MAX_TOKENS && scanf("%d", &token[n]) == 1) n++;
    llama_log_set(keep_quiet, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    struct llama_model_params mp = llama_model_default_params();
    mp.use_extra_bufts = false; // weights repacked in other layouts round activations otherwise
    struct llama_model *m = llama_model_load_from_file(argv[2], mp);
    if (!m) return fail("the model does not load");
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = 256; // what it rounds up to; a larger one would choose phi3's long factors
    cp.n_batch = cp.n_ubatch = 512;
    cp.n_threads = cp.n_threads_batch = 2;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    struct llama_context *c = llama_init_from_model(m, cp);
    if (!c) return fail("no context");
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m));
    struct llama_batch b = llama_batch_init(n, 0, 1);
    b.n_tokens = n;
    for (int i = 0; i < n; i++) {
        b.token[i] = token[i];
        b.pos[i] = i;
        b.n_seq_id[i] = 1;
        b.seq_id[i][0] = 0;
        b.logits[i] = 1;
    }
    if (llama_decode(c, b)) return fail("the step failed");
    for (int i = 0; i < n; i++)
        fwrite(llama_get_logits_ith(c, i), sizeof(float), (size_t)n_vocab, stdout);
    return 0;
}
