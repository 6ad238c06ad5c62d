// A small chat on the terminal with Hearth's C API.
//
//   cc chat.c $(pkg-config --cflags --libs --static hearth) -o chat
//   ./chat model.gguf
//
// The whole conversation is kept as tokens. Each turn starts a generation from all of them; the
// session finds that it knows all but the last line, and computes only that. Any model that can
// continue a dialogue will do, since the turns are plain text; an empty line or end of file ends.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hearth/hearth.h>

typedef struct chat {
    hearth_model *model;
    hearth_session *session;
    int32_t *token; // the conversation
    size_t n, cap;
} chat;

static int complain(const hearth_error *error)
{
    fprintf(stderr, "chat: %s\n", error->message);
    return 1;
}

// Makes room for n more tokens.
static int reserve(chat *c, size_t n)
{
    if (c->n + n <= c->cap) return 1;
    size_t cap = 2 * (c->n + n);
    int32_t *grown = realloc(c->token, cap * sizeof *grown);
    if (!grown) return 0;
    c->token = grown;
    c->cap = cap;
    return 1;
}

static hearth_status append_text(chat *c, const char *text, hearth_error *error)
{
    uint32_t flags = c->n == 0 ? HEARTH_ADD_SPECIAL : 0;
    size_t bytes = strlen(text), n = 0;
    hearth_tokenize(c->model, text, bytes, flags, NULL, 0, &n, NULL); // how many?
    if (!reserve(c, n)) {
        snprintf(error->message, sizeof error->message, "out of memory");
        return error->code = HEARTH_E_NOMEM;
    }
    hearth_status status =
        hearth_tokenize(c->model, text, bytes, flags, c->token + c->n, c->cap - c->n, &n, error);
    if (status == HEARTH_OK) c->n += n;
    return status;
}

// Prints what comes and adds it to the conversation.
static hearth_status answer(chat *c, hearth_error *error)
{
    static const char *const stop[] = {"\nUser:"};
    hearth_generate_options options;
    hearth_event event = {.size = sizeof event};
    hearth_generate_options_default(&options);
    options.stop = stop;
    options.n_stop = 1;
    options.n_predict = 400;
    hearth_status status = hearth_generate_start(c->session, c->token, c->n, &options, error);
    while (status == HEARTH_OK && event.finish == HEARTH_RUNNING) {
        status = hearth_generate_next(c->session, &event, error);
        if (status != HEARTH_OK) break;
        fwrite(event.text, 1, event.text_bytes, stdout);
        fflush(stdout);
        if (event.token >= 0 && reserve(c, 1)) c->token[c->n++] = event.token;
    }
    if (event.finish == HEARTH_FINISH_CONTEXT) printf(" [the context is full]");
    putchar('\n');
    return status;
}

static int talk(chat *c)
{
    char line[2000], turn[2100];
    hearth_error error;
    for (;;) {
        printf("> ");
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin)) return 0;
        line[strcspn(line, "\n")] = 0;
        if (!line[0]) return 0;
        snprintf(turn, sizeof turn, "%sUser: %s\nAssistant:", c->n ? "\n" : "", line);
        if (append_text(c, turn, &error) != HEARTH_OK || answer(c, &error) != HEARTH_OK)
            return complain(&error);
    }
}

int main(int argc, char **argv)
{
    chat c = {0};
    hearth_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: chat MODEL.gguf\n");
        return 2;
    }
    int status = 1;
    if (hearth_model_open(argv[1], NULL, &c.model, &error) != HEARTH_OK ||
        hearth_session_create(c.model, &c.session, &error) != HEARTH_OK)
        complain(&error);
    else
        status = talk(&c);
    hearth_session_free(c.session);
    hearth_model_close(c.model);
    free(c.token);
    return status;
}
