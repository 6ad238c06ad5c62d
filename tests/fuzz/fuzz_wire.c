// Arbitrary bytes as every message of the engine protocol, in both directions.
//
//   byte 0   what is decoded: a structure, or a whole stream of headers and payloads
//   rest     the bytes
#include <string.h>

#include "defs/limits.h"
#include "engine/engine_int.h"
#include "engine/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

// Whatever was accepted must be safe to use: the same structure can be written again.
static void write_again(void (*pass)(wire_io *, void *, arena *), void *value)
{
    buf b;
    buf_init(&b, MEM_TEST, LIMIT_WIRE_MESSAGE);
    wire_io w = wire_writer(&b);
    pass(&w, value, NULL);
    buf_release(&b);
}

typedef struct opening { str source; engine_options o; } opening;
typedef struct failing { int status; str message; } failing;

static void pass_open(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_open(w, &((opening *)v)->source, &((opening *)v)->o);
}

static void pass_ctx(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_ctx_options(w, v);
}

static void pass_plan(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_plan(w, v);
}

static void pass_info(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_info(w, v);
}

static void pass_event(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_event(w, v);
}

static void pass_generate(wire_io *w, void *v, arena *a)
{
    wire_generate(w, v, a);
}

static void pass_fail(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_fail(w, &((failing *)v)->status, &((failing *)v)->message);
}

static void pass_news(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_news(w, v);
}

static void pass_chat(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_chat(w, v);
}

static void pass_chat_result(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_chat_result(w, v);
}

static void pass_embed(wire_io *w, void *v, arena *a)
{
    (void)a;
    wire_embed(w, v);
}

typedef union any_value {
    engine_texts embed;
    opening open;
    llm_ctx_options ctx;
    llm_plan plan;
    engine_info info;
    engine_event event;
    generate_options generate;
    failing fail;
    engine_news news;
    engine_chat_options chat;
    engine_chat_result chatted;
} any_value;

static void decode(int kind, const uint8_t *p, size_t n)
{
    static void (*const passes[])(wire_io *, void *, arena *) = {
        pass_open, pass_ctx, pass_plan, pass_info, pass_event, pass_generate, pass_fail,
        pass_news, pass_chat, pass_chat_result, pass_embed,
    };
    arena a;
    any_value v;
    memset(&v, 0, sizeof v);
    kind %= (int)COUNTOF(passes);
    arena_init(&a, MEM_TEST, (size_t)LIMIT_WIRE_MESSAGE * 4);
    wire_io r = wire_reader(p, n);
    passes[kind](&r, &v, &a);
    if (wire_read_all(&r)) write_again(passes[kind], &v);
    arena_release(&a);
}

// A stream as wire_receive() would cut it.
static void decode_stream(const uint8_t *p, size_t n)
{
    static const uint8_t kinds[WIRE_TYPE_END] = {
        [WIRE_OPEN] = 0, [WIRE_PLAN] = 1, [WIRE_PLANNED] = 2, [WIRE_INFO] = 3, [WIRE_EVENT] = 4,
        [WIRE_START] = 5, [WIRE_FAIL] = 6, [WIRE_NEWS] = 7,
        [WIRE_CHAT] = 8, [WIRE_CHATTED] = 9, [WIRE_EMBED] = 10,
    };
    wire_header h;
    while (n >= WIRE_HEADER && wire_read_header(p, &h)) {
        p += WIRE_HEADER;
        n -= WIRE_HEADER;
        if (h.n > n) return;
        decode(kinds[h.type], p, h.n);
        p += h.n;
        n -= h.n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1) return 0;
    if (data[0] == 255) decode_stream(data + 1, n - 1);
    else decode(data[0], data + 1, n - 1);
    return 0;
}
