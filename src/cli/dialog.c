// See dialog.h.
#include "cli/dialog.h"

#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "cli/talk.h"
#include "os/os.h"

enum { THINK_AUTO, THINK_ON, THINK_OFF, THINK_HIDE }; // choices of --think

// --- messages -----------------------------------------------------------------------------------

static hearth_status check_buf(const buf *b, hearth_err *err)
{
    if (b->failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, b->failed, "the conversation: %s", err_status_name(b->failed));
}

static void begin_message(dialog *d, json_writer *w, const char *role)
{
    if (d->messages.n > 0) buf_append_char(&d->messages, ',');
    json_write_init(w, &d->messages);
    json_write_object(w);
    put_text(w, "role", str_from(role));
}

static void add_message(dialog *d, const char *role, str content)
{
    json_writer w;
    begin_message(d, &w, role);
    put_text(&w, "content", content);
    json_write_object_end(&w);
}

static void add_answer(dialog *d)
{
    json_writer w;
    begin_message(d, &w, "assistant");
    put_text(&w, "content", buf_str(&d->content));
    if (d->thinking.n > 0) put_text(&w, "reasoning_content", buf_str(&d->thinking));
    json_write_object_end(&w);
    if (d->calls.n == 0) return;
    d->messages.n--; // the brace
    buf_append_str(&d->messages, STR(",\"tool_calls\":["));
    buf_append_str(&d->messages, buf_str(&d->calls));
    buf_append_str(&d->messages, STR("]}"));
}

// --- start --------------------------------------------------------------------------------------

static void list_bufs(dialog *d, buf *out[6])
{
    out[0] = &d->messages;
    out[1] = &d->template_text;
    out[2] = &d->tools;
    out[3] = &d->content;
    out[4] = &d->thinking;
    out[5] = &d->calls;
}

hearth_status dialog_init(talk *t, hearth_err *err)
{
    dialog *d = &t->d;
    const run_args *a = t->a;
    buf *all[6];
    list_bufs(d, all);
    for (size_t i = 0; i < COUNTOF(all); i++) buf_init(all[i], MEM_MISC, LIMIT_PROMPT_BYTES);
    bool wants = a->template_file || a->tools || a->system || a->think != THINK_AUTO;
    d->is_on = !a->raw && (wants || engine_get_info(t->e)->has_chat_template);
    if (a->raw && wants)
        return err_fail(err, HEARTH_E_ARG, "option '--raw' means no template: it goes with none of "
                        "--system, --template, --tools and --think");
    if (a->template_file) HEARTH_TRY(read_file(a->template_file, &d->template_text, err));
    if (a->tools) HEARTH_TRY(read_file(a->tools, &d->tools, err));
    if (a->system) add_message(d, "system", str_from(a->system));
    d->n_system = d->messages.n;
    return check_buf(&d->messages, err);
}

void dialog_release(dialog *d)
{
    buf *all[6];
    list_bufs(d, all);
    for (size_t i = 0; i < COUNTOF(all); i++) buf_release(all[i]);
    reply_free(d->reply);
    d->reply = NULL;
}

void dialog_clear(talk *t)
{
    t->d.messages.n = t->d.n_system;
    t->tokens.n = 0;
}

hearth_status dialog_replace(talk *t, str messages, hearth_err *err)
{
    str system = {t->d.messages.p ? t->d.messages.p : "", t->d.n_system};
    if (!str_starts(messages, system)) t->d.n_system = 0;
    buf_reset(&t->d.messages);
    buf_append_str(&t->d.messages, messages);
    return check_buf(&t->d.messages, err);
}

// --- a turn -------------------------------------------------------------------------------------

static hearth_status render(talk *t, engine_chat_result *out, hearth_err *err)
{
    static const engine_think think[] = {
        [THINK_AUTO] = ENGINE_THINK_DEFAULT, [THINK_ON] = ENGINE_THINK_ON,
        [THINK_OFF] = ENGINE_THINK_OFF, [THINK_HIDE] = ENGINE_THINK_ON,
    };
    buf all;
    buf_init(&all, MEM_MISC, LIMIT_PROMPT_BYTES);
    buf_append_char(&all, '[');
    buf_append_str(&all, buf_str(&t->d.messages));
    buf_append_char(&all, ']');
    engine_chat_options o = {
        .messages = buf_str(&all), .tools = buf_str(&t->d.tools),
        .template_text = buf_str(&t->d.template_text), .now = date_now(),
        .think = think[t->a->think], .held = t->tokens.id, .n_held = t->tokens.n,
    };
    hearth_status st = check_buf(&all, err);
    if (st == HEARTH_OK) st = engine_chat(t->e, &o, out, err);
    buf_release(&all);
    return st;
}

