// `hearth tokenize`: text to ids, and ids to text.
//
// --ids is fixed for scripts: the bytes of stdin as they are, ids separated by one space on one
// line.
#include "cli/args.h"

#include "defs/limits.h"

static hearth_status read_input(const tokenize_args *a, buf *text, hearth_err *err)
{
    if (a->prompt) return buf_append_str(text, str_from(a->prompt));
    if (a->file && !str_eq_z(str_from(a->file), "-")) return read_file(a->file, text, err);
    return read_stdin(text, err);
}

// Adds the token that begins a text, whatever the file says about adding it by itself.
static hearth_status push_bos(const engine_info *info, tok_ids *ids, hearth_err *err)
{
    if (info->special.bos != TOK_NONE) return tok_ids_push(ids, info->special.bos, err);
    return err_fail(err, HEARTH_E_ARG, "%s: the model has no beginning-of-text token", info->path);
}

// The text of a token inside a text: decoding it twice and cutting off the first keeps the leading
// space that a first SentencePiece token loses.
static hearth_status append_token_text(engine *e, int32_t id, buf *out, hearth_err *err)
{
    int32_t twice[2] = {id, id};
    size_t from = out->n;
    HEARTH_TRY(engine_detokenize(e, twice, 1, true, out, err));
    size_t once = out->n - from;
    out->n = from;
    HEARTH_TRY(engine_detokenize(e, twice, 2, true, out, err));
    size_t kept = out->n - from - once;
    for (size_t i = 0; i < kept; i++) out->p[from + i] = out->p[from + once + i];
    out->n = from + kept;
    return HEARTH_OK;
}

static void print_ids(cli *c, const tok_ids *ids)
{
    for (size_t i = 0; i < ids->n; i++) out_printf(c, "%s%d", i ? " " : "", ids->id[i]);
    out_bytes(c, STR("\n"));
}

static hearth_status print_table(cli *c, engine *e, const tok_ids *ids, hearth_err *err)
{
    buf text, quoted;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    buf_init(&quoted, MEM_MISC, SIZE_MAX);
    hearth_status st = HEARTH_OK;
    for (size_t i = 0; i < ids->n && st == HEARTH_OK; i++) {
        buf_reset(&text);
        buf_reset(&quoted);
        st = append_token_text(e, ids->id[i], &text, err);
        append_quoted(&quoted, buf_str(&text));
        if (st == HEARTH_OK) out_printf(c, "%7d  \"%s\"\n", ids->id[i], quoted.p ? quoted.p : "");
    }
    buf_release(&quoted);
    buf_release(&text);
    return st;
}

static hearth_status print_json(cli *c, engine *e, const tok_ids *ids, hearth_err *err)
{
    json_writer w;
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    hearth_status st = HEARTH_OK;
    json_write_init(&w, &c->out);
    json_write_array(&w);
    for (size_t i = 0; i < ids->n && st == HEARTH_OK; i++) {
        buf_reset(&text);
        st = append_token_text(e, ids->id[i], &text, err);
        json_write_object(&w);
        put_i64(&w, "id", ids->id[i]);
        put_text(&w, "text", buf_str(&text));
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    out_bytes(c, STR("\n"));
    buf_release(&text);
    if (st != HEARTH_OK) buf_reset(&c->out); // no half document
    return st;
}

static hearth_status encode(cli *c, engine *e, const tokenize_args *a, str text, hearth_err *err)
{
    tok_ids ids = {0};
    hearth_status st = a->bos ? push_bos(engine_get_info(e), &ids, err) : HEARTH_OK;
    tok_options o = {.add_special = false, .parse_special = a->special};
    if (st == HEARTH_OK) st = engine_tokenize(e, text, o, &ids, err);
    if (st == HEARTH_OK && a->ids) {
        print_ids(c, &ids);
    } else if (st == HEARTH_OK) {
        st = a->common.json ? print_json(c, e, &ids, err) : print_table(c, e, &ids, err);
    }
    tok_ids_release(&ids);
    return st;
}

static void print_decoded(cli *c, const tokenize_args *a, str text)
{
    if (!a->common.json) {
        out_text(c, text);
        if (c->out_is_tty) out_bytes(c, STR("\n"));
        return;
    }
    json_writer w;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    put_text(&w, "text", text);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

static hearth_status decode(cli *c, engine *e, const tokenize_args *a, str input, hearth_err *err)
{
    tok_ids ids = {0};
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    hearth_status st = parse_ids(input, engine_get_info(e)->n_vocab, &ids, err);
    if (st == HEARTH_OK) st = engine_detokenize(e, ids.id, ids.n, a->special, &text, err);
    if (st == HEARTH_OK) print_decoded(c, a, buf_str(&text));
    buf_release(&text);
    tok_ids_release(&ids);
    return st;
}

hearth_status cmd_tokenize(cli *c, void *args, hearth_err *err)
{
    const tokenize_args *a = args;
    if (a->ids && a->decode) return cli_usage(c, err, "--ids and --decode exclude each other");
    engine_options o;
    engine *e = NULL;
    buf text;
    buf_init(&text, MEM_MISC, LIMIT_STDIN);
    fill_metadata_options(a->in_process, &o);
    hearth_status st = open_engine(a->common.words[0], &o, &e, NULL, err);
    if (st == HEARTH_OK) st = read_input(a, &text, err);
    if (st == HEARTH_OK) st = (a->decode ? decode : encode)(c, e, a, buf_str(&text), err);
    engine_close(e);
    buf_release(&text);
    return st;
}
