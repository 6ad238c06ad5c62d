// `hearth run`: from words and options to a model and a prompt, then one answer or a conversation.
//
//   run M "text"      model and prompt
//   run M             prompt from stdin, or a conversation on a terminal
//   run "a sentence"  prompt for the demo model, which is also run --demo
//
// Until there is a built-in model, the demo model is a tiny one whose weights are random numbers.
#include <string.h>

#include "cli/talk.h"
#include "os/os.h"

#define DEMO_SOURCE "shape:tiny:Q8_0:1"

typedef struct run_input {
    const char *source; // of the model
    buf prompt;
    bool is_chat;       // no prompt from anywhere, on a terminal
} run_input;

static bool is_sentence(const char *word)
{
    return strchr(word, ' ') && os_path_kind(word, NULL) == OS_KIND_NONE;
}

// Decides what the words mean; *text is the prompt among them or NULL.
static hearth_status read_words(cli *c, const run_args *a, const char **source, const char **text,
                                hearth_err *err)
{
    int n = a->common.n_words;
    const char *const *w = a->common.words;
    *source = NULL;
    *text = a->prompt;
    if (a->demo || (n == 1 && is_sentence(w[0]))) {
        if (n > 1) return cli_usage(c, err, "'%s' is one argument too many with --demo", w[1]);
        if (n == 1 && a->prompt) return cli_usage(c, err, "two prompts: '%s' and --prompt", w[0]);
        if (n == 1) *text = w[0];
        *source = DEMO_SOURCE;
        return HEARTH_OK;
    }
    if (n == 0) return cli_usage(c, err, "no model: hearth run %s", c->cmd->synopsis);
    if (n == 2 && a->prompt) return cli_usage(c, err, "two prompts: '%s' and --prompt", w[1]);
    if (n == 2) *text = w[1];
    *source = w[0];
    return HEARTH_OK;
}

// Text files end in a newline that nobody means as part of a prompt.
static void drop_last_newline(buf *b)
{
    if (b->n > 0 && b->p[b->n - 1] == '\n') b->n--;
    if (b->n > 0 && b->p[b->n - 1] == '\r') b->n--;
}

static hearth_status read_prompt(cli *c, const run_args *a, const char *text, run_input *in,
                                 hearth_err *err)
{
    hearth_status st = HEARTH_OK;
    if (text && a->file) return cli_usage(c, err, "two prompts: --file and '%s'", text);
    if (text) return buf_append_str(&in->prompt, str_from(text));
    if (a->file && strcmp(a->file, "-") != 0) {
        st = read_file(a->file, &in->prompt, err);
    } else if (a->file || !c->in_is_tty) {
        st = read_stdin(&in->prompt, err);
    } else if (a->common.json) {
        st = cli_usage(c, err, "--json needs a prompt");
    } else {
        in->is_chat = true;
    }
    if (st == HEARTH_OK && !a->raw) drop_last_newline(&in->prompt);
    return st;
}

static void say_what_is_unusual(cli *c, const char *source)
{
    if (strcmp(source, DEMO_SOURCE) == 0) {
        note(c, "no built-in model yet: this is a tiny model with random weights, "
                "its text means nothing");
    }
}

static hearth_status answer_once(talk *t, const run_input *in, hearth_err *err)
{
    HEARTH_TRY(talk_ask(t, buf_str(&in->prompt), STR(""), err));
    HEARTH_TRY(talk_answer(t, err));
    if (t->keeps_text) {
        talk_print_json(t, in->source);
    } else if (!t->ends_in_newline && (!t->a->raw || t->c->out_is_tty)) {
        out_bytes(t->c, STR("\n"));
    }
    HEARTH_TRY(out_flush(t->c, err));
    if (t->a->stats) talk_print_stats(t);
    if (t->finish == GENERATE_CONTEXT) {
        note(t->c, "the context of %lld tokens is full (-c makes it larger)",
             (long long)engine_get_info(t->e)->n_ctx);
    }
    return t->finish == GENERATE_CANCELED ? HEARTH_E_CANCELED : HEARTH_OK;
}

// Errors of a failing engine concern the model; those of options name the option already.
static void name_source(const char *source, hearth_err *err)
{
    str msg = str_from(err->msg);
    if (!str_starts(msg, STR("option")) && !str_starts(msg, str_from(source))) {
        err_prefix(err, "%s: ", source);
    }
}

static hearth_status run_model(cli *c, const run_args *a, const run_input *in, hearth_err *err)
{
    talk t = {.c = c, .a = a};
    engine_options o;
    HEARTH_TRY(fill_engine_options(c, &a->engine, &o, err));
    progress_show(c, "loading %s", in->source);
    hearth_status st = open_engine(in->source, &o, &t.e, &t.load_ns, err);
    progress_clear(c);
    if (st != HEARTH_OK) return st;
    say_what_is_unusual(c, in->source);
    st = talk_init(&t, err);
    if (st == HEARTH_OK) st = in->is_chat ? chat_run(&t, err) : answer_once(&t, in, err);
    if (st != HEARTH_OK && c->out_failed == HEARTH_OK) name_source(in->source, err);
    talk_release(&t);
    engine_close(t.e);
    return st;
}

hearth_status cmd_run(cli *c, void *args, hearth_err *err)
{
    const run_args *a = args;
    run_input in = {.source = NULL};
    const char *text;
    HEARTH_TRY(read_words(c, a, &in.source, &text, err));
    HEARTH_TRY(check_model_path(in.source, err));
    buf_init(&in.prompt, MEM_MISC, LIMIT_STDIN);
    os_interrupt_catch();
    hearth_status st = read_prompt(c, a, text, &in, err);
    if (st == HEARTH_OK) st = run_model(c, a, &in, err);
    buf_release(&in.prompt);
    return st;
}
