// The vocabulary every kind of tokenizer has: spellings, types, special ids, and the map from
// spellings to ids.
//
// vocab_find_word() finds normal and user-defined tokens only, so no merge of ordinary text can
// make another: special.c alone turns text into control tokens, and only when the caller asks.
// Of tokens with the same spelling the first counts. Strings are borrowed from the file; the arrays
// are as long as the file's own, so their size is bounded by its size.
#include "base/log.h"
#include "defs/limits.h"
#include "tok/tok_int.h"

hearth_status vocab_find_array(const gguf *g, const char *key, int64_t n, const gguf_kv **out,
                               hearth_err *err)
{
    const gguf_kv *kv = gguf_find(g, key);
    if (kv && kv->type != GGUF_ARRAY) {
        return err_fail(err, HEARTH_E_FORMAT, "'%s': expected an array, found %s", key,
                        gguf_type_name(kv->type));
    }
    if (kv && kv->n != (uint64_t)n) {
        return err_fail(err, HEARTH_E_FORMAT, "'%s': %llu items for %lld tokens", key,
                        (unsigned long long)kv->n, (long long)n);
    }
    *out = kv;
    return HEARTH_OK;
}

static hearth_status read_texts(tok *t, const gguf *g, hearth_err *err)
{
    const char *key = "tokenizer.ggml.tokens";
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv || kv->type != GGUF_ARRAY || kv->item_type != GGUF_STRING) {
        return err_fail(err, HEARTH_E_FORMAT, "'%s': %s", key,
                        kv ? "expected an array of strings" : "missing");
    }
    if (kv->n == 0 || kv->n > LIMIT_VOCAB) {
        return err_fail(err, kv->n ? HEARTH_E_LIMIT : HEARTH_E_FORMAT,
                        "'%s': %llu tokens, expected 1 to %d", key, (unsigned long long)kv->n,
                        LIMIT_VOCAB);
    }
    t->n = (int32_t)kv->n;
    t->text = arena_new(&t->mem, str, (size_t)t->n);
    t->attr = arena_new(&t->mem, uint8_t, (size_t)t->n);
    if (!t->text || !t->attr) return err_fail(err, HEARTH_E_NOMEM, "'%s': no memory", key);
    size_t offset = 0;
    for (int32_t i = 0; i < t->n; i++) {
        t->text[i] = gguf_next_string(kv, &offset);
        if (t->text[i].n > LIMIT_TOKEN_BYTES) {
            return err_fail(err, HEARTH_E_LIMIT, "'%s': token %d has %zu bytes, at most %d", key,
                            (int)i, t->text[i].n, LIMIT_TOKEN_BYTES);
        }
    }
    return HEARTH_OK;
}

static hearth_status read_types(tok *t, const gguf *g, hearth_err *err)
{
    const char *key = "tokenizer.ggml.token_type";
    const gguf_kv *kv;
    HEARTH_TRY(vocab_find_array(g, key, t->n, &kv, err));
    for (int32_t i = 0; i < t->n; i++) {
        int64_t type = TOK_NORMAL;
        if (kv && (!gguf_item_i64(kv, (uint64_t)i, &type) || type < 0 || type > TOK_BYTE)) {
            return err_fail(err, HEARTH_E_FORMAT, "'%s': token %d has no type of 0 to %d", key,
                            (int)i, TOK_BYTE);
        }
        t->attr[i] = (uint8_t)(type == 0 ? TOK_NORMAL : type); // 0: undefined
    }
    return HEARTH_OK;
}

// Ids outside the vocabulary are published too, most often 0xFFFFFFFF for "none" and a padding
// token that was never added; such an id counts as absent.
static hearth_status read_id(const tok *t, const gguf *g, const char *key, int32_t *id,
                             hearth_err *err)
{
    uint64_t v = 0;
    bool found = false;
    HEARTH_TRY(gguf_get_u64(g, key, UINT32_MAX, &v, &found, err));
    if (found && v < (uint64_t)t->n) {
        *id = (int32_t)v;
    } else if (found && v != UINT32_MAX) {
        log_write(LOG_WARN, "'%s': %llu is not a token, ignored", key, (unsigned long long)v);
    }
    if (*id >= t->n) *id = TOK_NONE; // a default that this vocabulary is too small for
    return HEARTH_OK;
}

