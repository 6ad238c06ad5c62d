// Tokenizers of GGUF files: text to token ids and back.
//
// Kinds: SentencePiece BPE ("llama") and Unigram ("t5"), byte-level BPE ("gpt2") with the splits of
// split.c ("hybriddna": with DNA by sixes), BPE over text ("gemma4", "whitespace"), WordPiece
// ("bert"), RWKV's longest match ("rwkv") and PLaMo 2's best sum ("plamo2"); others are refused by
// name. Immutable after tok_open(), safe from any thread. Text is bytes: what is not
// UTF-8 is encoded too (byte tokens) and comes back as it was; only kinds that normalise text
// (Unigram, WordPiece) change or drop it, and vocabularies of byte-level BPE that lack a byte.
#ifndef HEARTH_TOK_TOK_H
#define HEARTH_TOK_TOK_H

#include "base/str.h"
#include "fmt/gguf.h"

typedef struct tok tok;

typedef enum tok_attr { // meaning of tokenizer.ggml.token_type
    TOK_NORMAL = 1, TOK_UNKNOWN = 2, TOK_CONTROL = 3, TOK_USER_DEFINED = 4, TOK_UNUSED = 5,
    TOK_BYTE = 6
} tok_attr;

enum { TOK_NONE = -1 };
typedef struct tok_special { // ids, TOK_NONE when the file names none
    int32_t bos, eos, eot, eom, unk, sep, pad, mask;
    // Fill-in-the-middle: what stands before the prefix, the suffix and the text in between, a
    // filler, and what stands before the names of a repository and of one of its files.
    int32_t fim_pre, fim_suf, fim_mid, fim_pad, fim_repo, fim_file;
    bool add_bos, add_eos, add_space_prefix; // as the file says, or the kind's default
} tok_special;
#define TOK_NO_FIM /* initialisers */                                                             \
    .fim_pre = TOK_NONE, .fim_suf = TOK_NONE, .fim_mid = TOK_NONE, .fim_pad = TOK_NONE,            \
    .fim_repo = TOK_NONE, .fim_file = TOK_NONE

// The tokenizer owns what it needs: `g` and its mapping are borrowed for vocabulary strings and
// must outlive it.
hearth_status tok_open(const gguf *g, tok **out, hearth_err *err);
// The same from the text of a tokenizer.json, of any kind (json/pipe.h), which is copied. `config`:
// the text of the tokenizer_config.json beside it, which names special tokens; empty when there is
// none. tok_open() does this with 'tokenizer.huggingface.json' where a file has nothing it knows.
hearth_status tok_open_json(str json, str config, tok **out, hearth_err *err);
void tok_free(tok *t); // NULL is legal
int32_t tok_count(const tok *t);
const tok_special *tok_specials(const tok *t);
const char *tok_kind_name(const tok *t); // "llama", "gpt2/qwen2"
// Does generation end at this token (eos, eot and whatever else the file marks as an end)?
bool tok_is_end(const tok *t, int32_t id);
tok_attr tok_get_attr(const tok *t, int32_t id); // id in [0, tok_count)
str tok_text(const tok *t, int32_t id); // the vocabulary's own spelling

typedef struct tok_ids { int32_t *id; size_t n, cap; } tok_ids; // grown with mem_realloc, MEM_MISC
void tok_ids_release(tok_ids *ids);
hearth_status tok_ids_push(tok_ids *ids, int32_t id, hearth_err *err);

// Appends the ids of `text`. parse_special: control tokens spelled in the text become their ids
// (otherwise they are ordinary text; user-defined tokens are always matched). add_special: begin
// and end tokens are put if the file asks for them; WordPiece ends with sep.
typedef struct tok_options { bool add_special, parse_special; } tok_options;
hearth_status tok_encode(const tok *t, str text, tok_options o, tok_ids *out, hearth_err *err);
// The same for a text of which some is a user's. The runs cover it. Control tokens are found (if
// o.parse_special) only where the template wrote every byte of them; all else is as if the text had
// one author: user-defined tokens are matched and ordinary ones merge across the borders of runs.
hearth_status tok_encode_marked(const tok *t, str text, const str_run *runs, size_t n_runs,
                                tok_options o, tok_ids *out, hearth_err *err);

// Appends the bytes of one token, byte tokens included; control tokens give nothing unless
// `special`. The first token of a SentencePiece text drops its leading space: `first`.
hearth_status tok_decode_one(const tok *t, int32_t id, bool special, bool first, buf *out);

// Streaming decode: bytes come out only as whole UTF-8 characters; bytes that can never become one
// are replaced by U+FFFD by the flush only when `replace` is set, else passed through.
// Decoders of tokenizer.json that look at the token before or the end of the text work here alone.
typedef struct tok_stream {
    char tail[8];
    size_t n_tail;
    bool started;
    bool space;      // one that the text has only if something follows
    int32_t last_id; // the last token that showed; TOK_NONE: none
} tok_stream;
void tok_stream_init(tok_stream *s);
hearth_status tok_stream_put(const tok *t, tok_stream *s, int32_t id, bool special, buf *out);
hearth_status tok_stream_flush(tok_stream *s, bool replace, buf *out);

#endif
