// Post-processors and decoders; see stages.h.
//
// A post-processor of one text comes down to ids in front and behind; those of pairs of texts are
// not read. Several of them wrap each other.
#include "tok/json/stages.h"

// --- post-processors ----------------------------------------------------------------------------

static hearth_status wrap(pipe *p, const int32_t *ids, size_t n, bool before, arena *mem,
                          hearth_err *err)
{
    int32_t **list = before ? &p->before : &p->behind;
    size_t *count = before ? &p->n_before : &p->n_behind;
    int32_t *joined = arena_new(mem, int32_t, *count + n);
    if (!joined) return err_fail(err, HEARTH_E_NOMEM, "no memory for special tokens");
    size_t at = 0;
    for (size_t i = 0; i < n && before; i++) joined[at++] = ids[i];
    for (size_t i = 0; i < *count; i++) joined[at++] = (*list)[i];
    for (size_t i = 0; i < n && !before; i++) joined[at++] = ids[i];
    *list = joined;
    *count = at;
    return HEARTH_OK;
}

static bool is_id(const jnode *n)
{
    return jtree_is(n, JSON_NUMBER) && n->number >= 0 && n->number < LIMIT_VOCAB;
}

// ["[CLS]", 101] under `key`.
static hearth_status read_pair(const jnode *n, const char *key, int32_t *id, hearth_err *err)
{
    const jnode *pair = jtree_get(n, key), *second = pair && pair->child ? pair->child->next : NULL;
    if (!is_id(second)) {
        return err_fail(err, HEARTH_E_FORMAT, "'post_processor': '%s' is not a token and its id",
                        key);
    }
    *id = (int32_t)second->number;
    return HEARTH_OK;
}

static hearth_status read_bert(pipe *p, const jnode *n, arena *mem, hearth_err *err)
{
    int32_t cls, sep;
    HEARTH_TRY(read_pair(n, "cls", &cls, err));
    HEARTH_TRY(read_pair(n, "sep", &sep, err));
    HEARTH_TRY(wrap(p, &cls, 1, true, mem, err));
    return wrap(p, &sep, 1, false, mem, err);
}

enum { TEMPLATE_IDS = 64 };
typedef struct template_ids { int32_t id[TEMPLATE_IDS]; size_t n; } template_ids;

// The ids that "special_tokens" has for the name.
static hearth_status add_special(const jnode *all, str name, template_ids *to, hearth_err *err)
{
    const jnode *token = all ? all->child : NULL;
    while (token && !str_eq(token->key, name)) token = token->next;
    const jnode *ids = jtree_get(token, "ids");
    if (!jtree_is(ids, JSON_ARRAY_BEGIN)) {
        return err_fail(err, HEARTH_E_FORMAT, "'post_processor': no ids for '%.*s'", STR_ARG(name));
    }
    for (const jnode *id = ids->child; id; id = id->next) {
        if (!is_id(id) || to->n == TEMPLATE_IDS) {
            return err_fail(err, HEARTH_E_FORMAT, "'post_processor': bad ids for '%.*s'",
                            STR_ARG(name));
        }
        to->id[to->n++] = (int32_t)id->number;
    }
    return HEARTH_OK;
}

static hearth_status read_template(pipe *p, const jnode *n, arena *mem, hearth_err *err)
{
    const jnode *single = jtree_get(n, "single"), *specials = jtree_get(n, "special_tokens");
    template_ids part[2] = {{.n = 0}, {.n = 0}};
    int texts = 0;
    for (const jnode *c = single ? single->child : NULL; c; c = c->next) {
        const jnode *special = jtree_get(c, "SpecialToken");
        if (jtree_get(c, "Sequence")) texts++;
        else HEARTH_TRY(add_special(specials, jtree_text(special, "id"), &part[texts > 0], err));
    }
    if (texts != 1) {
        return err_fail(err, HEARTH_E_FORMAT, "'post_processor': a template with %d texts", texts);
    }
    HEARTH_TRY(wrap(p, part[0].id, part[0].n, true, mem, err));
    return wrap(p, part[1].id, part[1].n, false, mem, err);
}

