// Which kind of vocabulary a folder has, and what GGUF calls the split of its text.
//
// A GGUF holds no patterns, only the name of a model whose tokenizer cuts text in the same way. The
// pre-tokenizer of tokenizer.json is written down as one line and compared with the lines of the
// splits that have names:
//
//   Split: its pattern, and "!" for what is not isolated    Digits: "digits" or "digit" one by one
//   ByteLevel: "bytes", with its own pattern "gpt2"         Punctuation: "punct"
//
// Several names stand for one split (starcoder, command-r, smollm); the family then says which, so
// that the file is what llama.cpp's converter makes.
#include <stdio.h>
#include <string.h>

#include "hf/hf_vocab.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SLASH_TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"

static const struct { const char *line, *name, *family; } known[] = {
    {"gpt2", "gpt-2", NULL},
    {"digit gpt2", "starcoder", "starcoder2"},
    {"digit gpt2", "command-r", "command-r"},
    {"digit gpt2", "smollm", NULL},
    {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" TAIL " bytes", "llama-bpe", NULL},
    {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" TAIL " bytes", "qwen2", NULL},
    {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
     "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+ bytes", "qwen35", NULL},
    {"[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+"
     LOWER "*" CONTRACTIONS "?|\\p{N}{1,3}" SLASH_TAIL " bytes", "gpt-4o", NULL},
    {"[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*|\\p{N}"
     SLASH_TAIL " bytes", "tekken", NULL},
    {"\\p{N}{1,3} [\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+ "
     "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?"
     "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+ bytes",
     "deepseek-v3", NULL},
};

static void append_step(const conf *t, const char *at, buf *line)
{
    char path[96];
    str type = {0}, text = {0};
    bool flag = false;
    snprintf(path, sizeof path, "%s.type", at);
    conf_str(t, path, &type);
    if (line->n > 0) buf_append_char(line, ' ');
    if (str_eq_z(type, "Split")) {
        snprintf(path, sizeof path, "%s.pattern.Regex", at);
        conf_str(t, path, &text);
        buf_append_str(line, text);
        snprintf(path, sizeof path, "%s.behavior", at);
        if (!conf_str(t, path, &text) || !str_eq_z(text, "Isolated")) buf_append_char(line, '!');
        snprintf(path, sizeof path, "%s.invert", at);
        if (conf_bool(t, path, &flag) && flag) buf_append_char(line, '~');
    } else if (str_eq_z(type, "Digits")) {
        snprintf(path, sizeof path, "%s.individual_digits", at);
        conf_bool(t, path, &flag);
        buf_append_str(line, flag ? STR("digit") : STR("digits"));
    } else if (str_eq_z(type, "ByteLevel")) {
        snprintf(path, sizeof path, "%s.add_prefix_space", at);
        if (conf_bool(t, path, &flag) && flag) buf_append_str(line, STR("space+"));
        flag = true;
        snprintf(path, sizeof path, "%s.use_regex", at);
        conf_bool(t, path, &flag);
        buf_append_str(line, flag ? STR("gpt2") : STR("bytes"));
    } else {
        buf_append_char(line, '?');
        buf_append_str(line, type);
    }
}

static void describe_splits(const conf *t, buf *line)
{
    const conf_value *list = conf_find(t, "pre_tokenizer.pretokenizers");
    if (!list) append_step(t, "pre_tokenizer", line);
    for (int64_t i = 0; list && i < i64_min(list->n, 16); i++) {
        char at[64];
        snprintf(at, sizeof at, "pre_tokenizer.pretokenizers.%lld", (long long)i);
        append_step(t, at, line);
    }
}

const char *hf_split_name(const hf_model *m, const conf *tokenizer)
{
    buf line;
    const char *name = NULL;
    buf_init(&line, MEM_MODEL, 1 << 16);
    describe_splits(tokenizer, &line);
    for (size_t i = 0; i < COUNTOF(known) && !name && line.failed == HEARTH_OK; i++) {
        bool fits = !known[i].family || !strcmp(known[i].family, m->family->arch);
        if (fits && str_eq_z(buf_str(&line), known[i].line)) name = known[i].name;
    }
    buf_release(&line);
    bool whole = false; // llama-bpe takes a word that is a token as it is; others merge
    conf_bool(tokenizer, "model.ignore_merges", &whole);
    if (name && !strcmp(name, "llama-bpe") && !whole) name = "dbrx";
    return name;
}

hf_vocab_kind_id hf_vocab_kind(const hf_model *m, const hf_tokenizer_files *f)
{
    str type = {0};
    bool fallback = false;
    conf_str(&f->table, "model.type", &type);
    conf_bool(&f->table, "model.byte_fallback", &fallback);
    bool is_bpe = str_eq_z(type, "BPE");
    if (is_bpe && !fallback && hf_split_name(m, &f->table)) return HF_VOCAB_BPE;
    if (f->model.data) return HF_VOCAB_SPM;
    if (is_bpe && fallback) return HF_VOCAB_TEXT;
    return f->json.data ? HF_VOCAB_OTHER : HF_VOCAB_NONE;
}