static hearth_status begin_answer(talk *t, engine_chat_result *r, hearth_err *err)
{
    dialog *d = &t->d;
    tok_ids_release(&t->tokens);
    t->tokens = r->ids;
    if (r->note[0] && !d->was_noted) note(t->c, "%s", r->note);
    d->was_noted = true;
    d->is_thinking = false;
    buf_reset(&d->content);
    buf_reset(&d->thinking);
    buf_reset(&d->calls);
    reply_free(d->reply);
    d->reply = NULL;
    t->o.special = r->style.tags != 0 || t->a->special; // tags are often control tokens
    t->o.hide_end = !t->a->special;
    if (t->a->special) r->style = (reply_style){0}; // everything is to be seen
    return reply_open(r->style, buf_str(&d->tools), &d->reply, err);
}

hearth_status dialog_ask(talk *t, str text, hearth_err *err)
{
    engine_chat_result r;
    size_t before = t->d.messages.n;
    add_message(&t->d, "user", text);
    hearth_status st = check_buf(&t->d.messages, err);
    if (st == HEARTH_OK) st = render(t, &r, err);
    if (st == HEARTH_OK) st = begin_answer(t, &r, err);
    if (st != HEARTH_OK) {
        t->d.messages.n = before;
        t->d.messages.failed = HEARTH_OK;
    }
    return st;
}

static bool shows_thinking(const talk *t)
{
    return !t->keeps_text && t->c->out_is_tty && t->a->think != THINK_HIDE;
}

static void show_thinking(talk *t, str text)
{
    if (!shows_thinking(t)) return;
    if (!t->d.is_thinking) out_bytes(t->c, str_from(out_colour(t->c, COLOUR_DIM)));
    t->d.is_thinking = true;
    out_text(t->c, text);
}

static void end_thinking(talk *t)
{
    if (!t->d.is_thinking) return;
    out_bytes(t->c, str_from(out_colour(t->c, COLOUR_NONE)));
    out_bytes(t->c, STR("\n\n"));
    t->d.is_thinking = false;
}

static void show_content(talk *t, str text)
{
    end_thinking(t);
    t->ends_in_newline = text.p[text.n - 1] == '\n';
    if (t->keeps_text) buf_append_str(&t->text, text);
    else out_text(t->c, text);
}

// Shown as one line of JSON; kept as the API's messages have it, with the arguments as text.
static void take_call(talk *t, const reply_part *p)
{
    dialog *d = &t->d;
    json_writer w;
    if (d->calls.n > 0) buf_append_char(&d->calls, ',');
    json_write_init(&w, &d->calls);
    json_write_object(&w);
    char id[16];
    snprintf(id, sizeof id, "call%05d", d->n_calls++ % 100000); // nine letters, as Mistral wants
    put_text(&w, "id", p->id.n > 0 ? p->id : str_from(id));
    put_text(&w, "type", STR("function"));
    json_write_key(&w, "function");
    json_write_object(&w);
    put_text(&w, "name", p->name);
    put_text(&w, "arguments", p->arguments);
    json_write_object_end(&w);
    json_write_object_end(&w);
    if (t->keeps_text) return;
    end_thinking(t);
    if (d->content.n > 0 && !t->ends_in_newline) out_bytes(t->c, STR("\n"));
    out_bytes(t->c, STR("call "));
    out_text(t->c, p->name);
    out_bytes(t->c, STR(" "));
    out_text(t->c, p->arguments);
    out_bytes(t->c, STR("\n"));
    t->ends_in_newline = true;
}

static hearth_status show_parts(talk *t, hearth_err *err)
{
    dialog *d = &t->d;
    reply_part p;
    while (reply_next(d->reply, &p)) {
        if (!t->keeps_text) progress_clear(t->c);
        if (p.kind == REPLY_CALL) {
            take_call(t, &p);
        } else if (p.kind == REPLY_THINKING) {
            buf_append_str(&d->thinking, p.text);
            show_thinking(t, p.text);
        } else {
            buf_append_str(&d->content, p.text);
            show_content(t, p.text);
        }
    }
    HEARTH_TRY(check_buf(&d->calls, err));
    HEARTH_TRY(check_buf(&d->content, err));
    return t->keeps_text ? HEARTH_OK : out_flush(t->c, err);
}

hearth_status dialog_take(talk *t, str text, hearth_err *err)
{
    HEARTH_TRY(reply_put(t->d.reply, text, err));
    return show_parts(t, err);
}

hearth_status dialog_finish(talk *t, hearth_err *err)
{
    HEARTH_TRY(reply_end(t->d.reply, err));
    HEARTH_TRY(show_parts(t, err));
    if (t->d.is_thinking) {
        out_bytes(t->c, str_from(out_colour(t->c, COLOUR_NONE)));
        t->d.is_thinking = false;
    }
    add_answer(&t->d);
    return check_buf(&t->d.messages, err);
}

void dialog_write(json_writer *w, const talk *t)
{
    const dialog *d = &t->d;
    if (d->thinking.n > 0) put_text(w, "thinking", buf_str(&d->thinking));
    if (d->calls.n == 0) return;
    json_write_key(w, "tool_calls");
    json_write_array(w);
    buf_append_str(w->out, buf_str(&d->calls));
    json_write_array_end(w);
}
