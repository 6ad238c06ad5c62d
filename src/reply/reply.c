// The stream: cutting the text at tags; see reply.h.
//
//            open tag                      close tag, or the end
//   CONTENT ----------> THINK, BODY, HEADER ----------> CONTENT
//
// Text that is not yet decided stays in `in`: white space (a tag may follow, and then it is not
// text), the beginning of what may become a tag, and bodies. A body is given to its parser when a
// closing tag has come; a parser that sees an unfinished string answers BODY_MORE, so that a tag
// inside of it is not the end. Whatever no parser takes is content.
#include "reply/reply_int.h"

#include <string.h>

// A closing tag inside a string is rare; so many of them are somebody's game with our time.
enum { TRIES_MAX = 64 };

typedef struct item { reply_kind kind; int index; size_t at, n_id, n_name, n; } item;

static void fail(reply_reader *r, hearth_status status)
{
    if (r->failed == HEARTH_OK) r->failed = status;
}

static bool is_on(const reply_reader *r, const reply_tag *tag)
{
    return r->style.tags >> (tag - reply_tags) & 1;
}

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// --- parts --------------------------------------------------------------------------------------

static bool get_item(const reply_reader *r, size_t i, item *out)
{
    if ((i + 1) * sizeof *out > r->items.n) return false;
    memcpy(out, r->items.p + i * sizeof *out, sizeof *out);
    return true;
}

static void put_item(reply_reader *r, const item *x)
{
    hearth_status status = buf_append(&r->items, x, sizeof *x);
    if (status != HEARTH_OK) fail(r, status);
}

// Text joins the last part if that is of the same kind and nobody has read it.
static void put_text(reply_reader *r, reply_kind kind, str text)
{
    if (text.n == 0) return;
    if (kind == REPLY_CONTENT) r->wrote_content = true;
    hearth_status status = buf_append_str(&r->out, text);
    if (status != HEARTH_OK) {
        fail(r, status);
        return;
    }
    item last;
    size_t n = r->items.n / sizeof last;
    if (n > r->n_read && get_item(r, n - 1, &last) && last.kind == kind) {
        last.n += text.n;
        memcpy(r->items.p + (n - 1) * sizeof last, &last, sizeof last);
        return;
    }
    put_item(r, &(item){.kind = kind, .at = r->out.n - text.n, .n = text.n});
}

static bool is_name(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c == 0x7F || c == '"' || c == '<' || c == '>') return false;
    }
    return s.n > 0 && s.n <= LIMIT_REPLY_NAME;
}

body_verdict reply_add_call(reply_reader *r, str id, str name, str arguments)
{
    id = str_trim(id);
    name = str_trim(name);
    arguments = str_trim(arguments);
    if (arguments.n > 0 && arguments.p[0] == '"' && json_is_valid(arguments))
        arguments = str_trim(json_read_string(arguments, &r->text)); // JSON in a JSON string
    if (!is_name(name) || (id.n > 0 && !is_name(id)) || r->n_calls >= LIMIT_REPLY_CALLS)
        return BODY_BAD;
    if (arguments.n < 2 || arguments.p[0] != '{' || !json_is_valid(arguments)) return BODY_BAD;
    item x = {.kind = REPLY_CALL, .index = r->n_calls, .at = r->out.n, .n_id = id.n,
              .n_name = name.n, .n = arguments.n};
    buf_append_str(&r->out, id);
    buf_append_str(&r->out, name);
    buf_append_str(&r->out, arguments);
    if (r->out.failed != HEARTH_OK) fail(r, r->out.failed);
    put_item(r, &x);
    r->n_calls++;
    return BODY_OK;
}

bool reply_next(reply_reader *r, reply_part *out)
{
    item x;
    if (r->failed != HEARTH_OK || !get_item(r, r->n_read, &x)) return false;
    const char *p = r->out.p + x.at;
    *out = (reply_part){.kind = x.kind, .index = x.index};
    if (x.kind == REPLY_CALL) {
        out->id = (str){p, x.n_id};
        out->name = (str){p + x.n_id, x.n_name};
        out->arguments = (str){p + x.n_id + x.n_name, x.n};
    } else {
        out->text = (str){p, x.n};
    }
    r->n_read++;
    return true;
}