hearth_status vocab_read_specials(tok *t, const gguf *g, hearth_err *err)
{
    tok_special *s = &t->special;
    const struct { const char *key; int32_t *id; } ids[] = {
        {"tokenizer.ggml.cls_token_id", &s->bos}, // what begins a text for BERT
        {"tokenizer.ggml.bos_token_id", &s->bos},
        {"tokenizer.ggml.eos_token_id", &s->eos},
        {"tokenizer.ggml.eot_token_id", &s->eot},
        {"tokenizer.ggml.eom_token_id", &s->eom},
        {"tokenizer.ggml.unknown_token_id", &s->unk},
        {"tokenizer.ggml.seperator_token_id", &s->sep}, // the key's own spelling
        {"tokenizer.ggml.padding_token_id", &s->pad},
        {"tokenizer.ggml.mask_token_id", &s->mask},
        {"tokenizer.ggml.prefix_token_id", &s->fim_pre}, // older names of the next three
        {"tokenizer.ggml.suffix_token_id", &s->fim_suf},
        {"tokenizer.ggml.middle_token_id", &s->fim_mid},
        {"tokenizer.ggml.fim_pre_token_id", &s->fim_pre},
        {"tokenizer.ggml.fim_suf_token_id", &s->fim_suf},
        {"tokenizer.ggml.fim_mid_token_id", &s->fim_mid},
        {"tokenizer.ggml.fim_pad_token_id", &s->fim_pad},
        {"tokenizer.ggml.fim_rep_token_id", &s->fim_repo},
        {"tokenizer.ggml.fim_sep_token_id", &s->fim_file},
    };
    for (size_t i = 0; i < COUNTOF(ids); i++) HEARTH_TRY(read_id(t, g, ids[i].key, ids[i].id, err));
    const struct { const char *key; bool *flag; } flags[] = {
        {"tokenizer.ggml.add_bos_token", &s->add_bos},
        {"tokenizer.ggml.add_eos_token", &s->add_eos},
        {"tokenizer.ggml.add_space_prefix", &s->add_space_prefix},
        {"tokenizer.ggml.remove_extra_whitespaces", &t->remove_extra_spaces},
    };
    for (size_t i = 0; i < COUNTOF(flags); i++) {
        bool found;
        HEARTH_TRY(gguf_get_bool(g, flags[i].key, flags[i].flag, &found, err));
    }
    return HEARTH_OK;
}

hearth_status vocab_read(tok *t, const gguf *g, hearth_err *err)
{
    for (size_t i = 0; i < COUNTOF(t->byte_id); i++) t->byte_id[i] = TOK_NONE;
    HEARTH_TRY(read_texts(t, g, err));
    HEARTH_TRY(read_types(t, g, err));
    return vocab_read_specials(t, g, err);
}

bool vocab_is_word(const tok *t, int32_t id)
{
    tok_attr attr = attr_of(t, id);
    return (attr == TOK_NORMAL || attr == TOK_USER_DEFINED) && t->text[id].n > 0;
}

int32_t vocab_find_word(const tok *t, str text)
{
    uint32_t id;
    if (text.n > t->word_bytes_max || !map_get(&t->words, text, &id)) return TOK_NONE;
    return vocab_is_word(t, (int32_t)id) ? (int32_t)id : TOK_NONE;
}

hearth_status vocab_index(tok *t, hearth_err *err)
{
    hearth_status status = map_reserve(&t->words, (size_t)t->n);
    for (int32_t i = 0; i < t->n && status == HEARTH_OK; i++) {
        status = map_put(&t->words, t->text[i], (uint32_t)i, NULL);
        if (vocab_is_word(t, i)) t->word_bytes_max = size_max(t->word_bytes_max, t->text[i].n);
    }
    if (status != HEARTH_OK) return err_fail(err, status, "no memory for %d tokens", (int)t->n);
    return HEARTH_OK;
}
