// A conversation on the terminal: lines from a person, answers from the model, and a few commands.
//
// With a chat template a line is a message; without one it is appended to the text as it is (on a
// line of its own) and the model goes on from there. Ctrl-C stops an answer and keeps what came; at
// the prompt it empties the line, on an empty line a second one leaves.
//
// A saved conversation is the list of tokens and the engine's own export:
//   "HEARTHCV" | u32 version 2 | u32 n_tokens | u32 n_bytes | i32 token[n_tokens]
//   | n_bytes of messages as JSON, not in brackets | export, all little endian
#include <stdio.h>
#include <string.h>

#include "cli/talk.h"
#include "os/os.h"

static const char SAVE_MAGIC[8] = {'H', 'E', 'A', 'R', 'T', 'H', 'C', 'V'};
enum { SAVE_VERSION = 2, SAVE_HEADER_BYTES = 20 };

static const char HELP[] =
    "  /help        this list\n"
    "  /clear       forget the conversation\n"
    "  /seed N      random seed of the next answers\n"
    "  /temp X      temperature, 0 for the likeliest token\n"
    "  /stats       numbers of the last answer\n"
    "  /save FILE   write the conversation with its cache\n"
    "  /load FILE   go on from such a file\n"
    "  /quit        leave (also Ctrl-D)\n"
    "Ctrl-C stops an answer.\n";

// --- saved conversations ------------------------------------------------------------------------

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static hearth_status append_tokens(const tok_ids *ids, str messages, buf *out, hearth_err *err)
{
    uint8_t header[SAVE_HEADER_BYTES];
    memcpy(header, SAVE_MAGIC, sizeof SAVE_MAGIC);
    put_u32(header + 8, SAVE_VERSION);
    put_u32(header + 12, (uint32_t)ids->n);
    put_u32(header + 16, (uint32_t)messages.n);
    buf_append(out, header, sizeof header);
    for (size_t i = 0; i < ids->n; i++) {
        uint8_t item[4];
        put_u32(item, (uint32_t)ids->id[i]);
        buf_append(out, item, sizeof item);
    }
    buf_append_str(out, messages);
    return out->failed == HEARTH_OK ? HEARTH_OK : err_fail(err, out->failed, "out of memory");
}

static hearth_status save(talk *t, const char *path, hearth_err *err)
{
    buf data;
    safe_file *f = NULL;
    buf_init(&data, MEM_MISC, SIZE_MAX);
    hearth_status st = append_tokens(&t->tokens, buf_str(&t->d.messages), &data, err);
    if (st == HEARTH_OK) st = engine_session_export(t->e, t->s, &data, err);
    if (st == HEARTH_OK) st = safe_open(path, &f, err);
    if (st == HEARTH_OK) {
        st = safe_write(f, data.p, data.n, err);
        if (st == HEARTH_OK) {
            st = safe_commit(f, err);
        } else {
            safe_abort(f);
        }
    }
    buf_release(&data);
    return st;
}

static hearth_status check_saved(const buf *data, size_t *n_tokens, size_t *n_messages,
                                 hearth_err *err)
{
    const uint8_t *p = (const uint8_t *)data->p;
    if (data->n < SAVE_HEADER_BYTES || memcmp(p, SAVE_MAGIC, sizeof SAVE_MAGIC) != 0) {
        return err_fail(err, HEARTH_E_FORMAT, "is no saved conversation");
    }
    if (get_u32(p + 8) != SAVE_VERSION) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "version %u, expected %d",
                        (unsigned)get_u32(p + 8), SAVE_VERSION);
    }
    *n_tokens = get_u32(p + 12);
    *n_messages = get_u32(p + 16);
    size_t room = data->n - SAVE_HEADER_BYTES;
    if (*n_tokens > room / 4 || *n_messages > room - *n_tokens * 4) {
        return err_fail(err, HEARTH_E_FORMAT, "%zu tokens and %zu bytes do not fit into %zu bytes",
                        *n_tokens, *n_messages, data->n);
    }
    return HEARTH_OK;
}

