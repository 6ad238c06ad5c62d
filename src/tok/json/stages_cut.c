// Pre-tokenizers; see stages.h.
#include "tok/json/stages.h"
#include "tok/split_match.h"

static const struct { const char *name; cut_behavior behavior; } BEHAVIORS[] = {
    {"Removed", CUT_REMOVED}, {"Isolated", CUT_ISOLATED}, {"Contiguous", CUT_CONTIGUOUS},
    {"MergedWithPrevious", CUT_WITH_PREVIOUS}, {"MergedWithNext", CUT_WITH_NEXT}};

static hearth_status read_behavior(cut_stage *st, const jnode *n, hearth_err *err)
{
    str name = jtree_text(n, "behavior");
    st->behavior = CUT_ISOLATED;
    for (size_t i = 0; i < COUNTOF(BEHAVIORS); i++) {
        if (!str_eq_z(name, BEHAVIORS[i].name)) continue;
        st->behavior = BEHAVIORS[i].behavior;
        return HEARTH_OK;
    }
    if (name.n == 0 && st->kind == CUT_MARKS) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "'behavior': '%.*s' is not known", STR_ARG(name));
}

static hearth_status read_bytes(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)mem, (void)err;
    st->kind = CUT_BYTES;
    st->prepend = jtree_flag(n, "add_prefix_space", true) ? PREPEND_ALWAYS : PREPEND_NEVER;
    st->splits = jtree_flag(n, "use_regex", true);
    return HEARTH_OK;
}

static hearth_status read_split(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    st->kind = CUT_PATTERN;
    st->invert = jtree_flag(n, "invert", false);
    HEARTH_TRY(read_behavior(st, n, err));
    return stages_read_pattern(&st->pattern, n, mem, err);
}

static hearth_status read_words(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)n, (void)mem, (void)err;
    st->kind = CUT_PATTERN;
    st->behavior = CUT_REMOVED;
    st->invert = true;
    st->pattern.match = match_words;
    return HEARTH_OK;
}

static hearth_status read_spaces(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)n, (void)mem, (void)err;
    st->kind = CUT_SPACES;
    st->behavior = CUT_REMOVED;
    return HEARTH_OK;
}

static hearth_status read_digits(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)mem, (void)err;
    st->kind = CUT_DIGITS;
    st->behavior = jtree_flag(n, "individual_digits", false) ? CUT_ISOLATED : CUT_CONTIGUOUS;
    return HEARTH_OK;
}

static hearth_status read_marks(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)mem;
    st->kind = CUT_MARKS;
    return read_behavior(st, n, err);
}

static hearth_status read_delimiter(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)mem;
    st->kind = CUT_CHAR;
    st->behavior = CUT_REMOVED;
    str text;
    return stages_read_char(n, "delimiter", &text, &st->cp, err);
}

static hearth_status read_fixed(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)mem;
    st->kind = CUT_FIXED;
    st->length = (size_t)jtree_count(n, "length", INT32_MAX, 5);
    return st->length ? HEARTH_OK : err_fail(err, HEARTH_E_FORMAT, "'length': 0 characters");
}

static hearth_status read_metaspace(cut_stage *st, const jnode *n, arena *mem, hearth_err *err)
{
    (void)mem;
    st->kind = CUT_METASPACE;
    HEARTH_TRY(stages_read_char(n, "replacement", &st->text, &st->cp, err));
    str scheme = jtree_text(n, "prepend_scheme");
    st->prepend = PREPEND_ALWAYS;
    if (str_eq_z(scheme, "never") || !jtree_flag(n, "add_prefix_space", true)) {
        st->prepend = PREPEND_NEVER;
    } else if (str_eq_z(scheme, "first")) {
        st->prepend = PREPEND_FIRST;
    } else if (scheme.n && !str_eq_z(scheme, "always")) {
        return err_fail(err, HEARTH_E_FORMAT, "'prepend_scheme': '%.*s' is not known",
                        STR_ARG(scheme));
    }
    st->splits = jtree_flag(n, "split", true);
    return HEARTH_OK;
}

static const struct {
    const char *name;
    hearth_status (*read)(cut_stage *st, const jnode *n, arena *mem, hearth_err *err);
} READERS[] = {
    {"ByteLevel", read_bytes},           {"Split", read_split},
    {"Whitespace", read_words},          {"WhitespaceSplit", read_spaces},
    {"Digits", read_digits},             {"Punctuation", read_marks},
    {"Metaspace", read_metaspace},       {"CharDelimiterSplit", read_delimiter},
    {"FixedLength", read_fixed},
};

static hearth_status add_stage(pipe *p, size_t reader, const jnode *n, arena *mem, hearth_err *err)
{
    HEARTH_TRY(stages_room("pre_tokenizer", p->n_cut, err));
    return READERS[reader].read(&p->cut[p->n_cut++], n, mem, err);
}

// White space goes, then punctuation stands alone.
static hearth_status add_bert(pipe *p, hearth_err *err)
{
    HEARTH_TRY(stages_room("pre_tokenizer", p->n_cut + 1, err));
    p->cut[p->n_cut++] = (cut_stage){.kind = CUT_SPACES, .behavior = CUT_REMOVED};
    p->cut[p->n_cut++] = (cut_stage){.kind = CUT_MARKS, .behavior = CUT_ISOLATED};
    return HEARTH_OK;
}

hearth_status stages_read_cuts(pipe *p, const jnode *n, arena *mem, hearth_err *err)
{
    if (!n || n->kind == JSON_NULL) return HEARTH_OK;
    str type = jtree_text(n, "type");
    if (str_eq_z(type, "BertPreTokenizer")) return add_bert(p, err);
    if (str_eq_z(type, "Sequence")) {
        const jnode *all = jtree_get(n, "pretokenizers");
        for (const jnode *c = all ? all->child : NULL; c; c = c->next) {
            HEARTH_TRY(stages_read_cuts(p, c, mem, err));
        }
        return HEARTH_OK;
    }
    for (size_t i = 0; i < COUNTOF(READERS); i++) {
        if (str_eq_z(type, READERS[i].name)) return add_stage(p, i, n, mem, err);
    }
    return stages_refuse("pre_tokenizer", type, err);
}