hearth_status stages_read_processor(pipe *p, const jnode *n, arena *mem, hearth_err *err)
{
    if (!n || n->kind == JSON_NULL) return HEARTH_OK;
    str type = jtree_text(n, "type");
    if (str_eq_z(type, "ByteLevel")) return HEARTH_OK; // it trims offsets
    if (str_eq_z(type, "TemplateProcessing")) return read_template(p, n, mem, err);
    if (str_eq_z(type, "BertProcessing") || str_eq_z(type, "RobertaProcessing")) {
        return read_bert(p, n, mem, err);
    }
    if (!str_eq_z(type, "Sequence")) return stages_refuse("post_processor", type, err);
    const jnode *all = jtree_get(n, "processors");
    for (const jnode *c = all ? all->child : NULL; c; c = c->next) {
        HEARTH_TRY(stages_read_processor(p, c, mem, err));
    }
    return HEARTH_OK;
}

// --- decoders -----------------------------------------------------------------------------------

static hearth_status read_metaspace(decode_stage *st, const jnode *n, hearth_err *err)
{
    uint32_t cp;
    bool never = str_eq_z(jtree_text(n, "prepend_scheme"), "never");
    st->drops_first = !never && jtree_flag(n, "add_prefix_space", true);
    return stages_read_char(n, "replacement", &st->text, &cp, err);
}

static hearth_status read_strip(decode_stage *st, const jnode *n, hearth_err *err)
{
    uint32_t cp;
    st->start = (size_t)jtree_count(n, "start", LIMIT_TOKEN_BYTES, 0);
    st->stop = (size_t)jtree_count(n, "stop", LIMIT_TOKEN_BYTES, 0);
    return stages_read_char(n, "content", &st->text, &cp, err);
}

static hearth_status read_details(decode_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    switch (st->kind) {
    case DECODE_METASPACE: return read_metaspace(st, n, err);
    case DECODE_WORDPIECE:
        st->text = jtree_text(n, "prefix");
        st->cleanup = jtree_flag(n, "cleanup", true);
        return HEARTH_OK;
    case DECODE_SUFFIX: st->text = jtree_text(n, "suffix"); return HEARTH_OK;
    case DECODE_STRIP: return read_strip(st, n, err);
    case DECODE_REPLACE:
        st->with = jtree_text(n, "content");
        return stages_read_pattern(&st->pattern, n, mem, err);
    case DECODE_CTC:
        st->text = jtree_text(n, "pad_token");
        st->with = jtree_text(n, "word_delimiter_token");
        st->cleanup = jtree_flag(n, "cleanup", true);
        return HEARTH_OK;
    default: return HEARTH_OK;
    }
}

// After these the library has one text instead of tokens.
static bool is_fused(const pipe *p)
{
    for (size_t i = 0; i < p->n_decode; i++) {
        if (p->decode[i].kind == DECODE_FUSE || p->decode[i].kind == DECODE_BYTES) return true;
    }
    return false;
}

hearth_status stages_read_decoder(pipe *p, const jnode *n, arena *mem, hearth_err *err)
{
    static const char *const names[] = {
        [DECODE_BYTES] = "ByteLevel", [DECODE_METASPACE] = "Metaspace",
        [DECODE_WORDPIECE] = "WordPiece", [DECODE_SUFFIX] = "BPEDecoder",
        [DECODE_FALLBACK] = "ByteFallback", [DECODE_FUSE] = "Fuse", [DECODE_STRIP] = "Strip",
        [DECODE_REPLACE] = "Replace", [DECODE_CTC] = "CTC"};
    p->joins_by_space = !n || n->kind == JSON_NULL;
    if (p->joins_by_space) return HEARTH_OK;
    str type = jtree_text(n, "type");
    if (str_eq_z(type, "Sequence")) {
        const jnode *all = jtree_get(n, "decoders");
        for (const jnode *c = all ? all->child : NULL; c; c = c->next) {
            HEARTH_TRY(stages_read_decoder(p, c, mem, err));
        }
        p->joins_by_space = false;
        return HEARTH_OK;
    }
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (!str_eq_z(type, names[i])) continue;
        HEARTH_TRY(stages_room("decoder", p->n_decode, err));
        decode_stage *st = &p->decode[p->n_decode];
        *st = (decode_stage){.kind = (decode_kind)i, .fused = is_fused(p)};
        p->n_decode++;
        return read_details(st, n, mem, err);
    }
    return stages_refuse("decoder", type, err);
}
