// Special tokens, what is put around a text, and the chat template, as keys of a GGUF.
//
// Ids: a token's text in tokenizer_config.json, looked up among the added tokens; where that fails,
// "<kind>_token_id" of config.json. generation_config.json may list more tokens that end a text
// than the one that GGUF calls eos: the others become eot and eom. Whether a text begins with bos:
// the post-processor's template says, then "add_bos_token".
#include <stdio.h>
#include <string.h>

#include "hf/hf_vocab.h"

typedef enum special { BOS, EOS, UNK, SEP, PAD, CLS, MASK, SPECIAL_COUNT } special;
static const struct { const char *theirs, *ours; } specials[SPECIAL_COUNT] = {
    [BOS] = {"bos", "bos"}, [EOS] = {"eos", "eos"}, [UNK] = {"unk", "unknown"},
    [SEP] = {"sep", "seperator"}, // the key's own spelling
    [PAD] = {"pad", "padding"}, [CLS] = {"cls", "cls"}, [MASK] = {"mask", "mask"},
};

typedef struct special_writer {
    const hf_model *m;
    const conf *tokenizer; // tokenizer.json
    const hf_vocab *v;     // may be NULL
    gguf_writer *w;
    str text[SPECIAL_COUNT];
    int64_t id[SPECIAL_COUNT];
    int add[2]; // bos, eos: -1 unsaid
} special_writer;

// --- ids ----------------------------------------------------------------------------------------

static str token_text(const conf *config, const char *theirs)
{
    char path[64];
    str text = {0};
    snprintf(path, sizeof path, "%s_token", theirs);
    if (conf_str(config, path, &text)) return text;
    snprintf(path, sizeof path, "%s_token.content", theirs);
    conf_str(config, path, &text);
    return text;
}

static int64_t find_added(const conf *tokenizer, str text)
{
    const conf_value *list = conf_find(tokenizer, "added_tokens");
    for (int64_t i = 0; list && text.n > 0 && i < list->n; i++) {
        char path[64];
        str content;
        int64_t id;
        snprintf(path, sizeof path, "added_tokens.%lld.content", (long long)i);
        if (!conf_str(tokenizer, path, &content) || !str_eq(content, text)) continue;
        snprintf(path, sizeof path, "added_tokens.%lld.id", (long long)i);
        if (conf_i64(tokenizer, path, &id)) return id;
    }
    return -1;
}

static int64_t configured_id(const hf_model *m, const char *theirs)
{
    char name[64], first[80];
    snprintf(name, sizeof name, "%s_token_id", theirs);
    snprintf(first, sizeof first, "%s.0", name); // a list of several that end a text
    return hf_config_i64(m, name, hf_config_i64(m, first, -1));
}

static void find_ids(special_writer *s)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        s->text[i] = token_text(&s->m->tokenizer, specials[i].theirs);
        s->id[i] = find_added(s->tokenizer, s->text[i]);
        if (s->id[i] < 0) s->id[i] = configured_id(s->m, specials[i].theirs);
        if (s->v && s->id[i] >= s->v->n) s->id[i] = -1;
    }
}

static hearth_status write_id(const special_writer *s, const char *ours, int64_t id,
                              hearth_err *err)
{
    char key[64];
    if (id < 0 || id > UINT32_MAX) return HEARTH_OK;
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", ours);
    return gguf_write_u32(s->w, key, (uint32_t)id, err);
}

static hearth_status write_ids(const special_writer *s, hearth_err *err)
{
    for (int i = 0; i < SPECIAL_COUNT; i++)
        HEARTH_TRY(write_id(s, specials[i].ours, s->id[i], err));
    static const char *const more[] = {"eot", "eom"};
    size_t n_more = 0;
    for (int64_t i = 0; i < 16 && n_more < COUNTOF(more); i++) {
        char path[32];
        int64_t id;
        snprintf(path, sizeof path, "eos_token_id.%lld", (long long)i);
        if (!conf_i64(&s->m->generation, path, &id)) break;
        if (id != s->id[EOS]) HEARTH_TRY(write_id(s, more[n_more++], id, err));
    }
    return HEARTH_OK;
}

// --- what is put around a text ------------------------------------------------------------------

static str template_token(const conf *t, const char *at, int64_t i)
{
    char path[128];
    str id = {0};
    snprintf(path, sizeof path, "%s.single.%lld.SpecialToken.id", at, (long long)i);
    conf_str(t, path, &id);
    return id;
}