// --- tags in text -------------------------------------------------------------------------------

typedef struct found_tag {
    const reply_tag *tag; // NULL: none
    size_t at, n;         // without a tag: from `at` on the text may become one
    bool closes;          // the closing tag of what is open
} found_tag;

// 1: s begins with the tag, 0: it may when it is longer, -1: no.
static int match_tag(str s, str tag)
{
    size_t n = size_min(s.n, tag.n);
    if (n == 0 || memcmp(s.p, tag.p, n) != 0) return -1;
    return n == tag.n ? 1 : 0;
}

// May this tag open here? Reasoning and bare calls come before any content (at_start: so does the
// text in hand); in reasoning only harmony's tags mean anything.
static bool may_open(const reply_reader *r, const reply_tag *tag, bool at_start)
{
    if (!is_on(r, tag)) return false;
    if (r->state == STATE_THINK)
        return r->is_harmony && !r->tag && (tag->role == TAG_SKIP || tag->role == TAG_HEADER);
    bool needs_start = tag->role == TAG_THINK || tag->flags & TAG_FIRST;
    return !needs_start || (at_start && !r->wrote_content);
}

static int match_open(const reply_tag *tag, str s)
{
    int m = match_tag(s, tag->open);
    if (m != 1 || !tag->is_likely) return m;
    body_verdict v = tag->is_likely(s);
    return v == BODY_OK ? 1 : v == BODY_MORE ? 0 : -1;
}

// The longest tag at s wins. false: neither a tag nor the beginning of one.
static bool find_here(const reply_reader *r, str s, bool at_start, found_tag *f)
{
    bool held = false;
    if (r->state == STATE_THINK && r->tag) {
        int m = match_tag(s, r->tag->close);
        if (m == 1) *f = (found_tag){.tag = r->tag, .n = r->tag->close.n, .closes = true};
        return m >= 0;
    }
    for (size_t i = 0; i < reply_n_tags; i++) {
        const reply_tag *tag = &reply_tags[i];
        if (!may_open(r, tag, at_start)) continue;
        int m = match_open(tag, s);
        held |= m == 0;
        if (m == 1 && (!f->tag || tag->open.n > f->n)) {
            f->tag = tag;
            f->n = tag->open.n;
        }
    }
    return held || f->tag;
}

static found_tag find_tag(const reply_reader *r, str s, bool ended)
{
    found_tag f = {0};
    bool at_start = true;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (r->first[c] && find_here(r, (str){s.p + i, s.n - i}, at_start, &f) &&
            (f.tag || !ended)) {
            f.at = i;
            return f;
        }
        at_start = at_start && is_space(s.p[i]);
    }
    f.at = s.n;
    return f;
}

// --- states -------------------------------------------------------------------------------------

static str rest_of(const reply_reader *r)
{
    str in = buf_str(&r->in);
    return (str){in.p + r->at, in.n - r->at};
}

static void enter(reply_reader *r, reply_state state, const reply_tag *tag)
{
    r->state = state;
    r->tag = tag;
    r->skips_space = state == STATE_CONTENT || state == STATE_THINK;
}

static void enter_body(reply_reader *r, const reply_tag *tag, size_t body_at)
{
    enter(r, tag->role == TAG_HEADER ? STATE_HEADER : STATE_BODY, tag);
    r->body_at = body_at;
    r->scan = body_at;
    r->n_tries = 0;
}

static void take_tag(reply_reader *r, const found_tag *f, size_t tag_at)
{
    size_t end = tag_at + f->n;
    if (!f->closes && (f->tag->role == TAG_CALL || f->tag->role == TAG_HEADER)) {
        r->mark_at = tag_at;
        enter_body(r, f->tag, f->tag->flags & TAG_KEEP ? tag_at : end);
        return;
    }
    r->at = end;
    bool thinks = !f->closes && f->tag->role == TAG_THINK;
    enter(r, thinks ? STATE_THINK : STATE_CONTENT, thinks ? f->tag : NULL);
}

