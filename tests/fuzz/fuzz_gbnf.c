// GBNF and regular expressions from anyone: compiled, then run on bytes of the same input.
//
//   first byte  even: GBNF, odd: a regular expression;  the text up to a NUL;  bytes to match
#include <stdlib.h>
#include <string.h>

#include "gram/gram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) abort();
}

static const char letters[] = "abcxyz019 {}[]\",:-\n";

static gram_vocab *open_vocab(void)
{
    str text[sizeof letters];
    bool is_end[sizeof letters] = {false};
    gram_vocab *v = NULL;
    for (size_t i = 0; i < sizeof letters; i++) text[i] = (str){&letters[i], 1};
    is_end[sizeof letters - 1] = true;
    check(gram_vocab_create_raw(text, is_end, sizeof letters, &v, NULL) == HEARTH_OK);
    return v;
}

// The mask says what accept does, and a budget is kept.
static void run(const gram *g, const gram_vocab *v, str input)
{
    gram_matcher *m = NULL;
    int64_t least;
    if (gram_matcher_create(g, v, &m, NULL) != HEARTH_OK) return;
    bool has_least = gram_min_tokens(m, &least, NULL) == HEARTH_OK && least < 64;
    for (size_t i = 0; i < input.n && i < 64; i++) {
        int32_t id = (uint8_t)input.p[i] % (int32_t)(sizeof letters - 1);
        const uint64_t *bits;
        if (gram_mask(m, has_least ? least + 8 : -1, &bits, NULL) != HEARTH_OK) break;
        bool allowed = bits[0] >> id & 1;
        hearth_status status = gram_accept(m, id, NULL);
        check(!allowed || status == HEARTH_OK);
        check(has_least || allowed == (status == HEARTH_OK) || status == HEARTH_E_LIMIT);
        if (status != HEARTH_OK) break;
        has_least = gram_min_tokens(m, &least, NULL) == HEARTH_OK && least < 64;
    }
    gram_matcher_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    str text = {(const char *)data + 1, size - 1}, input = {NULL, 0};
    const char *nul = memchr(text.p, 0, text.n);
    if (nul) input = (str){nul + 1, text.n - (size_t)(nul - text.p) - 1};
    if (nul) text.n = (size_t)(nul - text.p);
    gram *g = NULL;
    hearth_err err = ERR_INIT;
    gram_kind kind = data[0] % 2 ? GRAM_REGEX : GRAM_GBNF;
    if (gram_compile(kind, text, GRAM_STRICT, &g, &err) != HEARTH_OK) {
        check(!g && err.msg[0]);
        return 0;
    }
    gram_vocab *v = open_vocab();
    run(g, v, input);
    gram_vocab_free(v);
    gram_free(g);
    return 0;
}
