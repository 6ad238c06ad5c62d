// See wire.h: fields, headers and the way through the channel. The structures are in
// wire_structs.c.
#include "engine/wire.h"

#include <string.h>

#include "defs/limits.h"

static const char *const type_names[WIRE_TYPE_END] = {
    [WIRE_OPEN] = "OPEN", [WIRE_DESCRIBE] = "DESCRIBE", [WIRE_PLAN] = "PLAN",
    [WIRE_TOKENIZE] = "TOKENIZE", [WIRE_DETOKENIZE] = "DETOKENIZE",
    [WIRE_CHAT] = "CHAT", [WIRE_CHATTED] = "CHATTED",
    [WIRE_SESSION_OPEN] = "SESSION_OPEN", [WIRE_SESSION_CLOSE] = "SESSION_CLOSE",
    [WIRE_EXPORT_SIZE] = "EXPORT_SIZE", [WIRE_EXPORT] = "EXPORT", [WIRE_IMPORT] = "IMPORT",
    [WIRE_START] = "START", [WIRE_NEXT] = "NEXT", [WIRE_STEP] = "STEP",
    [WIRE_LOGITS] = "LOGITS", [WIRE_EMBED] = "EMBED", [WIRE_CANCEL] = "CANCEL",
    [WIRE_DATA] = "DATA",
    [WIRE_OK] = "OK", [WIRE_FAIL] = "FAIL", [WIRE_INFO] = "INFO",
    [WIRE_PLANNED] = "PLANNED", [WIRE_SIZE] = "SIZE", [WIRE_EVENT] = "EVENT",
    [WIRE_NEWS] = "NEWS",
};

const char *wire_type_name(wire_type t)
{
    return (unsigned)t < WIRE_TYPE_END && type_names[t] ? type_names[t] : "unknown";
}

bool wire_has_shared(wire_type t)
{
    return t == WIRE_EXPORT || t == WIRE_IMPORT || t == WIRE_LOGITS || t == WIRE_EMBED;
}

// --- fields -------------------------------------------------------------------------------------

wire_io wire_writer(buf *out)
{
    return (wire_io){.out = out};
}

wire_io wire_reader(const void *p, size_t n)
{
    return (wire_io){.p = p, .n = n};
}

bool wire_read_all(const wire_io *w)
{
    return !w->bad && w->at == w->n;
}

static void write_le(uint8_t *p, size_t n, uint64_t v)
{
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t read_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

// An unsigned number of n bytes.
static uint64_t pass_number(wire_io *w, size_t n, uint64_t v)
{
    uint8_t bytes[8];
    if (w->out) {
        write_le(bytes, n, v);
        w->bad |= buf_append(w->out, bytes, n) != HEARTH_OK;
        return v;
    }
    if (w->bad || w->n - w->at < n) {
        w->bad = true;
        return 0;
    }
    w->at += n;
    return read_le(w->p + w->at - n, n);
}

void wire_u8(wire_io *w, uint8_t *x)
{
    *x = (uint8_t)pass_number(w, 1, *x);
}

void wire_u32(wire_io *w, uint32_t *x)
{
    *x = (uint32_t)pass_number(w, 4, *x);
}

void wire_u64(wire_io *w, uint64_t *x)
{
    *x = pass_number(w, 8, *x);
}

// Out of range when reading is bad and gives zero.
void wire_i64(wire_io *w, int64_t *x, int64_t low, int64_t high)
{
    *x = (int64_t)pass_number(w, 8, (uint64_t)*x);
    if (w->out || (*x >= low && *x <= high)) return;
    w->bad = true;
    *x = 0;
}

void wire_int(wire_io *w, int *x, int low, int high)
{
    *x = (int32_t)(uint32_t)pass_number(w, 4, (uint32_t)*x);
    if (w->out || (*x >= low && *x <= high)) return;
    w->bad = true;
    *x = 0;
}

void wire_f32(wire_io *w, float *x)
{
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    wire_u32(w, &bits);
    memcpy(x, &bits, sizeof bits);
}

void wire_bool(wire_io *w, bool *x)
{
    uint8_t byte = *x;
    wire_u8(w, &byte);
    w->bad |= byte > 1;
    *x = byte == 1;
}

void wire_str(wire_io *w, str *x, size_t most)
{
    uint32_t n = (uint32_t)x->n;
    ASSERT(!w->out || x->n <= most);
    wire_u32(w, &n);
    if (w->out) {
        w->bad |= buf_append(w->out, x->p, n) != HEARTH_OK;
        return;
    }
    w->bad |= n > most || n > w->n - w->at;
    *x = w->bad ? (str){"", 0} : (str){(const char *)w->p + w->at, n};
    w->at += x->n;
}

void wire_ids_out(const int32_t *ids, size_t n, uint8_t *p)
{
    for (size_t i = 0; i < n; i++) write_le(p + 4 * i, 4, (uint32_t)ids[i]);
}

void wire_ids_in(const uint8_t *p, size_t n, int32_t *ids)
{
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)(uint32_t)read_le(p + 4 * i, 4);
}

