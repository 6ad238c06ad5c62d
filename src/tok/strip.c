// Special tokens that take the white space beside them.
//
// Published tokenizers say for each added token whether it swallows the white space before it
// (lstrip) or behind it (rstrip); GGUF files have no place for that, so it is known by the model:
//   name with "phi-3" or "phi3"                     all behind, but <unk>, <s>, <|endoftext|>
//   name with "modern-bert"                         [MASK] before
//   split of jina v2, nomic-bert-moe, jina-bert-v3  <mask> before
#include "tok/tok_int.h"

// Is `needle`, in lower case, in the string under `key`, whatever its case?
static bool has_word(const gguf *g, const char *key, const char *needle)
{
    str s, word = str_from(needle);
    bool found;
    if (gguf_get_str(g, key, &s, &found, NULL) != HEARTH_OK || !found) return false;
    for (size_t i = 0; i + word.n <= s.n; i++) {
        size_t k = 0;
        while (k < word.n) {
            char c = s.p[i + k];
            if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
            if (c != word.p[k]) break;
            k++;
        }
        if (k == word.n) return true;
    }
    return false;
}

static void mark_token(tok *t, const char *text, uint8_t mark)
{
    for (int32_t i = 0; i < t->n; i++) {
        if (str_eq_z(t->text[i], text)) t->attr[i] |= mark;
    }
}

static void mark_all_behind(tok *t)
{
    for (int32_t i = 0; i < t->n; i++) {
        str s = t->text[i];
        bool not_this = str_eq_z(s, "<unk>") || str_eq_z(s, "<s>") || str_eq_z(s, "<|endoftext|>");
        if (!not_this && special_is(t, i)) t->attr[i] |= ATTR_STRIP_BEHIND;
    }
}

void strip_mark(tok *t, const gguf *g)
{
    static const char *const jina[] = {"jina-v2-de", "jina-v2-es", "jina-v2-code"};
    const char *name = "general.name", *arch = "general.architecture";
    if (has_word(g, name, "phi-3") || has_word(g, name, "phi3")) mark_all_behind(t);
    if (has_word(g, name, "modern-bert")) mark_token(t, "[MASK]", ATTR_STRIP_BEFORE);
    bool masks = has_word(g, arch, "nomic-bert-moe") || has_word(g, arch, "jina-bert-v3");
    for (size_t i = 0; i < COUNTOF(jina); i++) {
        masks = masks || has_word(g, "tokenizer.ggml.pre", jina[i]);
    }
    if (masks) mark_token(t, "<mask>", ATTR_STRIP_BEFORE);
}
