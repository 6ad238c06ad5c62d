// Decoding token by token: bytes leave only as whole characters, the start of one waits in `tail`.
#include <string.h>

#include "tok/tok_int.h"

void tok_stream_init(tok_stream *s) { *s = (tok_stream){.last_id = TOK_NONE}; }

// Cuts `out` back to n bytes.
static void truncate_to(buf *out, size_t n)
{
    out->n = n;
    if (out->p) out->p[n] = 0;
}

static bool is_hidden(const tok *t, int32_t id, bool special)
{
    tok_attr attr = tok_get_attr(t, id);
    return !special && (attr == TOK_CONTROL || attr == TOK_UNKNOWN);
}

static bool is_repeat(const tok *t, tok_stream *s, int32_t id, bool special)
{
    if (!t->drops_repeats || id < 0 || id >= t->n || is_hidden(t, id, special)) return false;
    bool repeats = s->last_id != TOK_NONE && str_eq(t->text[s->last_id], t->text[id]);
    s->last_id = id;
    return repeats;
}

hearth_status tok_stream_put(const tok *t, tok_stream *s, int32_t id, bool special, buf *out)
{
    if (is_repeat(t, s, id, special)) return HEARTH_OK;
    bool waits = s->space && id >= 0 && id < t->n && !is_hidden(t, id, special);
    size_t before = out->n, with_tail = before + s->n_tail;
    hearth_status status = buf_append(out, s->tail, s->n_tail);
    if (status == HEARTH_OK && waits) status = buf_append_char(out, ' ');
    if (status == HEARTH_OK) status = tok_decode_one(t, id, special, !s->started, out);
    if (status != HEARTH_OK) {
        truncate_to(out, before);
        return status;
    }
    // A hidden token in front does not count: the text begins with the first that shows, even if
    // all that it shows is the space that is dropped.
    tok_attr attr = tok_get_attr(t, id);
    bool may_hide = attr == TOK_CONTROL || attr == TOK_UNKNOWN;
    if (out->n > with_tail || !may_hide) s->started = true;
    if (waits) s->space = false;
    if (t->word_end.n && out->n > with_tail && str_ends(t->text[id], t->word_end)) {
        s->space = true;
        truncate_to(out, out->n - 1);
    }
    size_t fresh = out->n - before;
    size_t keep = fresh ? utf8_incomplete_tail((str){out->p + before, fresh}) : 0;
    ASSERT(keep < sizeof s->tail);
    if (keep) memcpy(s->tail, out->p + out->n - keep, keep);
    s->n_tail = keep;
    truncate_to(out, out->n - keep);
    return HEARTH_OK;
}

hearth_status tok_stream_flush(tok_stream *s, bool replace, buf *out)
{
    s->space = false;
    if (s->n_tail == 0) return HEARTH_OK;
    str tail = replace ? STR("\xEF\xBF\xBD") : (str){s->tail, s->n_tail};
    HEARTH_TRY(buf_append_str(out, tail));
    s->n_tail = 0;
    return HEARTH_OK;
}
