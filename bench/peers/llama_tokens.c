// Token ids of texts by llama.cpp, as a peer to compare with: reads texts, each behind its length
// in 32 bits, from the standard input, and prints two lines for each: its ids as plain text, and
// those with special tokens put around it and found in it. Built by
// tests/golden/tok/compare_vocabs.py against a copy of llama.cpp's headers and libraries; never
// part of Hearth.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "llama.h"

enum { MAX_TEXT = 1 << 20 };

static void keep_quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static void print_ids(const struct llama_vocab *v, const char *text, int n, bool special)
{
    static llama_token ids[2 * MAX_TEXT];
    int n_ids = llama_tokenize(v, text, n, ids, 2 * MAX_TEXT, special, special);
    for (int i = 0; i < n_ids; i++) printf("%s%d", i ? " " : "", ids[i]);
    printf("%s\n", n_ids < 0 ? "error" : "");
}

int main(int argc, char **argv)
{
    static char text[MAX_TEXT];
    uint32_t n;
    if (argc != 2) return 1;
    llama_log_set(keep_quiet, NULL);
    struct llama_model_params mp = llama_model_default_params();
    mp.vocab_only = true;
    struct llama_model *m = llama_model_load_from_file(argv[1], mp);
    if (!m) return 1;
    const struct llama_vocab *v = llama_model_get_vocab(m);
    while (fread(&n, sizeof n, 1, stdin) == 1 && n <= MAX_TEXT && fread(text, 1, n, stdin) == n) {
        print_ids(v, text, (int)n, false);
        print_ids(v, text, (int)n, true);
    }
    return 0;
}