static void read_processor(special_writer *s, const char *at)
{
    char path[128];
    str type = {0};
    snprintf(path, sizeof path, "%s.type", at);
    conf_str(s->tokenizer, path, &type);
    if (str_eq_z(type, "ByteLevel")) {
        for (int i = 0; i < 2; i++) s->add[i] = s->add[i] < 0 ? 0 : s->add[i];
    } else if (str_eq_z(type, "RobertaProcessing")) {
        s->add[0] = s->add[1] = 1;
    } else if (str_eq_z(type, "TemplateProcessing")) {
        snprintf(path, sizeof path, "%s.single", at);
        const conf_value *single = conf_find(s->tokenizer, path);
        if (!single || single->n < 2) return;
        str first = template_token(s->tokenizer, at, 0);
        str last = template_token(s->tokenizer, at, single->n - 1);
        if (first.n > 0) s->add[0] = str_eq(first, s->text[BOS]) || str_eq(first, s->text[CLS]);
        if (last.n > 0) s->add[1] = str_eq(last, s->text[EOS]) || str_eq(last, s->text[SEP]);
    }
}

static void read_processors(special_writer *s)
{
    s->add[0] = s->add[1] = -1;
    const conf_value *list = conf_find(s->tokenizer, "post_processor.processors");
    if (!list) read_processor(s, "post_processor");
    for (int64_t i = 0; list && i < i64_min(list->n, 16); i++) {
        char at[64];
        snprintf(at, sizeof at, "post_processor.processors.%lld", (long long)i);
        read_processor(s, at);
    }
    static const char *const keys[] = {"add_bos_token", "add_eos_token"};
    for (int i = 0; i < 2; i++) {
        bool b;
        if (s->add[i] < 0 && conf_bool(&s->m->tokenizer, keys[i], &b)) s->add[i] = b;
    }
}

static hearth_status write_flags(special_writer *s, hearth_err *err)
{
    bool prefix = true;
    const char *arch = s->m->family->arch;
    read_processors(s);
    if (s->add[0] >= 0)
        HEARTH_TRY(gguf_write_bool(s->w, "tokenizer.ggml.add_bos_token", s->add[0] == 1, err));
    if (s->add[1] >= 0)
        HEARTH_TRY(gguf_write_bool(s->w, "tokenizer.ggml.add_eos_token", s->add[1] == 1, err));
    bool said = conf_bool(&s->m->tokenizer, "add_prefix_space", &prefix);
    if (str_starts(str_from(arch), STR("gemma")) && s->v && s->v->has_scores) {
        said = true; // the library's own code for gemma puts none
        prefix = false;
    }
    return said ? gguf_write_bool(s->w, "tokenizer.ggml.add_space_prefix", prefix, err) : HEARTH_OK;
}

// --- chat template ------------------------------------------------------------------------------

// [{"name": "default", "template": "..."}, {"name": "tool_use", ...}]
static hearth_status write_templates(const special_writer *s, const conf_value *list,
                                     hearth_err *err)
{
    for (int64_t i = 0; i < i64_min(list->n, 64); i++) {
        char path[64], key[128] = "tokenizer.chat_template";
        str name, text;
        snprintf(path, sizeof path, "chat_template.%lld.name", (long long)i);
        if (!conf_str(&s->m->tokenizer, path, &name)) continue;
        snprintf(path, sizeof path, "chat_template.%lld.template", (long long)i);
        if (!conf_str(&s->m->tokenizer, path, &text)) continue;
        if (!str_eq_z(name, "default"))
            snprintf(key, sizeof key, "tokenizer.chat_template.%.*s", (int)size_min(name.n, 64),
                     name.p);
        HEARTH_TRY(gguf_write_str(s->w, key, text, err));
    }
    return HEARTH_OK;
}

static hearth_status write_template(const special_writer *s, hearth_err *err)
{
    os_mapping file;
    str text;
    if (conf_str(&s->m->tokenizer, "chat_template", &text))
        return gguf_write_str(s->w, "tokenizer.chat_template", text, err);
    const conf_value *list = conf_find(&s->m->tokenizer, "chat_template");
    if (list && list->kind == JSON_ARRAY_BEGIN) return write_templates(s, list, err);
    HEARTH_TRY(hf_folder_map(s->m, "chat_template.jinja", &file, err));
    if (!file.data) return HEARTH_OK;
    hearth_status status = gguf_write_str(s->w, "tokenizer.chat_template",
                                          (str){(const char *)file.data, file.size}, err);
    os_unmap(&file);
    return status;
}

hearth_status hf_write_specials(const hf_model *m, const conf *tokenizer, const hf_vocab *v,
                                gguf_writer *w, hearth_err *err)
{
    special_writer s = {.m = m, .tokenizer = tokenizer, .v = v, .w = w};
    find_ids(&s);
    HEARTH_TRY(write_ids(&s, err));
    HEARTH_TRY(write_flags(&s, err));
    return write_template(&s, err);
}
