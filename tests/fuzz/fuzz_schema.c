// JSON Schemas from anyone: compiled, then the shortest text written token by token; it is complete
// when the matcher said it would be.
#include <stdlib.h>
#include <string.h>

#include "gram/gram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) abort();
}

static gram_vocab *open_vocab(void)
{
    static char byte[256];
    str text[256];
    bool is_end[256] = {false};
    gram_vocab *v = NULL;
    for (int i = 0; i < 256; i++) {
        byte[i] = (char)i;
        text[i] = (str){&byte[i], 1};
    }
    check(gram_vocab_create_raw(text, is_end, 256, &v, NULL) == HEARTH_OK);
    return v;
}

static int32_t find_first(const uint64_t *bits)
{
    for (int32_t id = 0; id < 256; id++)
        if (bits[id / 64] >> (id % 64) & 1) return id;
    return TOK_NONE;
}

// The tightest budget leaves a way to the end at each token.
static void write_shortest(const gram *g, const gram_vocab *v)
{
    gram_matcher *m = NULL;
    int64_t budget;
    if (gram_matcher_create(g, v, &m, NULL) != HEARTH_OK) return;
    if (gram_min_tokens(m, &budget, NULL) == HEARTH_OK && budget < 64) {
        for (; budget > 0 && !gram_must_end(m); budget--) {
            const uint64_t *bits;
            if (gram_mask(m, budget, &bits, NULL) != HEARTH_OK) break;
            int32_t id = find_first(bits);
            check(id != TOK_NONE);
            check(gram_accept(m, id, NULL) == HEARTH_OK);
        }
        check(budget > 0 || gram_may_end(m));
    }
    gram_matcher_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    str text = {(const char *)data + 1, size - 1};
    gram *g = NULL;
    hearth_err err = ERR_INIT;
    gram_style style = data[0] % 2 ? GRAM_FREE : GRAM_STRICT;
    if (gram_compile(GRAM_SCHEMA, text, style, &g, &err) != HEARTH_OK) {
        check(!g && err.msg[0]);
        return 0;
    }
    gram_vocab *v = open_vocab();
    write_shortest(g, v);
    gram_vocab_free(v);
    gram_free(g);
    return 0;
}