static hearth_status take_saved(talk *t, const buf *data, hearth_err *err)
{
    size_t n = 0, n_messages = 0;
    tok_ids ids = {0};
    HEARTH_TRY(check_saved(data, &n, &n_messages, err));
    const uint8_t *p = (const uint8_t *)data->p + SAVE_HEADER_BYTES;
    int64_t n_vocab = engine_get_info(t->e)->n_vocab;
    hearth_status st = HEARTH_OK;
    for (size_t i = 0; i < n && st == HEARTH_OK; i++) {
        uint32_t id = get_u32(p + 4 * i);
        st = id < (uint64_t)n_vocab
                 ? tok_ids_push(&ids, (int32_t)id, err)
                 : err_fail(err, HEARTH_E_FORMAT, "token %u is outside the vocabulary",
                            (unsigned)id);
    }
    str messages = {data->p + SAVE_HEADER_BYTES + 4 * n, n_messages};
    size_t at = SAVE_HEADER_BYTES + 4 * n + n_messages;
    if (st == HEARTH_OK) st = engine_session_import(t->e, t->s, data->p + at, data->n - at, err);
    if (st == HEARTH_OK) {
        tok_ids_release(&t->tokens);
        t->tokens = ids;
        st = dialog_replace(t, messages, err);
    } else {
        tok_ids_release(&ids);
    }
    return st;
}

static hearth_status load(talk *t, const char *path, hearth_err *err)
{
    buf data;
    buf_init(&data, MEM_MISC, SIZE_MAX);
    hearth_status st = read_file(path, &data, err);
    if (st == HEARTH_OK) {
        st = take_saved(t, &data, err);
        err_prefix(err, "%s: ", path);
    }
    buf_release(&data);
    return st;
}

// --- commands -----------------------------------------------------------------------------------

static hearth_status set_seed(talk *t, const char *text, hearth_err *err)
{
    int64_t v;
    if (!str_parse_i64(str_from(text), &v) || v < 0) {
        return err_fail(err, HEARTH_E_ARG, "'%s' is no seed (a whole number, at least 0)", text);
    }
    t->seed = (uint64_t)v;
    return HEARTH_OK;
}

static hearth_status set_temperature(talk *t, const char *text, hearth_err *err)
{
    double v;
    if (!str_parse_f64(str_from(text), &v) || !(v >= 0 && v <= 100)) {
        return err_fail(err, HEARTH_E_ARG, "'%s' is no temperature (0 to 100)", text);
    }
    t->o.sampling.temperature = (float)v;
    return HEARTH_OK;
}

// The session is given the whole prefix each time, so forgetting the tokens is enough.
static hearth_status forget(talk *t, const char *text, hearth_err *err)
{
    (void)text;
    (void)err;
    dialog_clear(t);
    return HEARTH_OK;
}

static hearth_status show_help(talk *t, const char *text, hearth_err *err)
{
    (void)text;
    (void)err;
    out_printf(t->c, "%s", HELP);
    return HEARTH_OK;
}

static hearth_status show_stats(talk *t, const char *text, hearth_err *err)
{
    (void)text;
    (void)err;
    talk_print_stats(t);
    return HEARTH_OK;
}

typedef struct chat_command {
    const char *name;
    bool needs_text;
    hearth_status (*run)(talk *t, const char *text, hearth_err *err);
} chat_command;

static const chat_command chat_commands[] = {
    {"/help", false, show_help}, {"/clear", false, forget},         {"/seed", true, set_seed},
    {"/stats", false, show_stats}, {"/temp", true, set_temperature}, {"/save", true, save},
    {"/load", true, load},
};