// --- messages -----------------------------------------------------------------------------------

bool wire_read_header(const uint8_t p[WIRE_HEADER], wire_header *out)
{
    uint64_t n = read_le(p, 4), type = read_le(p + 4, 2), zero = read_le(p + 6, 2);
    if (n > LIMIT_WIRE_MESSAGE || type < WIRE_OPEN || type >= WIRE_TYPE_END) return false;
    if (zero != 0) return false;
    *out = (wire_header){(wire_type)type, (uint32_t)n, (uint32_t)read_le(p + 8, 4)};
    return true;
}

static void write_header(uint8_t *p, size_t n, wire_type type, uint32_t session)
{
    write_le(p, 4, n);
    write_le(p + 4, 2, (uint64_t)type);
    write_le(p + 6, 2, 0);
    write_le(p + 8, 4, session);
}

void wire_begin(buf *b)
{
    static const uint8_t empty[WIRE_HEADER];
    buf_reset(b);
    buf_append(b, empty, sizeof empty); // a failure stays in b and is seen by wire_send()
}

hearth_status wire_send(os_channel *c, buf *b, wire_type type, uint32_t session, hearth_err *err)
{
    if (b->failed != HEARTH_OK)
        return err_fail(err, b->failed, "message %s: %s", wire_type_name(type),
                        err_status_name(b->failed));
    size_t n = b->n - WIRE_HEADER;
    if (n > LIMIT_WIRE_MESSAGE)
        return err_fail(err, HEARTH_E_LIMIT, "message %s of %zu bytes, at most %u",
                        wire_type_name(type), n, LIMIT_WIRE_MESSAGE);
    write_header((uint8_t *)b->p, n, type, session);
    return os_channel_write(c, b->p, b->n, err);
}

hearth_status wire_send_bulk(os_channel *c, buf *b, const void *p, size_t n, hearth_err *err)
{
    for (size_t at = 0; at < n;) {
        size_t part = size_min(n - at, WIRE_DATA_BYTES);
        wire_begin(b);
        buf_append(b, (const uint8_t *)p + at, part);
        HEARTH_TRY(wire_send(c, b, WIRE_DATA, 0, err));
        at += part;
    }
    return HEARTH_OK;
}

hearth_status wire_receive(os_channel *c, wire_header *h, buf *payload, bool *end, hearth_err *err)
{
    uint8_t head[WIRE_HEADER];
    bool cut = false;
    HEARTH_TRY(os_channel_read(c, head, sizeof head, end, err));
    if (*end) return HEARTH_OK;
    if (!wire_read_header(head, h))
        return err_fail(err, HEARTH_E_NET, "a message with a bad header");
    buf_reset(payload);
    if (h->n == 0) return HEARTH_OK;
    hearth_status status = buf_reserve(payload, h->n);
    if (status != HEARTH_OK) return err_fail(err, status, "message %s: out of memory",
                                             wire_type_name(h->type));
    HEARTH_TRY(os_channel_read(c, payload->p, h->n, &cut, err));
    if (cut) return err_fail(err, HEARTH_E_NET, "message %s: cut off", wire_type_name(h->type));
    payload->n = h->n;
    return HEARTH_OK;
}
