// Token ids of texts, for compare_vocabs.py, which builds this: as bench/peers/llama_tokens.c, but
// special tokens first, from a GGUF file or a tokenizer.json. A third line says whether decoding
// gives the text back.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tok/tok.h"

enum { MAX_TEXT = 1 << 20 };

static unsigned char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *bytes = malloc(*n + 1);
    if (bytes && fread(bytes, 1, *n, f) != *n) *n = 0;
    fclose(f);
    return bytes;
}

static hearth_status open_any(const char *path, gguf **g, tok **t, hearth_err *err)
{
    size_t n = 0;
    unsigned char *bytes = read_file(path, &n);
    if (!bytes) return err_fail(err, HEARTH_E_IO, "'%s' cannot be read", path);
    if (n > 4 && memcmp(bytes, "GGUF", 4) != 0) {
        return tok_open_json((str){(char *)bytes, n}, (str){"", 0}, t, err);
    }
    gguf_bytes part = {path, bytes, n};
    HEARTH_TRY(gguf_open(&part, 1, g, err));
    return tok_open(*g, t, err);
}

static void print_ids(const tok *t, str text, bool special, tok_ids *ids)
{
    hearth_err err = ERR_INIT;
    ids->n = 0;
    hearth_status status = tok_encode(t, text, (tok_options){special, special}, ids, &err);
    for (size_t i = 0; i < ids->n; i++) printf("%s%d", i ? " " : "", (int)ids->id[i]);
    printf("%s\n", status == HEARTH_OK ? "" : "error");
}

static bool comes_back(const tok *t, str text, const tok_ids *ids)
{
    buf out;
    tok_stream s;
    buf_init(&out, MEM_MISC, 1 << 24);
    tok_stream_init(&s);
    for (size_t i = 0; i < ids->n; i++) tok_stream_put(t, &s, ids->id[i], false, &out);
    tok_stream_flush(&s, false, &out);
    bool same = str_eq(buf_str(&out), text);
    buf_release(&out);
    return same;
}

int main(int argc, char **argv)
{
    static char text[MAX_TEXT];
    uint32_t n;
    gguf *g = NULL;
    tok *t = NULL;
    tok_ids ids = {0};
    hearth_err err = ERR_INIT;
    if (argc != 2) return 1;
    if (open_any(argv[1], &g, &t, &err) != HEARTH_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    while (fread(&n, sizeof n, 1, stdin) == 1 && n <= MAX_TEXT && fread(text, 1, n, stdin) == n) {
        print_ids(t, (str){text, n}, true, &ids);
        print_ids(t, (str){text, n}, false, &ids);
        puts(comes_back(t, (str){text, n}, &ids) ? "1" : "0");
    }
    tok_ids_release(&ids);
    tok_free(t);
    gguf_close(g);
    return 0;
}
