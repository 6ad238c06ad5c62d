// See tmpl.h.
#include "tmpl/tmpl_int.h"

#include <string.h>

static hearth_status check_text(str text, hearth_err *err)
{
    int line = 1;
    if (text.n > LIMIT_TMPL_TEXT) {
        return err_fail(err, HEARTH_E_LIMIT, "a template of %zu bytes, at most %u are read", text.n,
                        LIMIT_TMPL_TEXT);
    }
    for (size_t i = 0; i < text.n;) {
        uint32_t cp;
        line += text.p[i] == '\n';
        i += utf8_decode(text.p + i, text.n - i, &cp);
        if (cp == UTF8_BAD) {
            return err_fail(err, HEARTH_E_FORMAT, "template line %d: not UTF-8", line);
        }
    }
    return HEARTH_OK;
}

hearth_status tmpl_parse(str text, tmpl **out, hearth_err *err)
{
    tokens t;
    *out = NULL;
    HEARTH_TRY(check_text(text, err));
    tmpl *made = mem_alloc_zero(MEM_MISC, 1, sizeof *made);
    if (!made) return err_fail(err, HEARTH_E_NOMEM, "out of memory for a template");
    arena_init(&made->mem, MEM_MISC, LIMIT_TMPL_MEMORY);
    hearth_status st = lex_template(&made->mem, text, &t, err);
    if (st == HEARTH_OK) st = parse_template(&made->mem, &t, &made->body, err);
    if (st == HEARTH_OK) *out = made;
    else tmpl_free(made);
    return st;
}

void tmpl_free(tmpl *t)
{
    if (!t) return;
    arena_release(&t->mem);
    mem_free(t);
}

void tmpl_output_release(tmpl_output *out)
{
    buf_release(&out->text);
    mem_free(out->runs);
    *out = (tmpl_output){0};
}

static size_t run_length(const uint8_t *mask, size_t n)
{
    size_t i = 1;
    while (i < n && mask[i] == mask[0]) i++;
    return i;
}

// Origins per byte to runs.
static hearth_status make_runs(interp *in, tmpl_output *out)
{
    const uint8_t *mask = (const uint8_t *)in->mask.p;
    size_t n = in->mask.n, count = 0;
    for (size_t at = 0; at < n; count++) at += run_length(mask + at, n - at);
    out->runs = mem_alloc_zero(MEM_MISC, size_max(count, 1), sizeof *out->runs);
    if (!out->runs) return err_fail(in->err, HEARTH_E_NOMEM, "out of memory for a template's text");
    for (size_t at = 0; at < n; out->n_runs++) {
        size_t length = run_length(mask + at, n - at);
        out->runs[out->n_runs] = (tmpl_run){length, mask[at] != 0};
        at += length;
    }
    return HEARTH_OK;
}

static hearth_status render(interp *in, const tmpl *t, const tmpl_inputs *vars)
{
    scope *ignored;
    HEARTH_TRY(scope_push(in, NULL, &ignored));
    for (size_t i = 0; i < vars->vars->n; i++) {
        HEARTH_TRY(scope_set(in, val_str(vars->vars->k[i]), vars->vars->v[i]));
    }
    return exec_body(in, t->body);
}

static bool is_date(const tmpl_time *t)
{
    return t->year >= 1 && t->year <= 9999 && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= 31 && t->hour >= 0 && t->hour < 24;
}

hearth_status tmpl_render(const tmpl *t, const tmpl_inputs *in, const tmpl_options *o,
                          tmpl_output *out, hearth_err *err)
{
    interp s = {.steps = o->max_steps ? o->max_steps : LIMIT_TMPL_STEPS, .now = o->now,
                .err = err, .line = 1};
    *out = (tmpl_output){0};
    if (!is_date(&s.now)) s.now = (tmpl_time){1970, 1, 1, 0, 0, 0};
    arena_init(&s.mem, MEM_MISC, o->max_bytes ? o->max_bytes : LIMIT_TMPL_MEMORY);
    buf_init(&s.text, MEM_MISC, LIMIT_TMPL_OUTPUT);
    buf_init(&s.mask, MEM_MISC, LIMIT_TMPL_OUTPUT);
    hearth_status st = render(&s, t, in);
    if (st == HEARTH_OK) st = make_runs(&s, out);
    arena_release(&s.mem);
    buf_release(&s.mask);
    if (st == HEARTH_OK) {
        out->text = s.text;
    } else {
        buf_release(&s.text);
        tmpl_output_release(out);
    }
    return st;
}