static void run_command(talk *t, str line)
{
    char text[1024];
    str rest = line, name = str_cut(&rest, ' ');
    rest = str_trim(rest);
    snprintf(text, sizeof text, "%.*s", (int)size_min(rest.n, sizeof text - 1), rest.p);
    for (size_t i = 0; i < COUNTOF(chat_commands); i++) {
        const chat_command *cc = &chat_commands[i];
        if (!str_eq_z(name, cc->name)) continue;
        hearth_err err = ERR_INIT;
        if (cc->needs_text && rest.n == 0) {
            note_always(t->c, "%s needs a value, see /help", cc->name);
        } else if (cc->run(t, text, &err) != HEARTH_OK) {
            note_always(t->c, "%serror:%s %s", err_colour(t->c, COLOUR_RED),
                        err_colour(t->c, COLOUR_NONE), err.msg);
        }
        return;
    }
    note_always(t->c, "no command '%.*s', see /help", STR_ARG(name));
}

// --- the conversation ---------------------------------------------------------------------------

// A line that failed is taken out of the conversation again. Tokens of messages are made anew then.
static hearth_status ask(talk *t, str line, hearth_err *err)
{
    size_t n_tokens = t->tokens.n, n_bytes = t->d.messages.n;
    hearth_status st = talk_ask(t, line, STR("\n"), err);
    if (st == HEARTH_OK) st = talk_answer(t, err);
    if (st != HEARTH_OK) {
        t->tokens.n = t->d.is_on ? 0 : n_tokens;
        t->d.messages.n = n_bytes;
    }
    return st;
}

static hearth_status answer_line(talk *t, str line, hearth_err *err)
{
    HEARTH_TRY(ask(t, line, err));
    os_interrupt_clear();
    if (!t->ends_in_newline) out_bytes(t->c, STR("\n"));
    if (t->finish == GENERATE_CONTEXT) note_always(t->c, "the context is full, /clear begins anew");
    if (t->a->stats) talk_print_stats(t);
    return out_flush(t->c, err);
}

// An error of one answer is shown and the conversation goes on, unless the engine is gone.
static bool survives(talk *t, hearth_status st, hearth_err *err)
{
    if (st == HEARTH_OK) return true;
    if (st == HEARTH_E_CRASHED || t->c->out_failed != HEARTH_OK) return false;
    note_always(t->c, "%serror:%s %s", err_colour(t->c, COLOUR_RED), err_colour(t->c, COLOUR_NONE),
                err->msg);
    err_clear(err);
    return true;
}

static hearth_status converse(talk *t, line_editor *l, hearth_err *err)
{
    bool was_interrupted = false;
    for (;;) {
        str line;
        line_result r = line_read(l, &line);
        if (r == LINE_INTERRUPTED || r == LINE_ABANDONED) {
            os_interrupt_clear();
            if (r == LINE_INTERRUPTED && was_interrupted) return HEARTH_OK;
            was_interrupted = r == LINE_INTERRUPTED;
            if (was_interrupted) note(t->c, "press Ctrl-C again to leave");
            continue;
        }
        was_interrupted = false;
        if (r != LINE_OK) return HEARTH_OK;
        line = str_trim(line);
        if (line.n == 0) continue;
        if (str_eq_z(line, "/quit") || str_eq_z(line, "/exit")) return HEARTH_OK;
        if (line.p[0] == '/') {
            run_command(t, line);
            HEARTH_TRY(out_flush(t->c, err));
            continue;
        }
        hearth_status st = answer_line(t, line, err);
        if (!survives(t, st, err)) return st;
    }
}

hearth_status chat_run(talk *t, hearth_err *err)
{
    line_editor *l;
    note(t->c, "%s, context %lld tokens. /help lists commands.", engine_get_info(t->e)->path,
         (long long)engine_get_info(t->e)->n_ctx);
    HEARTH_TRY(line_open("> ", &l, err));
    hearth_status st = converse(t, l, err);
    line_close(l);
    return st;
}