// Content or reasoning. false: more text is needed.
static bool step_text(reply_reader *r, bool ended)
{
    while (r->skips_space && r->at < r->in.n && is_space(r->in.p[r->at])) r->at++;
    str s = rest_of(r);
    if (s.n == 0) return false;
    r->skips_space = false;
    found_tag f = find_tag(r, s, ended);
    size_t n = f.at;
    while (n > 0 && is_space(s.p[n - 1])) n--;
    bool loses_space = r->n_calls > 0 || r->state == STATE_THINK;
    if (ended && !f.tag && !loses_space) n = s.n;
    put_text(r, r->state == STATE_THINK ? REPLY_THINKING : REPLY_CONTENT, (str){s.p, n});
    r->at += n;
    if (!f.tag) return false;
    take_tag(r, &f, r->at + f.at - n);
    return true;
}

// What was taken for a call up to `end` is content.
static void give_back(reply_reader *r, size_t end)
{
    put_text(r, REPLY_CONTENT, (str){r->in.p + r->at, end - r->at});
    r->at = end;
    enter(r, STATE_CONTENT, NULL);
    r->skips_space = false;
}

static body_verdict try_body(reply_reader *r, size_t end)
{
    size_t n_items = r->items.n, n_out = r->out.n;
    int n_calls = r->n_calls;
    body_verdict v = r->tag->parse(r, r->tag, (str){r->in.p + r->body_at, end - r->body_at});
    if (v == BODY_OK && r->n_calls > n_calls) return BODY_OK;
    r->items.n = n_items;
    r->out.n = n_out;
    r->n_calls = n_calls;
    return v == BODY_MORE ? BODY_MORE : BODY_BAD;
}

static void take_body(reply_reader *r, size_t end)
{
    r->at = end;
    enter(r, STATE_CONTENT, NULL);
}

static bool end_body(reply_reader *r)
{
    if (try_body(r, r->in.n) == BODY_OK) take_body(r, r->in.n);
    else give_back(r, r->in.n);
    return true;
}

static bool step_body(reply_reader *r, bool ended)
{
    str close = r->tag->close, in = buf_str(&r->in);
    if (in.n - r->body_at > LIMIT_REPLY_BODY) {
        give_back(r, in.n);
        return true;
    }
    size_t at = close.n > 0 ? str_find(in, close, r->scan) : SIZE_MAX;
    if (at == SIZE_MAX) {
        if (ended) return end_body(r);
        if (in.n >= r->body_at + close.n) r->scan = size_max(r->scan, in.n - close.n + 1);
        return false;
    }
    size_t end = at + close.n;
    body_verdict v = try_body(r, r->tag->flags & TAG_KEEP ? end : at);
    if (v == BODY_OK) take_body(r, end);
    else if (v == BODY_MORE && ++r->n_tries < TRIES_MAX) r->scan = end;
    else give_back(r, end);
    return true;
}

// The word behind `key` in a header.
static str find_word(str header, str key)
{
    size_t at = str_find(header, key, 0);
    if (at == SIZE_MAX) return (str){header.p, 0};
    at += key.n;
    size_t end = at;
    while (end < header.n && !is_space(header.p[end]) && header.p[end] != '<') end++;
    return (str){header.p + at, end - at};
}

static void take_header(reply_reader *r, str header, size_t end)
{
    static const str prefix = STR_INIT("functions.");
    str to = find_word(header, STR("to=")), channel = find_word(header, STR("<|channel|>"));
    if (channel.n == 0) channel = find_word(header, STR(""));
    if (to.n > 0 && !str_eq_z(to, "user") && !str_eq_z(to, "all")) {
        if (str_starts(to, prefix)) to = (str){to.p + prefix.n, to.n - prefix.n};
        buf_reset(&r->recipient);
        if (buf_append_str(&r->recipient, to) != HEARTH_OK) fail(r, HEARTH_E_NOMEM);
        enter_body(r, &reply_harmony_call, end);
        return;
    }
    r->at = end;
    enter(r, str_eq_z(channel, "analysis") ? STATE_THINK : STATE_CONTENT, NULL);
}

