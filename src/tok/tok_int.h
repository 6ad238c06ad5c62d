// What the files of tok/ share: the vocabulary, and the seam between it and the kinds of tokenizer.
//
// A kind (tok_kind) is one file: it reads what only it needs from the GGUF file, turns a stretch of
// text that holds no special token into ids, and one id back into bytes. Everything else (special
// tokens, begin and end tokens, streaming) is the same for all kinds. Adding a kind: write its
// file, declare its tok_kind below and append it to the table in tok.c.
#ifndef HEARTH_TOK_TOK_INT_H
#define HEARTH_TOK_TOK_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "tok/tok.h"

typedef struct tok_kind tok_kind;
typedef struct bpe_data bpe_data;   // bpe.c

// Special tokens as a trie over bytes: a node's children are a chain of siblings.
typedef struct trie_node {
    uint32_t child, sibling; // node numbers, 0 is none (the root is nobody's child)
    int32_t id;              // the token that ends here or TOK_NONE
    uint8_t byte;
} trie_node;

typedef struct special_trie {
    trie_node *node;      // [n], node 0 is the root
    size_t n;
    uint32_t first[256];  // children of the root by byte
} special_trie;

struct tok {
    arena mem;             // all arrays below
    const tok_kind *kind;
    const char *name;      // of the kind with its split, static storage
    int32_t n;
    str *text;             // [n] borrowed from the file
    uint8_t *attr;         // [n] tok_attr, OR-ed with ATTR_END
    uint32_t *order;       // [n] "llama": smaller for a higher score
    tok_special special;
    int32_t byte_id[256];  // token that stands for one byte, or TOK_NONE
    map words;             // spelling -> id, all tokens
    size_t word_bytes_max; // longest spelling that vocab_find_word() can find
    special_trie trie;
    bool remove_extra_spaces;
    bool breaks_at_space;  // "llama": no token holds U+2581 after another character
    bpe_data *bpe;         // "gpt2"
    bool add_sep;          // the end of a text is the separator: "bert"
    bool lowers, strips_accents; // "bert"
    bool joins_by_mark;    // "bert": "##" in front of what continues a word
};

enum { ATTR_MASK = 0x7F, ATTR_END = 0x80 };

// One stretch of text to encode. `starts` is set at the beginning of the text and after a special
// token: SentencePiece puts its space in front there.
typedef struct tok_piece { str text; bool starts; } tok_piece;

struct tok_kind {
    const char *model;       // tokenizer.ggml.model
    tok_special defaults;    // what holds when the file is silent
    hearth_status (*open)(tok *t, const gguf *g, hearth_err *err); // memory from t->mem only
    hearth_status (*encode)(const tok *t, tok_piece piece, tok_ids *out, hearth_err *err);
    hearth_status (*decode)(const tok *t, int32_t id, bool first, buf *out); // ordinary tokens
};
extern const tok_kind tok_kind_spm, tok_kind_bpe, tok_kind_wordpiece;

// --- vocab.c: what all kinds have ---------------------------------------------------------------
hearth_status vocab_read(tok *t, const gguf *g, hearth_err *err);
// Fills t->words; types must be final.
hearth_status vocab_index(tok *t, hearth_err *err);
bool vocab_is_word(const tok *t, int32_t id); // may ordinary text become this token?
int32_t vocab_find_word(const tok *t, str text); // TOK_NONE when there is none
// An array of `n` items under `key`; NULL in *out when the file has none.
hearth_status vocab_find_array(const gguf *g, const char *key, int64_t n, const gguf_kv **out,
                               hearth_err *err);

// --- ends.c: tokens that end a generation -------------------------------------------------------
void ends_mark(tok *t);

// --- special.c ----------------------------------------------------------------------------------
hearth_status special_build(tok *t, hearth_err *err);
// The longest special token at the start of s, and its length; TOK_NONE when there is none.
int32_t special_match(const tok *t, str s, bool control_too, size_t *len);

// --- ids ----------------------------------------------------------------------------------------
hearth_status ids_push(tok_ids *ids, int32_t id, hearth_err *err);
// What stands for a byte that the vocabulary cannot spell: unk (one for a run that began at
// `run_start` of out), or an error when the file has none.
hearth_status ids_push_byte(const tok *t, uint8_t byte, size_t run_start, tok_ids *out,
                            hearth_err *err);

static inline tok_attr attr_of(const tok *t, int32_t id)
{
    return (tok_attr)(t->attr[id] & ATTR_MASK);
}

#endif
