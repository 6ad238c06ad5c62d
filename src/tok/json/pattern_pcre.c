// Regular expressions by PCRE2 (docs/adr/007-pcre2.md); see pattern.h.
//
// Compiled with Unicode classes, "^" and "$" at lines, "." without newline: what Oniguruma does by
// default. The interpreter is used, never the just-in-time compiler: the engine's process may not
// make memory executable, and one path gives one result.
//
// Steps. PCRE2 bounds the steps of one attempt at one start. Nearly all attempts need a few dozen,
// so a search begins with STEPS_CHEAP for each and costs nothing. If that is too little the starts
// are tried one by one, each with more and more, and what was allowed is charged; all searches of
// one text together may be charged LIMIT_PATTERN_STEPS, plus some for each byte.
#include "tok/json/pattern.h"

#include "defs/limits.h"

#if HEARTH_HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { STEPS_CHEAP = 1000, STEPS_MORE = 8, HEAP_KB = 65536 };

struct regex {
    pcre2_code *code;
};

typedef struct scratch {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_match_data *data;
} scratch;

static void *take_memory(size_t n, void *unused)
{
    (void)unused;
    return mem_alloc(MEM_TOKENIZER, n);
}

static void give_memory(void *p, void *unused)
{
    (void)unused;
    mem_free(p);
}

static hearth_status compile(const buf *text, str source, pcre2_compile_context *context,
                             regex **out, hearth_err *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C |
                       PCRE2_NO_UTF_CHECK;
    regex *re = mem_alloc_zero(MEM_TOKENIZER, 1, sizeof *re);
    if (!re) return err_fail(err, HEARTH_E_NOMEM, "no memory for a pattern");
    re->code = pcre2_compile((PCRE2_SPTR)buf_str(text).p, text->n, options, &code, &at, context);
    if (re->code) {
        *out = re;
        return HEARTH_OK;
    }
    mem_free(re);
    PCRE2_UCHAR why[160];
    pcre2_get_error_message(code, why, sizeof why);
    bool memory = code == PCRE2_ERROR_NOMEMORY || code == 121; // ... of the compiler's own list
    return err_fail(err, memory ? HEARTH_E_NOMEM : HEARTH_E_UNSUPPORTED, "pattern '%.*s': %s",
                    STR_ARG(source), (const char *)why);
}

hearth_status regex_open(str source, regex **out, hearth_err *err)
{
    *out = NULL;
    buf text;
    buf_init(&text, MEM_TOKENIZER, LIMIT_PATTERN_BYTES * 8);
    pcre2_general_context *memory = NULL;
    pcre2_compile_context *context = NULL;
    hearth_status status = pattern_translate(source, &text, err);
    if (status != HEARTH_OK) goto out;
    memory = pcre2_general_context_create(take_memory, give_memory, NULL);
    if (memory) context = pcre2_compile_context_create(memory);
    if (!context) {
        status = err_fail(err, HEARTH_E_NOMEM, "no memory for a pattern");
        goto out;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 100);
    status = compile(&text, source, context, out, err);
out:
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    buf_release(&text);
    return status;
}

void regex_close(regex *re)
{
    if (!re) return;
    pcre2_code_free(re->code);
    mem_free(re);
}

void regex_release_scratch(void *p)
{
    scratch *s = p;
    if (!s) return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->limits);
    pcre2_general_context_free(s->memory);
    mem_free(s);
}

// One pair of offsets is enough: nobody asks for groups.
static hearth_status make_scratch(pattern_search *f, hearth_err *err)
{
    if (f->scratch) return HEARTH_OK;
    scratch *s = mem_alloc_zero(MEM_TOKENIZER, 1, sizeof *s);
    f->scratch = s;
    if (s) s->memory = pcre2_general_context_create(take_memory, give_memory, NULL);
    if (s && s->memory) s->limits = pcre2_match_context_create(s->memory);
    if (s && s->limits) s->data = pcre2_match_data_create(1, s->memory);
    if (!s || !s->data) return err_fail(err, HEARTH_E_NOMEM, "no memory to match a pattern");
    pcre2_set_heap_limit(s->limits, HEAP_KB);
    return HEARTH_OK;
}

static hearth_status fail_match(const pattern_search *f, int code, hearth_err *err)
{
    str source = f->p->source;
    if (code == PCRE2_ERROR_NOMEMORY) {
        return err_fail(err, HEARTH_E_NOMEM, "no memory to match pattern '%.*s'", STR_ARG(source));
    }
    return err_fail(err, HEARTH_E_LIMIT, "pattern '%.*s' takes too many steps on a text of %zu "
                    "bytes", STR_ARG(source), f->s.n);
}

static int match_within(const pattern_search *f, size_t at, uint32_t steps, uint32_t options)
{
    const scratch *s = f->scratch;
    pcre2_set_match_limit(s->limits, steps);
    return pcre2_match(f->p->re->code, (PCRE2_SPTR)f->checked.p, f->checked.n, at,
                       options | PCRE2_NO_UTF_CHECK, s->data, s->limits);
}

// At one start, with as many steps as it takes and as are left.
static int match_here(pattern_search *f, size_t at)
{
    uint64_t all = LIMIT_PATTERN_STEPS + 16 * (uint64_t)f->s.n;
    uint32_t steps = STEPS_CHEAP;
    int code = match_within(f, at, steps, PCRE2_ANCHORED);
    while (code == PCRE2_ERROR_MATCHLIMIT && steps <= UINT32_MAX / STEPS_MORE) {
        steps *= STEPS_MORE;
        if (f->steps + steps > all) break;
        f->steps += steps;
        code = match_within(f, at, steps, PCRE2_ANCHORED);
    }
    return code;
}

static int match_slowly(pattern_search *f)
{
    int code = PCRE2_ERROR_NOMATCH;
    for (size_t at = f->at; at <= f->checked.n && code == PCRE2_ERROR_NOMATCH;) {
        code = match_here(f, at);
        uint32_t cp;
        at += at < f->checked.n ? utf8_decode(f->checked.p + at, f->checked.n - at, &cp) : 1;
    }
    return code;
}

hearth_status regex_find(pattern_search *f, size_t *from, size_t *to, bool *found,
                         hearth_err *err)
{
    HEARTH_TRY(make_scratch(f, err));
    int code = match_within(f, f->at, STEPS_CHEAP, 0);
    if (code == PCRE2_ERROR_MATCHLIMIT) code = match_slowly(f);
    if (code == PCRE2_ERROR_NOMATCH) return HEARTH_OK;
    if (code < 0) return fail_match(f, code, err);
    const scratch *s = f->scratch;
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(s->data);
    *from = size_max(span[0], f->at); // \K and lookbehinds may say otherwise
    *to = size_max(span[1], *from);
    *found = true;
    return HEARTH_OK;
}

#else

hearth_status regex_open(str source, regex **out, hearth_err *err)
{
    *out = NULL;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "pattern '%.*s' needs PCRE2, which this build has "
                    "not", STR_ARG(source));
}

void regex_close(regex *re) { (void)re; }
void regex_release_scratch(void *scratch) { (void)scratch; }

hearth_status regex_find(pattern_search *f, size_t *from, size_t *to, bool *found,
                         hearth_err *err)
{
    (void)f, (void)from, (void)to;
    *found = false;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "this build has no PCRE2");
}

#endif
