// Templates on anything: parsing and rendering end with a text or one error, within the limits, and
// no byte that a message brought is called the template's.
//
// Input: a template, a NUL, and the variables as JSON (without it: a fixed conversation). Every
// letter of the fixed conversation's contents is 'Z', which the corpus uses nowhere else.
#include <string.h>

#include "tmpl/tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"ZZ Z\"},"
    "{\"role\":\"assistant\",\"content\":\"Z\\nZ\","
    "\"n\":[1,2.5,null,true,{\"Z\":\"ZZ\"}]}],\"tools\":[{\"name\":\"Z\"}],\"bos_token\":\"<s>\"}";

static void check(bool truth)
{
    if (!truth) TRAP();
}

static bool contains(str s, char c) { return s.n > 0 && memchr(s.p, c, s.n) != NULL; }

static void check_output(const tmpl_output *out, bool template_has_z)
{
    size_t at = 0;
    for (size_t i = 0; i < out->n_runs; i++) {
        tmpl_run run = out->runs[i];
        check(run.n > 0 && run.n <= out->text.n - at);
        check(i == 0 || run.is_user != out->runs[i - 1].is_user);
        str s = {out->text.p + at, run.n};
        check(template_has_z || run.is_user || !contains(s, 'Z'));
        at += run.n;
    }
    check(at == out->text.n);
}

static void render(const tmpl *t, str json, bool template_has_z)
{
    tmpl_inputs *in = NULL;
    tmpl_output out;
    tmpl_options o = {.now = {2024, 7, 26, 9, 5, 3}, .max_steps = 100000, .max_bytes = 1 << 24};
    hearth_err err = ERR_INIT;
    check(tmpl_inputs_open(&in, NULL) == HEARTH_OK);
    if (tmpl_inputs_read_json(in, json, NULL) == HEARTH_OK) {
        hearth_status st = tmpl_render(t, in, &o, &out, &err);
        if (st == HEARTH_OK) check_output(&out, template_has_z);
        else check(err.status == st && strncmp(err.msg, "template line ", 14) == 0);
        tmpl_output_release(&out);
    }
    tmpl_inputs_free(in);
}

// Could the template itself write a Z: as it stands, by an escape or from another letter?
static bool may_write_z(str source)
{
    return contains(source, 'Z') || contains(source, 'z') || contains(source, '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size};
    const char *nul = size ? memchr(data, 0, size) : NULL;
    str source = nul ? (str){all.p, (size_t)(nul - all.p)} : all, json = STR(fixed);
    if (nul) json = (str){nul + 1, size - source.n - 1};
    tmpl *t = NULL;
    hearth_err err = ERR_INIT;
    if (tmpl_parse(source, &t, &err) != HEARTH_OK) {
        check(t == NULL && err.msg[0]);
        return 0;
    }
    render(t, json, nul != NULL || may_write_z(source));
    tmpl_free(t);
    return 0;
}
