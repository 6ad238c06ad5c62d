// The tokenizer of RWKV's World models, tokenizer.ggml.model "rwkv".
//
// The longest token at each position is taken. Tokens are any bytes; files spell them as Python
// spells bytes: \t \n \r \\ \' and \xNN for what is not printable ASCII.
#include "defs/limits.h"
#include "tok/tok_int.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The byte that the front of *s spells, which is taken off; a malformed escape is its last
// character.
static char take_byte(str *s)
{
    size_t n = 1;
    char c = s->p[0];
    if (c == '\\' && s->n > 1) {
        c = s->p[n++];
        int high = c == 'x' && s->n >= 4 ? hex_value(s->p[2]) : -1;
        int low = high >= 0 ? hex_value(s->p[3]) : -1;
        if (low >= 0) {
            c = (char)(high * 16 + low);
            n = 4;
        } else if (c == 't' || c == 'n' || c == 'r') {
            c = c == 't' ? '\t' : c == 'n' ? '\n' : '\r';
        }
    }
    *s = (str){s->p + n, s->n - n};
    return c;
}

static hearth_status insert_token(tok *t, int32_t id, hearth_err *err)
{
    char bytes[LIMIT_WALK_BYTES];
    size_t n = 0;
    for (str s = t->text[id]; s.n; n++) {
        if (n == sizeof bytes) {
            return err_fail(err, HEARTH_E_LIMIT, "token %d has more than %d bytes", (int)id,
                            LIMIT_WALK_BYTES);
        }
        bytes[n] = take_byte(&s);
    }
    trie_insert(&t->bytes, (str){bytes, n}, id);
    return HEARTH_OK;
}

static hearth_status open_rwkv(tok *t, const gguf *g, hearth_err *err)
{
    (void)g;
    t->name = "rwkv";
    size_t bytes = 0;
    for (int32_t i = 0; i < t->n; i++) bytes += vocab_is_word(t, i) ? t->text[i].n : 0;
    HEARTH_TRY(trie_init(&t->bytes, &t->mem, bytes, err));
    for (int32_t i = 0; i < t->n; i++) {
        if (vocab_is_word(t, i)) HEARTH_TRY(insert_token(t, i, err));
    }
    return HEARTH_OK;
}

static hearth_status encode_rwkv(const tok *t, str s, tok_ids *out, hearth_err *err)
{
    size_t run_start = out->n;
    for (size_t at = 0; at < s.n;) {
        int32_t best = TOK_NONE;
        size_t end = at;
        uint32_t node = 0;
        for (size_t i = at; i < s.n && (node = trie_step(&t->bytes, node, (uint8_t)s.p[i])) != 0;) {
            i++;
            if (t->bytes.node[node].id == TOK_NONE) continue;
            best = t->bytes.node[node].id;
            end = i;
        }
        if (best != TOK_NONE) HEARTH_TRY(tok_ids_push(out, best, err));
        else HEARTH_TRY(ids_push_byte(t, (uint8_t)s.p[end++], run_start, out, err));
        at = end;
    }
    return HEARTH_OK;
}

static hearth_status decode_rwkv(const tok *t, int32_t id, bool first, buf *out)
{
    (void)first;
    str s = t->text[id];
    while (s.n) HEARTH_TRY(buf_append_char(out, take_byte(&s)));
    return HEARTH_OK;
}

const tok_kind tok_kind_rwkv = {
    .model = "rwkv",
    .defaults = {.bos = TOK_NONE, .eos = TOK_NONE, .eot = TOK_NONE, .eom = TOK_NONE,
                 .unk = TOK_NONE, .sep = TOK_NONE, .pad = TOK_NONE, .mask = TOK_NONE,
                 TOK_NO_FIM},
    .open = open_rwkv,
    .encode = encode_rwkv,
    .decode = decode_rwkv,
};