static bool step_header(reply_reader *r, bool ended)
{
    str in = buf_str(&r->in);
    size_t at = str_find(in, r->tag->close, r->scan);
    if (at != SIZE_MAX && at - r->body_at <= LIMIT_REPLY_HEADER) {
        take_header(r, (str){in.p + r->mark_at, at - r->mark_at}, at + r->tag->close.n);
        return true;
    }
    if (!ended && at == SIZE_MAX && in.n - r->body_at <= LIMIT_REPLY_HEADER) return false;
    give_back(r, in.n);
    return true;
}

static hearth_status run(reply_reader *r, bool ended, hearth_err *err)
{
    bool more = true;
    while (more && r->failed == HEARTH_OK) {
        switch (r->state) {
        case STATE_CONTENT:
        case STATE_THINK: more = step_text(r, ended); break;
        case STATE_BODY: more = step_body(r, ended); break;
        case STATE_HEADER: more = step_header(r, ended); break;
        }
        if (r->at == r->in.n) more = false;
    }
    if (r->failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, r->failed, "reply: %s", err_status_name(r->failed));
}

// --- open, feed, close --------------------------------------------------------------------------

static void start_state(reply_reader *r)
{
    r->state = STATE_CONTENT;
    for (size_t i = 0; i < reply_n_tags; i++) {
        const reply_tag *tag = &reply_tags[i];
        if (!is_on(r, tag)) continue;
        r->first[(unsigned char)tag->open.p[0]] = true;
        if (tag->role == TAG_HEADER) r->is_harmony = true;
        if (tag->role != TAG_THINK) continue;
        r->first[(unsigned char)tag->close.p[0]] = true;
        if (r->style.starts_thinking && r->state == STATE_CONTENT) enter(r, STATE_THINK, tag);
    }
}

hearth_status reply_open(reply_style s, str tools, reply_reader **out, hearth_err *err)
{
    *out = NULL;
    reply_reader *r = mem_alloc_zero(MEM_MISC, 1, sizeof *r);
    if (!r) return err_fail(err, HEARTH_E_NOMEM, "reply: out of memory");
    r->style = s;
    buf *const bufs[] = {&r->tools, &r->in, &r->recipient, &r->args, &r->text, &r->out, &r->items};
    for (size_t i = 0; i < COUNTOF(bufs); i++) buf_init(bufs[i], MEM_MISC, LIMIT_REPLY_BYTES);
    if (str_trim(tools).n > 0 && json_is_valid(tools)) {
        hearth_status status = buf_append_str(&r->tools, str_trim(tools));
        if (status != HEARTH_OK) {
            reply_free(r);
            return err_fail(err, status, "reply: %s", err_status_name(status));
        }
    }
    start_state(r);
    *out = r;
    return HEARTH_OK;
}

void reply_free(reply_reader *r)
{
    if (!r) return;
    buf *const bufs[] = {&r->tools, &r->in, &r->recipient, &r->args, &r->text, &r->out, &r->items};
    for (size_t i = 0; i < COUNTOF(bufs); i++) buf_release(bufs[i]);
    mem_free(r);
}

// Parts that were read and text that is decided make room.
static void drop_old(reply_reader *r)
{
    item x;
    if (!get_item(r, r->n_read, &x)) {
        r->n_read = 0;
        buf_reset(&r->items);
        buf_reset(&r->out);
    }
    if (r->at == 0) return;
    memmove(r->in.p, r->in.p + r->at, r->in.n - r->at);
    r->in.n -= r->at;
    if (r->state == STATE_BODY || r->state == STATE_HEADER) {
        r->mark_at -= r->at;
        r->body_at -= r->at;
        r->scan -= r->at;
    }
    r->at = 0;
}

hearth_status reply_put(reply_reader *r, str text, hearth_err *err)
{
    drop_old(r);
    hearth_status status = buf_append_str(&r->in, text);
    if (status != HEARTH_OK) fail(r, status);
    return run(r, false, err);
}

hearth_status reply_end(reply_reader *r, hearth_err *err)
{
    drop_old(r);
    return run(r, true, err);
}
