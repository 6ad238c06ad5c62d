// Conversations to tokens: template, rendering, tokens of two authors, and what was held before.
//
//   messages, tools, variables --tmpl--> text with origins --tok--> ids
//                    the template, the vocabulary --reply--> how to read the answer
//
// A conversation's next turn begins with what the model has read and written so far. Tokens that a
// model wrote are not always those that the tokenizer would choose for their text, and one that
// differs throws away the cache behind it. So the caller passes the tokens it holds: if their text
// is the beginning of the rendered text, they are used as they are and only the rest is encoded.
// Control tokens among them count only where the template wrote them, as everywhere.
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "defs/limits.h"
#include "engine/local.h"

#define TEMPLATE_KEY "tokenizer.chat_template"

// --- the template -------------------------------------------------------------------------------

// For models without one, by the control tokens that their vocabulary has; the first that fits.
// The last is for vocabularies without any: plain text, as base models saw it on the web.
static const struct { const char *token, *name, *text; } plain_templates[] = {
    {"<|im_start|>", "chatml",
     "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
     "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"},
    {"<|start_header_id|>", "llama3",
     "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
     "{{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>"
     "assistant<|end_header_id|>\n\n{% endif %}"},
    {"<start_of_turn>", "gemma",
     "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' "
     "else 'user' }}\n{{ m.content }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}"
     "<start_of_turn>model\n{% endif %}"},
    {"[INST]", "mistral",
     "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}"
     "{{ eos_token }}{% else %}[INST] {{ m.content }} [/INST]{% endif %}{% endfor %}"},
    {NULL, "plain",
     "{% for m in messages %}{{ m.role|capitalize }}: {{ m.content }}\n{% endfor %}"
     "{% if add_generation_prompt %}Assistant:{% endif %}"},
};

static bool has_token(void *ctx, str text)
{
    const tok *t = ctx;
    tok_ids ids = {0};
    hearth_status status = tok_encode(t, text, (tok_options){.parse_special = true}, &ids, NULL);
    bool found = status == HEARTH_OK && ids.n == 1 && str_eq(tok_text(t, ids.id[0]), text);
    if (found) {
        tok_attr attr = tok_get_attr(t, ids.id[0]);
        found = attr == TOK_CONTROL || attr == TOK_USER_DEFINED;
    }
    tok_ids_release(&ids);
    return found;
}

static hearth_status find_named(const gguf *g, str name, str *out, bool *found, hearth_err *err)
{
    char key[128];
    if (name.n > 64)
        return err_fail(err, HEARTH_E_LIMIT, "template name of %zu bytes, at most 64", name.n);
    snprintf(key, sizeof key, TEMPLATE_KEY ".%.*s", STR_ARG(name));
    return gguf_get_str(g, name.n ? key : TEMPLATE_KEY, out, found, err);
}

static str choose_plain(const tok *t, const char **name)
{
    size_t i = 0;
    for (; plain_templates[i].token; i++)
        if (has_token((void *)t, str_from(plain_templates[i].token))) break;
    *name = plain_templates[i].name;
    return str_from(plain_templates[i].text);
}

static hearth_status choose_template(engine_local *e, const engine_chat_options *o, str *out,
                                     engine_chat_result *result, hearth_err *err)
{
    bool found = false;
    *out = o->template_text;
    if (out->n > 0) return HEARTH_OK;
    if (o->template_name.n > 0) {
        HEARTH_TRY(find_named(e->src.g, o->template_name, out, &found, err));
        if (found) return HEARTH_OK;
        return err_fail(err, HEARTH_E_NOTFOUND, "the model has no chat template '%.*s'",
                        STR_ARG(o->template_name));
    }
    if (o->tools.n > 0) HEARTH_TRY(find_named(e->src.g, STR("tool_use"), out, &found, err));
    if (!found) HEARTH_TRY(find_named(e->src.g, STR(""), out, &found, err));
    if (found) return HEARTH_OK;
    const char *name;
    *out = choose_plain(e->t, &name);
    snprintf(result->note, sizeof result->note,
             "the model has no chat template, messages are put in the form '%s'", name);
    return HEARTH_OK;
}

// --- the inputs ---------------------------------------------------------------------------------

static hearth_status set_tokens(const tok *t, tmpl_inputs *in, hearth_err *err)
{
    const tok_special *s = tok_specials(t);
    const struct { const char *name; int32_t id; } names[] = {
        {"bos_token", s->bos}, {"eos_token", s->eos}, {"unk_token", s->unk}, {"sep_token", s->sep},
        {"pad_token", s->pad}, {"mask_token", s->mask},
    };
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (names[i].id == TOK_NONE) continue;
        str text = tok_text(t, names[i].id);
        HEARTH_TRY(tmpl_inputs_set_text(in, names[i].name, text, false, err));
    }
    return HEARTH_OK;
}

