// See encoder_file.h: the keys and tensors of one GGUF and the tokenizer's keys of another.
#include "support/encoder_file.h"

#include <stdio.h>

#include "fmt/gguf_write.h"
#include "tok/tok.h"

static hearth_status append_bytes(void *ctx, const void *p, size_t n, hearth_err *err)
{
    if (buf_append(ctx, p, n) != HEARTH_OK) return err_fail(err, HEARTH_E_NOMEM, "encoder file");
    return HEARTH_OK;
}

static gguf *open_bytes(const void *p, size_t n)
{
    gguf *g = NULL;
    gguf_bytes bytes = {NULL, p, n};
    return gguf_open(&bytes, 1, &g, NULL) == HEARTH_OK ? g : NULL;
}

static bool copy_keys(gguf_writer *w, const gguf *model, const gguf *vocab)
{
    bool ok = true;
    for (size_t i = 0; i < gguf_kv_count(model) && ok; i++)
        ok = gguf_write_copy(w, gguf_kv_at(model, i), NULL) == HEARTH_OK;
    for (size_t i = 0; i < gguf_kv_count(vocab) && ok; i++) {
        const gguf_kv *kv = gguf_kv_at(vocab, i);
        if (str_starts(kv->key, STR("tokenizer.")))
            ok = gguf_write_copy(w, kv, NULL) == HEARTH_OK;
    }
    return ok;
}

static bool copy_tensors(gguf_writer *w, const gguf *g)
{
    bool ok = true;
    size_t n = gguf_tensor_count(g);
    for (size_t i = 0; i < n && ok; i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.p);
        ok = gguf_write_tensor(w, name, t->type, t->n_dims, t->dim, NULL) == HEARTH_OK;
    }
    ok = ok && gguf_write_header(w, NULL) == HEARTH_OK;
    for (size_t i = 0; i < n && ok; i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        ok = gguf_write_data(w, t->data, t->bytes, NULL) == HEARTH_OK;
    }
    return ok && gguf_write_end(w, NULL) == HEARTH_OK;
}

bool encoder_file_make(const golden_case *c, test_vocab *v, const char *pattern, buf *out)
{
    static char spelling[TEST_VOCAB_MAX][8];
    buf vocab_file;
    gguf *vocab = NULL, *model = open_bytes(c->gguf, c->gguf_bytes);
    gguf_writer *w = NULL;
    const gguf_tensor *table = model ? gguf_find_tensor(model, "token_embd.weight") : NULL;
    for (int i = v->n; table && i < table->dim[1]; i++) {
        snprintf(spelling[i], sizeof spelling[i], "#%d", i);
        test_vocab_add(v, spelling[i], -20, TOK_NORMAL);
    }
    buf_init(&vocab_file, MEM_TEST, SIZE_MAX);
    bool ok = table && test_vocab_write(v, &vocab_file) &&
              (vocab = open_bytes(vocab_file.p, vocab_file.n)) != NULL &&
              gguf_writer_create(append_bytes, out, &w, NULL) == HEARTH_OK &&
              copy_keys(w, model, vocab);
    if (ok && pattern)
        ok = gguf_write_str(w, "tokenizer.chat_template.rerank", str_from(pattern), NULL) ==
             HEARTH_OK;
    ok = ok && copy_tensors(w, model);
    gguf_writer_free(w);
    gguf_close(vocab);
    gguf_close(model);
    buf_release(&vocab_file);
    return ok;
}
