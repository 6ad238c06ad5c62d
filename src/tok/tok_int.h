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
#include "tok/trie.h"

typedef struct tok_kind tok_kind;
typedef struct tok_marked tok_marked;
typedef struct bpe_data bpe_data;   // bpe.c
typedef struct unigram_data unigram_data; // unigram.c
typedef struct plamo_data plamo_data; // plamo.c
typedef struct pipe pipe;           // json/pipe.h

struct tok {
    arena mem;             // all arrays below
    const tok_kind *kind;
    const char *name;      // of the kind with its split, static storage
    int32_t n;
    str *text;             // [n] borrowed from the file
    uint8_t *attr;         // [n] tok_attr, OR-ed with ATTR_ bits
    uint32_t *order;       // [n] "llama": smaller for a higher score
    tok_special special;
    int32_t byte_id[256];  // token that stands for one byte, or TOK_NONE
    map words;             // spelling -> id, all tokens
    size_t word_bytes_max; // longest spelling that vocab_find_word() can find
    byte_trie trie;        // special tokens, see special.c
    bool remove_extra_spaces;
    bool breaks_at_space;  // "llama", "t5": no token holds U+2581 after another character
    bpe_data *bpe;         // "gpt2"
    unigram_data *unigram; // "t5"
    plamo_data *plamo;     // "plamo2"
    pipe *pipe;            // tokenizer.json
    str word_end;          // tokens with it end in a space, but for the last; empty: none
    bool drops_repeats;    // a token like the one before says nothing
    byte_trie bytes;       // "rwkv": all tokens, not as they are spelled but as they are
    bool add_sep;          // the end of a text is the separator: "bert"
    bool lowers;           // "bert", "whitespace"
    bool strips_accents;   // "bert"
    bool joins_by_mark;    // "bert": "##" in front of what continues a word
};

enum { ATTR_MASK = 0x0F, ATTR_STRIP_BEFORE = 0x20, ATTR_STRIP_BEHIND = 0x40, ATTR_END = 0x80 };

struct tok_kind {
    const char *model;       // tokenizer.ggml.model
    tok_special defaults;    // what holds when the file is silent
    hearth_status (*open)(tok *t, const gguf *g, hearth_err *err); // memory from t->mem only
    // Text between special tokens or the ends: SentencePiece puts its space in front of each.
    hearth_status (*encode)(const tok *t, str text, tok_ids *out, hearth_err *err);
    hearth_status (*decode)(const tok *t, int32_t id, bool first, buf *out); // ordinary tokens
    // tokenizer.json: all of encoding, and of decoding tokens of every kind.
    hearth_status (*encode_all)(const tok *t, tok_marked *m, bool add_special, tok_ids *out,
                                hearth_err *err);
    void (*close)(tok *t); // what is not in t->mem; NULL: nothing
    bool decodes_all;
};
extern const tok_kind tok_kind_spm, tok_kind_bpe, tok_kind_wordpiece, tok_kind_unigram,
    tok_kind_rwkv, tok_kind_gemma4, tok_kind_plamo, tok_kind_dna, tok_kind_whitespace,
    tok_kind_json;

// --- vocab.c: what all kinds have ---------------------------------------------------------------
hearth_status vocab_read(tok *t, const gguf *g, hearth_err *err);
hearth_status vocab_read_specials(tok *t, const gguf *g, hearth_err *err);
// Fills t->words; types must be final.
hearth_status vocab_index(tok *t, hearth_err *err);
bool vocab_is_word(const tok *t, int32_t id); // may ordinary text become this token?
int32_t vocab_find_word(const tok *t, str text); // TOK_NONE when there is none
// An array of `n` items under `key`; NULL in *out when the file has none.
hearth_status vocab_find_array(const gguf *g, const char *key, int64_t n, const gguf_kv **out,
                               hearth_err *err);

// --- spm.c: what vocabularies spelled with U+2581 share -----------------------------------------
// Marks "<0x0A>" as byte tokens and fills t->byte_id.
hearth_status spm_find_bytes(tok *t, hearth_err *err);
bool spm_breaks_at_space(const tok *t); // see breaks_at_space
// The end of the word that starts at `at`: before the next mark that follows something else.
size_t spm_find_word_end(const tok *t, str s, size_t at);
// U+2581 for each space, or for each run of them.
void spm_escape_spaces(str s, bool runs, buf *out);
hearth_status spm_decode(const tok *t, int32_t id, bool first, buf *out);

// --- tok.c ---------------------------------------------------------------------------------------
hearth_status tok_new(tok **out, hearth_err *err); // an empty one

// A text with a cursor in its runs (tok_encode_marked). Positions are asked for in rising order.
struct tok_marked {
    str text;
    const str_run *runs;
    size_t n_runs, run_end; // runs[0] ends at run_end; those behind it are to come
    bool parses;            // control tokens at all
};
// How many bytes from `at` on may be a control token: those up to the next user's.
size_t marked_count_control(tok_marked *m, size_t at);
bool marked_has_user(tok_marked *m, size_t from, size_t to); // are any of these bytes a user's?

// --- ends.c: tokens that end a generation -------------------------------------------------------
void ends_mark(tok *t);

// --- special.c ----------------------------------------------------------------------------------
bool special_is(const tok *t, int32_t id); // is it found in text before anything else?
hearth_status special_build(tok *t, hearth_err *err);
// The longest special token at the start of s, and its length; TOK_NONE when there is none. Control
// tokens are looked for in the first n_control bytes only.
int32_t special_match(const tok *t, str s, size_t n_control, size_t *len);

// --- strip.c ------------------------------------------------------------------------------------
void strip_mark(tok *t, const gguf *g);

// --- ids ----------------------------------------------------------------------------------------
// What stands for a byte that the vocabulary cannot spell: unk (one for a run that began at
// `run_start` of out), or an error when the file has none.
hearth_status ids_push_byte(const tok *t, uint8_t byte, size_t run_start, tok_ids *out,
                            hearth_err *err);

static inline tok_attr attr_of(const tok *t, int32_t id)
{
    return (tok_attr)(t->attr[id] & ATTR_MASK);
}

#endif