// Families ask for reasoning by different names.
static hearth_status set_think(tmpl_inputs *in, engine_think think, hearth_err *err)
{
    if (think == ENGINE_THINK_DEFAULT) return HEARTH_OK;
    bool on = think == ENGINE_THINK_ON;
    HEARTH_TRY(tmpl_inputs_set_bool(in, "enable_thinking", on, err));
    return tmpl_inputs_set_bool(in, "thinking", on, err);
}

static hearth_status read_part(tmpl_inputs *in, const char *name, str json, hearth_err *err)
{
    buf object;
    buf_init(&object, MEM_MISC, LIMIT_PROMPT_BYTES);
    buf_printf(&object, "{\"%s\":", name);
    buf_append_str(&object, json);
    buf_append_char(&object, '}');
    hearth_status status = object.failed;
    if (status != HEARTH_OK) err_fail(err, status, "%s: %s", name, err_status_name(status));
    else status = tmpl_inputs_read_json(in, buf_str(&object), err);
    buf_release(&object);
    return status;
}

static hearth_status fill_inputs(const engine_local *e, const engine_chat_options *o, str messages,
                                 tmpl_inputs *in, hearth_err *err)
{
    HEARTH_TRY(set_tokens(e->t, in, err));
    HEARTH_TRY(set_think(in, o->think, err));
    if (o->variables.n > 0) HEARTH_TRY(tmpl_inputs_read_json(in, o->variables, err));
    HEARTH_TRY(read_part(in, "messages", messages, err));
    if (o->tools.n > 0) HEARTH_TRY(read_part(in, "tools", o->tools, err));
    return tmpl_inputs_set_bool(in, "add_generation_prompt", !o->no_generation_prompt, err);
}

static hearth_status render_once(const engine_local *e, const tmpl *t, const engine_chat_options *o,
                                 str messages, tmpl_output *out, hearth_err *err)
{
    tmpl_inputs *in = NULL;
    tmpl_options options = {.now = o->now};
    HEARTH_TRY(tmpl_inputs_open(&in, err));
    hearth_status status = fill_inputs(e, o, messages, in, err);
    if (status == HEARTH_OK) status = tmpl_render(t, in, &options, out, err);
    tmpl_inputs_free(in);
    return status;
}

// Arguments of calls are JSON text for OpenAI and objects for Hugging Face; most templates want
// objects, some want text. Objects are tried first.
static hearth_status render_template(const engine_local *e, str text, const engine_chat_options *o,
                                     tmpl_output *out, hearth_err *err)
{
    tmpl *t = NULL;
    buf opened;
    bool changed = false;
    hearth_err first = ERR_INIT;
    HEARTH_TRY(tmpl_parse(text, &t, err));
    buf_init(&opened, MEM_MISC, LIMIT_PROMPT_BYTES);
    hearth_status status = chat_open_arguments(o->messages, &opened, &changed, &first);
    if (status == HEARTH_OK)
        status = render_once(e, t, o, buf_str(&opened), out, &first);
    if (status != HEARTH_OK && changed && status != HEARTH_E_NOMEM &&
        render_once(e, t, o, o->messages, out, NULL) == HEARTH_OK)
        status = HEARTH_OK;
    if (status != HEARTH_OK && err && err->status == HEARTH_OK) *err = first;
    buf_release(&opened);
    tmpl_free(t);
    return status;
}

// --- tokens -------------------------------------------------------------------------------------

// The template's bytes from *at on; moves the cursor to the run that holds *at.
typedef struct run_cursor { const tmpl_output *out; size_t i, end; } run_cursor;

static bool is_templates(run_cursor *c, size_t at, size_t n)
{
    while (c->i + 1 < c->out->n_runs && c->end <= at) c->end += c->out->runs[++c->i].n;
    return c->i < c->out->n_runs && !c->out->runs[c->i].is_user && at + n <= c->end;
}

// SentencePiece puts a space that the text does not have behind control tokens.
static void drop_made_space(const tok *t, const int32_t *held, size_t i, str rest, buf *piece)
{
    bool made = tok_specials(t)->add_space_prefix && i > 0 && piece->n > 0 &&
                piece->p[0] == ' ' && tok_get_attr(t, held[i - 1]) == TOK_CONTROL &&
                (rest.n == 0 || rest.p[0] != ' ');
    if (made) memmove(piece->p, piece->p + 1, --piece->n);
}

