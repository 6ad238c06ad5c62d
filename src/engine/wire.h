// The engine protocol: what the parent and its engine process say to each other.
//
// One stream, little endian, a request at a time and then its reply; only CANCEL may come in
// between.
//
//   message   u32 payload bytes, at most LIMIT_WIRE_MESSAGE | u16 type | u16 0 | u32 session
//             | payload
//
//   parent -> child   payload                                          reply
//   OPEN              u32 protocol, str source, options                INFO
//   DESCRIBE          -                                                DATA.. OK     JSON
//   PLAN              context options                                  PLANNED
//   TOKENIZE          u8 special, u8 parse; DATA before: text          DATA.. OK     ids
//   DETOKENIZE        u8 special; DATA before: ids                     DATA.. OK     text
//   CHAT              lengths, options; DATA before: held ids,         DATA.. CHATTED
//                     messages, tools, variables, template             ids; style, note
//   SESSION_OPEN      -                                                OK   session in header
//   SESSION_CLOSE     -                                                OK
//   EXPORT_SIZE       -                                                SIZE
//   EXPORT            u64 bytes, then the shared memory                OK            filled
//   IMPORT            u64 bytes, then the shared memory                OK
//   START             generate options; DATA before: prompt ids        OK
//   NEXT              -                                                EVENT
//   STEP              -                                                NEWS.. OK     session in
//                                                                                    header of each
//   LOGITS            u64 bytes, u32 batch, then the shared memory;    OK            filled
//                     DATA before: ids
//   EMBED             u64 bytes, u32 texts, options, then the shared   SIZE          tokens read,
//                     memory; DATA before: texts                                     filled
//   CANCEL            -                                                none
//
//   both ways
//   DATA              bytes that belong to the next message that is not DATA or CANCEL
//   child -> parent, instead of any reply
//   FAIL              i32 status, str message
//
// Neither side trusts the other: every length, count, enum and bool is checked, strings are bytes
// and not text, floats may be anything. A field that does not fit makes the whole message bad.
#ifndef HEARTH_ENGINE_WIRE_H
#define HEARTH_ENGINE_WIRE_H

#include "base/arena.h"
#include "engine/engine_int.h"
#include "os/os.h"

enum { WIRE_PROTOCOL = 1, WIRE_HEADER = 12, WIRE_DATA_BYTES = 1 << 20 };

typedef enum wire_type {
    WIRE_OPEN = 1, WIRE_DESCRIBE, WIRE_PLAN, WIRE_TOKENIZE, WIRE_DETOKENIZE, WIRE_CHAT,
    WIRE_SESSION_OPEN, WIRE_SESSION_CLOSE, WIRE_EXPORT_SIZE, WIRE_EXPORT, WIRE_IMPORT, WIRE_START,
    WIRE_NEXT, WIRE_STEP, WIRE_LOGITS, WIRE_EMBED, WIRE_CANCEL, // requests end here
    WIRE_DATA, WIRE_OK, WIRE_FAIL, WIRE_INFO, WIRE_PLANNED, WIRE_SIZE, WIRE_EVENT, WIRE_NEWS,
    WIRE_CHATTED, WIRE_TYPE_END
} wire_type;
// Does shared memory follow the message?
bool wire_has_shared(wire_type t);
const char *wire_type_name(wire_type t); // "NEXT"; never NULL

// --- fields -------------------------------------------------------------------------------------
// One function per structure, for both directions, so that they cannot drift apart. Writing when
// `out` is set: fields are appended to it. Reading otherwise: fields are taken from p, and after
// the first one that does not fit all others come out as zero and `bad` stays set. Strings that
// were read are borrowed from p.
typedef struct wire_io {
    buf *out;
    const uint8_t *p;
    size_t n, at;
    bool bad;
} wire_io;
wire_io wire_writer(buf *out);
wire_io wire_reader(const void *p, size_t n);
bool wire_read_all(const wire_io *w); // reading: nothing bad and nothing left over

void wire_u8(wire_io *w, uint8_t *x);
void wire_u32(wire_io *w, uint32_t *x);
void wire_u64(wire_io *w, uint64_t *x);
void wire_i64(wire_io *w, int64_t *x, int64_t low, int64_t high);
void wire_int(wire_io *w, int *x, int low, int high);
void wire_f32(wire_io *w, float *x);
void wire_bool(wire_io *w, bool *x);
void wire_str(wire_io *w, str *x, size_t most);

void wire_open(wire_io *w, str *source, engine_options *o);
void wire_ctx_options(wire_io *w, llm_ctx_options *o);
void wire_plan(wire_io *w, llm_plan *p);
void wire_info(wire_io *w, engine_info *info);
void wire_event(wire_io *w, engine_event *e);
// All but the session, which is in the header.
void wire_news(wire_io *w, engine_news *news);
// Lengths instead of the texts and ids: those are in DATA.
void wire_chat(wire_io *w, engine_chat_options *o);
// All but the ids, which are in DATA.
void wire_chat_result(wire_io *w, engine_chat_result *r);
// Reading allocates the arrays from `a`; NULL when writing.
void wire_generate(wire_io *w, generate_options *o, arena *a);
void wire_embed(wire_io *w, engine_texts *t); // all but the texts themselves
void wire_fail(wire_io *w, int *status, str *message);

// Ids in DATA are i32. `p` has 4 n bytes.
void wire_ids_out(const int32_t *ids, size_t n, uint8_t *p);
void wire_ids_in(const uint8_t *p, size_t n, int32_t *ids);

// --- messages -----------------------------------------------------------------------------------
typedef struct wire_header { wire_type type; uint32_t n, session; } wire_header;
bool wire_read_header(const uint8_t p[WIRE_HEADER], wire_header *out); // false: not one of ours

// Empties b and leaves room for the header; fields follow through wire_writer(b).
void wire_begin(buf *b);
// Writes the header into b and the whole to the channel. HEARTH_E_LIMIT: too long.
hearth_status wire_send(os_channel *c, buf *b, wire_type type, uint32_t session, hearth_err *err);
// Any number of bytes as DATA messages; b is scratch.
hearth_status wire_send_bulk(os_channel *c, buf *b, const void *p, size_t n, hearth_err *err);
// *end: the other side has closed. The payload replaces what `payload` held.
hearth_status wire_receive(os_channel *c, wire_header *h, buf *payload, bool *end, hearth_err *err);

#endif
