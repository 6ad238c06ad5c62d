// A tokenizer.json: what its parts are, and how a text goes through them.
//
//   text -> added tokens, found before normalising -> normalizers -> added tokens, found after
//        -> pre-tokenizers, which cut pieces -> model, which makes ids of a piece
//        -> post-processor, which puts ids around them
//
// The text between two added tokens is a section. Normalizers turn one text into another;
// pre-tokenizers work on all pieces of a section at once, each piece a range of the section's text,
// which some of them rewrite. Offsets into the original text, which the tokenizers library carries
// along, are nobody's business here.
//
// Immutable after opening; a text's own memory is in pipe_work.
#ifndef HEARTH_TOK_PIPE_H
#define HEARTH_TOK_PIPE_H

#include "tok/charsmap.h"
#include "tok/json/jtree.h"
#include "tok/json/pattern.h"
#include "tok/lattice.h"
#include "tok/pairs.h"
#include "tok/tok_int.h"

// --- normalizers --------------------------------------------------------------------------------
typedef enum normal_kind {
    NORMAL_NFC, NORMAL_NFD, NORMAL_NFKC, NORMAL_NFKD, NORMAL_LOWER, NORMAL_STRIP,
    NORMAL_STRIP_ACCENTS, NORMAL_REPLACE, NORMAL_PREPEND, NORMAL_BERT, NORMAL_CHARSMAP, NORMAL_NMT,
    NORMAL_BYTES
} normal_kind;

typedef struct normal_stage {
    normal_kind kind;
    bool left, right;                        // strip
    bool clean, chinese, accents, lower;     // bert
    pattern pattern;                         // replace
    str text;                                // what is put instead or in front
    charsmap rules;
} normal_stage;

// --- pre-tokenizers -----------------------------------------------------------------------------
typedef enum cut_kind {
    CUT_PATTERN, CUT_BYTES, CUT_METASPACE, CUT_FIXED, CUT_SCRIPTS,
    // By characters of one kind:
    CUT_SPACES, CUT_DIGITS, CUT_MARKS, CUT_CHAR
} cut_kind;

typedef enum cut_behavior {
    CUT_REMOVED, CUT_ISOLATED, CUT_CONTIGUOUS, CUT_WITH_PREVIOUS, CUT_WITH_NEXT
} cut_behavior;

typedef enum cut_prepend { PREPEND_NEVER, PREPEND_FIRST, PREPEND_ALWAYS } cut_prepend;

typedef struct cut_stage {
    cut_kind kind;
    cut_behavior behavior;
    bool invert;
    pattern pattern;     // CUT_PATTERN; CUT_BYTES has none
    uint32_t cp;         // CUT_CHAR
    str text;            // CUT_METASPACE: what stands for a space
    cut_prepend prepend; // CUT_METASPACE; CUT_BYTES: a space in front, PREPEND_ALWAYS
    bool splits;         // CUT_METASPACE, CUT_BYTES
    size_t length;       // CUT_FIXED
} cut_stage;

typedef struct piece { uint32_t from, to; } piece;
typedef struct piece_list { piece *p; size_t n, cap; } piece_list;

// --- models -------------------------------------------------------------------------------------
typedef struct pipe_work pipe_work;
typedef struct pipe_model {
    const char *type;  // in the file
    const char *name;  // of the whole tokenizer
    hearth_status (*open)(tok *t, hearth_err *err); // after the vocabulary was read
    // One piece, not empty.
    hearth_status (*encode)(const tok *t, pipe_work *w, str text, tok_ids *out, hearth_err *err);
} pipe_model;

// What the model's part of the file says, of any model.
typedef struct pipe_options {
    str unk;                     // its spelling; empty when there is none
    int32_t unk_id;              // Unigram says the id
    str prefix, suffix;          // of what continues a word, of what ends one
    bool fuse_unk, byte_fallback, ignore_merges;
    size_t word_chars_max;       // WordPiece
} pipe_options;

typedef struct pipe_merge { uint32_t from, left_n, right_n; } pipe_merge; // of pipe_source.merges
typedef struct pipe_source { // the model's arrays while opening
    buf text;                // spellings, one behind the other
    uint32_t *from, *id;     // [n] where a spelling begins (the next one ends it), its id
    double *score;           // [n] Unigram
    size_t n, cap;
    buf merges;              // both sides of a merge, one behind the other
    pipe_merge *merge;
    size_t n_merges, merges_cap;
    bool has_scores;
} pipe_source;

// --- added tokens -------------------------------------------------------------------------------
typedef struct added_token {
    int32_t id;
    str text;
    bool single_word, strips_left, strips_right, normalized, special;
} added_token;

// --- decoders -----------------------------------------------------------------------------------
typedef enum decode_kind {
    DECODE_BYTES, DECODE_METASPACE, DECODE_WORDPIECE, DECODE_SUFFIX, DECODE_FALLBACK, DECODE_FUSE,
    DECODE_STRIP, DECODE_REPLACE, DECODE_CTC
} decode_kind;

typedef struct decode_stage {
    decode_kind kind;
    str text;        // what is looked for: a prefix, a suffix, a mark, a padding token
    str with;        // DECODE_REPLACE; DECODE_CTC: what is between words
    pattern pattern; // DECODE_REPLACE
    bool cleanup;    // DECODE_WORDPIECE, DECODE_CTC
    bool drops_first; // DECODE_METASPACE: no space in front of the text
    size_t start, stop; // DECODE_STRIP
    bool fused;      // the tokens are one text by now
} decode_stage;


struct pipe {
    normal_stage normal[LIMIT_STAGES];
    cut_stage cut[LIMIT_STAGES];
    decode_stage decode[LIMIT_STAGES];
    size_t n_normal, n_cut, n_decode;
    bool joins_by_space;        // no decoder: tokens are words
    const pipe_model *model;
    pipe_options options;
    pipe_source source;         // emptied when opened
    added_token *added;         // [n_added]
    size_t n_added;
    byte_trie raw, normal_trie; // added tokens by index, as they are and normalised
    bool has_raw, has_normalized;
    int32_t *before, *behind;   // post-processor: ids around a text
    size_t n_before, n_behind;
    // models
    pair_table pairs;           // BPE
    int32_t *char_id;           // [PIPE_CHARS] of characters below U+0200
    lattice ways;               // Unigram
};
enum { PIPE_CHARS = 0x200 };

// What one call of tok_encode() needs besides.
struct pipe_work {
    pattern_search search;
    buf text, other;      // of the section: a stage reads one and fills the other
    piece_list pieces, next;
    merge merge;
    buf spelling;
    lattice_ways ways;
    bool at_start;        // the section begins where the text begins
};

#endif
