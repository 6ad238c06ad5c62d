// See session.h.
//
// The tokens that the cache holds are kept beside it, so that "what is already there" is a
// comparison of two arrays. A sync rewinds to their common prefix, or as near before it as the
// model can go back, and extends from there, a batch at a time; each finished batch is kept
// whatever happens to the next. Logits are copied out of
// the context, since another session of it may step before they are looked at.
#include "llm/session.h"

#include <string.h>

#include "base/map.h"
#include "llm/ctx_int.h"

struct llm_session {
    llm_ctx *c;
    llm_seq seq;
    int64_t n_max;
    int64_t n, n_reused;
    int64_t n_wanted; // of the running sync
    int32_t *token; // [n_ctx], the first n are in the cache
    llm_row *row;   // [n_batch]
    float *logits;  // [n_vocab]
};

hearth_status session_create(llm_ctx *c, int64_t n_max, llm_session **out, hearth_err *err)
{
    *out = NULL;
    const llm_ctx_options *o = llm_ctx_get_options(c);
    llm_session *s = mem_alloc_zero(MEM_MISC, 1, sizeof *s);
    if (!s) return err_fail(err, HEARTH_E_NOMEM, "no memory for a session");
    s->c = c;
    s->seq = -1;
    s->n_max = n_max > 0 ? i64_min(n_max, o->n_ctx) : o->n_ctx;
    s->token = mem_alloc_zero(MEM_MISC, (size_t)o->n_ctx, sizeof *s->token);
    s->row = mem_alloc_zero(MEM_MISC, (size_t)o->n_batch, sizeof *s->row);
    s->logits = mem_alloc_zero(MEM_MISC, (size_t)c->m->c.n_vocab, sizeof *s->logits);
    hearth_status status = HEARTH_OK;
    if (!s->token || !s->row || !s->logits)
        status = err_fail(err, HEARTH_E_NOMEM, "no memory for a session");
    if (status == HEARTH_OK) status = llm_seq_new(c, &s->seq, err);
    if (status != HEARTH_OK) {
        session_free(s);
        return status;
    }
    *out = s;
    return HEARTH_OK;
}

void session_free(llm_session *s)
{
    if (!s) return;
    llm_seq_free(s->c, s->seq);
    mem_free(s->token);
    mem_free(s->row);
    mem_free(s->logits);
    mem_free(s);
}

static int64_t common_prefix(const llm_session *s, const int32_t *tokens, int64_t n)
{
    int64_t i = 0;
    while (i < s->n && i < n && s->token[i] == tokens[i]) i++;
    return i;
}

hearth_status session_begin(llm_session *s, const int32_t *tokens, int64_t n, hearth_err *err)
{
    if (n < 1) return err_fail(err, HEARTH_E_ARG, "a session of no tokens");
    if (n > s->n_max)
        return err_fail(err, HEARTH_E_LIMIT, "%lld tokens: the context has %lld positions",
                        (long long)n, (long long)s->n_max);
    int64_t keep = i64_min(common_prefix(s, tokens, n), n - 1);
    keep = llm_seq_nearest(s->c, s->seq, keep);
    HEARTH_TRY(llm_seq_rewind(s->c, s->seq, keep, err));
    s->n = s->n_reused = keep;
    s->n_wanted = n;
    return HEARTH_OK;
}

int64_t session_missing(const llm_session *s) { return s->n_wanted - s->n; }

int session_rows(const llm_session *s, const int32_t *tokens, llm_row *rows, int max)
{
    int n = (int)i64_min(max, session_missing(s));
    for (int i = 0; i < n; i++)
        rows[i] = (llm_row){.seq = s->seq, .pos = (int32_t)(s->n + i), .token = tokens[s->n + i]};
    if (n > 0 && n == session_missing(s)) rows[n - 1].want = LLM_WANT_LOGITS;
    return n;
}

void session_took(llm_session *s, const int32_t *tokens, int n_rows, int first)
{
    ASSERT(n_rows <= session_missing(s));
    memcpy(s->token + s->n, tokens + s->n, (size_t)n_rows * sizeof *tokens);
    s->n += n_rows;
    if (session_missing(s) > 0) return;
    const float *logits = llm_logits(s->c, first + n_rows - 1);
    memcpy(s->logits, logits, (size_t)s->c->m->c.n_vocab * sizeof *logits);
}

hearth_status session_step(llm_session *s, const int32_t *tokens, hearth_err *err)
{
    int n_rows = session_rows(s, tokens, s->row, llm_ctx_get_options(s->c)->n_batch);
    ASSERT(n_rows > 0);
    HEARTH_TRY(llm_step(s->c, s->row, n_rows, err));
    session_took(s, tokens, n_rows, 0);
    return HEARTH_OK;
}

hearth_status session_sync(llm_session *s, const int32_t *tokens, int64_t n,
                           session_progress progress, void *progress_ctx, hearth_err *err)
{
    HEARTH_TRY(session_begin(s, tokens, n, err));
    int64_t total = session_missing(s), left;
    while ((left = session_missing(s)) > 0) {
        if (progress && !progress(progress_ctx, total - left, total))
            return err_fail(err, HEARTH_E_CANCELED, "canceled");
        HEARTH_TRY(session_step(s, tokens, err));
    }
    if (progress) progress(progress_ctx, total, total);
    return HEARTH_OK;
}

