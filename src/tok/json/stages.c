// Normalizers and what the readers of all parts share; see stages.h.
#include "tok/json/stages.h"

#include "tok/json/forms.h"

hearth_status stages_refuse(const char *part, str type, hearth_err *err)
{
    return err_fail(err, HEARTH_E_UNSUPPORTED, "'%s': type '%.*s' is not supported", part,
                    STR_ARG(type));
}

hearth_status stages_room(const char *part, size_t n, hearth_err *err)
{
    if (n < LIMIT_STAGES) return HEARTH_OK;
    return err_fail(err, HEARTH_E_LIMIT, "'%s': more than %d steps", part, LIMIT_STAGES);
}

hearth_status stages_read_pattern(pattern *p, const jnode *n, arena *mem, hearth_err *err)
{
    const jnode *source = jtree_get(n, "pattern"), *text = jtree_get(source, "String");
    if (jtree_is(text, JSON_STRING)) return pattern_open(p, text->text, true, mem, err);
    text = jtree_get(source, "Regex");
    if (jtree_is(text, JSON_STRING)) return pattern_open(p, text->text, false, mem, err);
    return err_fail(err, HEARTH_E_FORMAT, "'pattern': expected 'String' or 'Regex'");
}

hearth_status stages_read_char(const jnode *n, const char *key, str *text, uint32_t *cp,
                               hearth_err *err)
{
    *text = jtree_text(n, key);
    size_t bytes = text->n ? utf8_decode(text->p, text->n, cp) : 0;
    if (text->n && bytes == text->n) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "'%s': '%.*s' is not one character", key,
                    STR_ARG(*text));
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static hearth_status read_charsmap(normal_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    str text = jtree_text(n, "precompiled_charsmap");
    uint8_t *bytes = arena_new(mem, uint8_t, text.n / 4 * 3 + 3);
    if (!bytes) return err_fail(err, HEARTH_E_NOMEM, "no memory for normalisation rules");
    size_t n_bytes = 0;
    uint32_t bits = 0, n_bits = 0;
    for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
        int v = base64_value(text.p[i]);
        if (v < 0) {
            return err_fail(err, HEARTH_E_FORMAT, "'precompiled_charsmap': byte %zu is not base64",
                            i);
        }
        bits = bits << 6 | (uint32_t)v;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        bytes[n_bytes++] = (uint8_t)(bits >> n_bits);
    }
    return charsmap_open(&st->rules, bytes, n_bytes, err);
}

static hearth_status read_replace(normal_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    st->text = jtree_text(n, "content");
    return stages_read_pattern(&st->pattern, n, mem, err);
}

static void read_bert(normal_stage *st, const jnode *n)
{
    st->clean = jtree_flag(n, "clean_text", true);
    st->chinese = jtree_flag(n, "handle_chinese_chars", true);
    st->lower = jtree_flag(n, "lowercase", true);
    st->accents = jtree_flag(n, "strip_accents", st->lower);
}

static hearth_status read_details(normal_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    bool forms = st->kind <= NORMAL_NFKD || st->kind == NORMAL_CHARSMAP;
    if (forms && !forms_are_there()) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "'normalizer': '%.*s' needs utf8proc, which "
                        "this build has not", STR_ARG(jtree_text(n, "type")));
    }
    switch (st->kind) {
    case NORMAL_STRIP:
        st->left = jtree_flag(n, "strip_left", true);
        st->right = jtree_flag(n, "strip_right", true);
        return HEARTH_OK;
    case NORMAL_REPLACE: return read_replace(st, n, mem, err);
    case NORMAL_PREPEND: st->text = jtree_text(n, "prepend"); return HEARTH_OK;
    case NORMAL_BERT: read_bert(st, n); return HEARTH_OK;
    case NORMAL_CHARSMAP: return read_charsmap(st, n, mem, err);
    default: return HEARTH_OK;
    }
}

static hearth_status read_sequence(pipe *p, const jnode *n, arena *mem, hearth_err *err)
{
    const jnode *all = jtree_get(n, "normalizers");
    for (const jnode *c = all ? all->child : NULL; c; c = c->next) {
        HEARTH_TRY(stages_read_normalizer(p, c, mem, err));
    }
    return HEARTH_OK;
}

hearth_status stages_read_normalizer(pipe *p, const jnode *n, arena *mem, hearth_err *err)
{
    static const char *const names[] = {
        [NORMAL_NFC] = "NFC", [NORMAL_NFD] = "NFD", [NORMAL_NFKC] = "NFKC", [NORMAL_NFKD] = "NFKD",
        [NORMAL_LOWER] = "Lowercase", [NORMAL_STRIP] = "Strip",
        [NORMAL_STRIP_ACCENTS] = "StripAccents", [NORMAL_REPLACE] = "Replace",
        [NORMAL_PREPEND] = "Prepend", [NORMAL_BERT] = "BertNormalizer",
        [NORMAL_CHARSMAP] = "Precompiled", [NORMAL_NMT] = "Nmt", [NORMAL_BYTES] = "ByteLevel"};
    if (!n || n->kind == JSON_NULL) return HEARTH_OK;
    str type = jtree_text(n, "type");
    if (str_eq_z(type, "Sequence")) return read_sequence(p, n, mem, err);
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (!str_eq_z(type, names[i])) continue;
        HEARTH_TRY(stages_room("normalizer", p->n_normal, err));
        normal_stage *st = &p->normal[p->n_normal++];
        st->kind = (normal_kind)i;
        return read_details(st, n, mem, err);
    }
    return stages_refuse("normalizer", type, err);
}