// How much of the text the held tokens are; SIZE_MAX: they are not its beginning. A first token
// that begins the text without being part of it is fine.
static hearth_status match_held(const tok *t, const engine_chat_options *o, const tmpl_output *out,
                                size_t *n, hearth_err *err)
{
    str text = buf_str(&out->text);
    run_cursor c = {.out = out, .end = out->n_runs ? out->runs[0].n : 0};
    buf piece;
    hearth_status status = HEARTH_OK;
    size_t at = 0;
    buf_init(&piece, MEM_MISC, LIMIT_TOKEN_BYTES * 4);
    for (size_t i = 0; i < o->n_held && at != SIZE_MAX && status == HEARTH_OK; i++) {
        int32_t id = o->held[i];
        buf_reset(&piece);
        status = tok_decode_one(t, id, true, i == 0, &piece);
        str rest = {text.p + at, text.n - at};
        drop_made_space(t, o->held, i, rest, &piece);
        bool fits = status == HEARTH_OK && str_starts(rest, buf_str(&piece));
        if (fits && tok_get_attr(t, id) == TOK_CONTROL) fits = is_templates(&c, at, piece.n);
        if (fits) at += piece.n;
        else if (i > 0 || id != tok_specials(t)->bos) at = SIZE_MAX;
    }
    buf_release(&piece);
    *n = at;
    if (status == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, status, "held tokens: %s", err_status_name(status));
}

static hearth_status push_ids(tok_ids *out, const int32_t *ids, size_t n, hearth_err *err)
{
    if (out->cap - out->n < n) {
        int32_t *grown = mem_realloc(MEM_MISC, out->id, (out->n + n) * sizeof *grown);
        if (!grown) return err_fail(err, HEARTH_E_NOMEM, "token ids: out of memory");
        out->id = grown;
        out->cap = out->n + n;
    }
    if (n > 0) memcpy(out->id + out->n, ids, n * sizeof *ids);
    out->n += n;
    return HEARTH_OK;
}

// The text from `at` on. The run in which it begins is cut meanwhile.
static hearth_status encode_from(const tok *t, const tmpl_output *out, size_t at, tok_ids *ids,
                                 hearth_err *err)
{
    size_t i = 0, end = 0;
    while (i < out->n_runs && end + out->runs[i].n <= at) end += out->runs[i++].n;
    if (i == out->n_runs) return HEARTH_OK;
    str text = {out->text.p + at, out->text.n - at};
    out->runs[i].n -= at - end;
    hearth_status status = tok_encode_marked(t, text, out->runs + i, out->n_runs - i,
                                             (tok_options){.parse_special = true}, ids, err);
    out->runs[i].n += at - end;
    return status;
}

// Templates of GGUF files often leave the first token to the tokenizer, as its file says.
static hearth_status begin_ids(const tok *t, str text, tok_ids *ids, hearth_err *err)
{
    const tok_special *s = tok_specials(t);
    if (!s->add_bos || s->bos == TOK_NONE || str_starts(text, tok_text(t, s->bos)))
        return HEARTH_OK;
    return push_ids(ids, &s->bos, 1, err);
}

// SentencePiece would put a space between the held text and the rest, where no control token is.
static bool is_clean_cut(const tok *t, const engine_chat_options *o, const tok_ids *ids)
{
    if (!tok_specials(t)->add_space_prefix || ids->n == o->n_held) return true;
    return tok_get_attr(t, o->held[o->n_held - 1]) == TOK_CONTROL ||
           tok_get_attr(t, ids->id[o->n_held]) == TOK_CONTROL;
}

static hearth_status make_ids(const tok *t, const engine_chat_options *o, const tmpl_output *out,
                              tok_ids *ids, hearth_err *err)
{
    size_t n = SIZE_MAX;
    if (o->n_held > 0) HEARTH_TRY(match_held(t, o, out, &n, err));
    if (n != SIZE_MAX) {
        HEARTH_TRY(push_ids(ids, o->held, o->n_held, err));
        HEARTH_TRY(encode_from(t, out, n, ids, err));
        if (is_clean_cut(t, o, ids)) return HEARTH_OK;
        ids->n = 0;
    }
    HEARTH_TRY(begin_ids(t, buf_str(&out->text), ids, err));
    return encode_from(t, out, 0, ids, err);
}

hearth_status local_chat(engine *base, const engine_chat_options *o, engine_chat_result *out,
                         hearth_err *err)
{
    engine_local *e = as_local(base);
    engine_chat_result result = {.note = ""};
    tmpl_output text = {0};
    str jinja;
    if (!e->t) return err_fail(err, e->t_err.status, "%s", e->t_err.msg);
    for (size_t i = 0; i < o->n_held; i++) {
        if (o->held[i] < 0 || o->held[i] >= tok_count(e->t))
            return err_fail(err, HEARTH_E_ARG, "held token %d, expected 0 to %d", o->held[i],
                            tok_count(e->t) - 1);
    }
    HEARTH_TRY(choose_template(e, o, &jinja, &result, err));
    hearth_status status = render_template(e, jinja, o, &text, err);
    if (status != HEARTH_OK) err_prefix(err, "chat template: ");
    else status = make_ids(e->t, o, &text, &result.ids, err);
    if (status == HEARTH_OK) {
        result.style = reply_detect(jinja, has_token, e->t);
        if (o->tools.n == 0) reply_forget_calls(&result.style);
        reply_begin_after(&result.style, buf_str(&text.text));
        *out = result;
    } else {
        tok_ids_release(&result.ids);
    }
    tmpl_output_release(&text);
    return status;
}