const float *session_logits(const llm_session *s) { return s->logits; }
int64_t session_reused(const llm_session *s) { return s->n_reused; }

const int32_t *session_tokens(const llm_session *s, int64_t *n)
{
    *n = s->n;
    return s->token;
}

// --- as bytes ------------------------------------------------------------------------------------
//
//    0  "HLSS"
//    4  u32 version, 1
//    8  u64 tokens n
//   16  u64 hash of the tokens
//   24  n x i32
//       the sequence (cache_blob.c), n positions
enum { SESSION_HEADER = 24, SESSION_VERSION = 1 };
static const char session_magic[4] = {'H', 'L', 'S', 'S'};

static void store_le(uint8_t *p, int n, uint64_t v)
{
    for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t load_le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

size_t session_export_bytes(const llm_session *s)
{
    return SESSION_HEADER + (size_t)s->n * 4 + llm_seq_export_bytes(s->c, s->seq);
}

hearth_status session_export(llm_session *s, void *out, size_t n, hearth_err *err)
{
    uint8_t *p = out;
    size_t tokens_bytes = (size_t)s->n * 4;
    if (n != session_export_bytes(s))
        return err_fail(err, HEARTH_E_ARG, "session export: %zu bytes given, %zu needed", n,
                        session_export_bytes(s));
    memcpy(p, session_magic, sizeof session_magic);
    store_le(p + 4, 4, SESSION_VERSION);
    store_le(p + 8, 8, (uint64_t)s->n);
    for (int64_t i = 0; i < s->n; i++)
        store_le(p + SESSION_HEADER + 4 * i, 4, (uint32_t)s->token[i]);
    store_le(p + 16, 8, hash_bytes(p + SESSION_HEADER, tokens_bytes, (uint64_t)s->n));
    size_t at = SESSION_HEADER + tokens_bytes;
    return llm_seq_export(s->c, s->seq, p + at, n - at, err);
}

// *at: where the sequence begins.
static hearth_status check_session(const llm_session *s, const uint8_t *p, size_t n, size_t *at,
                                   hearth_err *err)
{
    if (n < SESSION_HEADER || memcmp(p, session_magic, sizeof session_magic) != 0)
        return err_fail(err, HEARTH_E_FORMAT, "session import: not an exported session");
    if (load_le(p + 4, 4) != SESSION_VERSION)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "session import: version %u, expected %u",
                        (unsigned)load_le(p + 4, 4), (unsigned)SESSION_VERSION);
    uint64_t tokens = load_le(p + 8, 8);
    if (tokens > (n - SESSION_HEADER) / 4)
        return err_fail(err, HEARTH_E_FORMAT, "session import: %llu tokens in %zu bytes",
                        (unsigned long long)tokens, n);
    if (load_le(p + 16, 8) != hash_bytes(p + SESSION_HEADER, (size_t)tokens * 4, tokens))
        return err_fail(err, HEARTH_E_VERIFY, "session import: damaged, the checksum differs");
    for (uint64_t i = 0; i < tokens; i++)
        if (load_le(p + SESSION_HEADER + 4 * i, 4) >= (uint64_t)s->c->m->c.n_vocab)
            return err_fail(err, HEARTH_E_FORMAT,
                            "session import: token %llu is not in the vocabulary",
                            (unsigned long long)i);
    *at = SESSION_HEADER + (size_t)tokens * 4;
    int64_t length = 0;
    HEARTH_TRY(cache_check_blob(&s->c->cache, p + *at, n - *at, &length, err));
    if ((uint64_t)length != tokens)
        return err_fail(err, HEARTH_E_FORMAT, "session import: %llu tokens, %lld positions",
                        (unsigned long long)tokens, (long long)length);
    return HEARTH_OK;
}

// Everything is checked before the old contents go, so that a bad blob changes nothing. Only a full
// context can still refuse; the session is then empty.
hearth_status session_import(llm_session *s, const void *blob, size_t n, hearth_err *err)
{
    const uint8_t *p = blob;
    size_t at = 0;
    llm_seq imported;
    HEARTH_TRY(check_session(s, p, n, &at, err));
    llm_seq_free(s->c, s->seq);
    s->n = s->n_wanted = 0;
    hearth_status status = llm_seq_import(s->c, p + at, n - at, &imported, err);
    if (status != HEARTH_OK) {
        hearth_status again = llm_seq_new(s->c, &s->seq, err); // the slot that was just freed
        ASSERT(again == HEARTH_OK);
        (void)again;
        return status;
    }
    s->seq = imported;
    s->n = s->n_wanted = (int64_t)((at - SESSION_HEADER) / 4);
    for (int64_t i = 0; i < s->n; i++)
        s->token[i] = (int32_t)load_le(p + SESSION_HEADER + 4 * i, 4);
    return HEARTH_OK;
}
