// The protocol's structures: what is written is what is read; cut or changed messages are bad or
// harmless, never more.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "defs/limits.h"
#include "engine/wire.h"

typedef struct everything {
    str source;
    engine_options open;
    llm_ctx_options ctx;
    llm_plan plan;
    engine_info info;
    engine_event event;
    engine_news news;
    engine_chat_options chat;
    engine_chat_result chatted;
    generate_options generate;
    engine_texts texts;
    int status;
    str message;
} everything;

enum { N_KIND = 11 };

static void pass(int kind, wire_io *w, everything *e, arena *a)
{
    switch (kind) {
    case 0: wire_open(w, &e->source, &e->open); break;
    case 1: wire_ctx_options(w, &e->ctx); break;
    case 2: wire_plan(w, &e->plan); break;
    case 3: wire_info(w, &e->info); break;
    case 4: wire_event(w, &e->event); break;
    case 5: wire_generate(w, &e->generate, a); break;
    case 6: wire_news(w, &e->news); break;
    case 7: wire_chat(w, &e->chat); break;
    case 8: wire_chat_result(w, &e->chatted); break;
    case 9: wire_embed(w, &e->texts); break;
    default: wire_fail(w, &e->status, &e->message); break;
    }
}

static const str stops[] = {{"\n\n", 2}, {"User:", 5}};
static const sampler_bias biases[] = {{7, 1.5f}, {8, -INFINITY}, {9, 0}};

static everything make_all(void)
{
    everything e;
    memset(&e, 0, sizeof e);
    e.source = STR("dir/model.gguf");
    engine_options_default(&e.open);
    e.open.memory_limit = UINT64_C(0x123456789abcdef0);
    e.open.n_adapters = 2;
    e.open.adapters[0] = (engine_adapter){STR("a.gguf"), 0.5f};
    e.open.adapters[1] = (engine_adapter){STR("dir"), -2};
    e.open.metadata_only = true;
    llm_ctx_options_default(&e.ctx);
    e.plan = (llm_plan){1, 2, 3, UINT64_MAX, 5};
    memcpy(e.info.path, "dir/model.gguf", 15);
    memcpy(e.info.name, "Modèle", 8);
    memcpy(e.info.cpu, "avx2", 5);
    e.info.n_vocab = 32000;
    e.info.special.eom = 17;
    e.info.special.fim_mid = TOK_NONE;
    e.info.special.add_space_prefix = true;
    e.info.plan = e.plan;
    e.event.gen = (generate_event){.finish = GENERATE_STOP_STRING, .has_token = true, .token = 31,
                                   .text = STR("né"), .logprob = -0.25f, .n_top = 2,
                                   .top = {{31, -0.25f}, {5, (float)NAN}}};
    e.event.stats = (generate_stats){1, 2, 3, 4, 5};
    e.news.event = e.event;
    err_fail(&e.news.failed, HEARTH_E_LIMIT, "no room");
    generate_options_default(&e.generate);
    e.generate.stop = stops;
    e.generate.n_stop = COUNTOF(stops);
    e.generate.sampling.bias = biases;
    e.generate.sampling.n_bias = COUNTOF(biases);
    e.generate.sampling.mirostat_eta = 0.7f;
    e.generate.n_logprobs = 3;
    e.generate.constraint = GRAM_REGEX;
    e.generate.constraint_text = STR("a+");
    e.chat = (engine_chat_options){.messages = {NULL, 7}, .tools = {NULL, 5}, .n_held = 3,
                                   .template_name = STR("rag"), .now = {2026, 7, 26, 9, 5, 3},
                                   .think = ENGINE_THINK_OFF, .no_generation_prompt = true};
    e.chatted = (engine_chat_result){.style = {.tags = 5, .starts_thinking = true}, .note = "so"};
    e.info.n_embd_out = 768;
    e.info.can_rank = true;
    e.texts = (engine_texts){NULL, 12, {LLM_POOL_LAST, 256, true, false}, true};
    e.status = HEARTH_E_FORMAT;
    e.message = STR("model.gguf: bad");
    return e;
}

static void encode(int kind, everything *e, buf *out)
{
    wire_io w = wire_writer(out);
    buf_reset(out);
    pass(kind, &w, e, NULL);
    assert_false(w.bad);
}

static void check_same(const everything *a, const everything *b)
{
    assert_int_equal(str_cmp(a->source, b->source), 0);
    assert_int_equal(a->open.memory_limit, b->open.memory_limit);
    assert_int_equal(a->open.n_adapters, b->open.n_adapters);
    for (int i = 0; i < a->open.n_adapters; i++) {
        assert_true(str_eq(a->open.adapters[i].path, b->open.adapters[i].path));
        assert_true(memcmp(&a->open.adapters[i].scale, &b->open.adapters[i].scale, 4) == 0);
    }
    assert_int_equal(a->open.metadata_only, b->open.metadata_only);
    assert_int_equal(a->ctx.n_batch, b->ctx.n_batch);
    assert_int_equal(a->ctx.type_v, b->ctx.type_v);
    assert_memory_equal(&a->plan, &b->plan, sizeof a->plan);
    assert_string_equal(a->info.name, b->info.name);
    assert_string_equal(a->info.cpu, b->info.cpu);
    assert_int_equal(a->info.special.eom, b->info.special.eom);
    assert_int_equal(a->info.special.fim_mid, b->info.special.fim_mid);
    assert_int_equal(a->event.gen.finish, b->event.gen.finish);
    assert_int_equal(a->event.gen.top[1].id, b->event.gen.top[1].id);
    assert_true(isnan(b->event.gen.top[1].logprob));
    assert_int_equal(str_cmp(a->event.gen.text, b->event.gen.text), 0);
    assert_memory_equal(&a->event.stats, &b->event.stats, sizeof a->event.stats);
    assert_int_equal(b->news.failed.status, HEARTH_E_LIMIT);
    assert_string_equal(b->news.failed.msg, "no room");
    assert_int_equal(b->news.event.gen.token, a->event.gen.token);
    assert_int_equal(b->chat.messages.n, 7);
    assert_int_equal(b->chat.tools.n, 5);
    assert_int_equal(b->chat.template_text.n, 0);
    assert_int_equal(b->chat.n_held, 3);
    assert_true(str_eq_z(b->chat.template_name, "rag") && b->chat.no_generation_prompt);
    assert_memory_equal(&a->chat.now, &b->chat.now, sizeof a->chat.now);
    assert_int_equal(b->chat.think, ENGINE_THINK_OFF);
    assert_true(b->chatted.style.tags == 5 && b->chatted.style.starts_thinking);
    assert_string_equal(b->chatted.note, "so");
    assert_int_equal(a->info.n_embd_out, b->info.n_embd_out);
    assert_int_equal(a->info.can_rank, b->info.can_rank);
    assert_int_equal(a->texts.n, b->texts.n);
    assert_int_equal(a->texts.o.pooling, b->texts.o.pooling);
    assert_int_equal(a->texts.o.dimensions, b->texts.o.dimensions);
    assert_true(b->texts.o.raw && !b->texts.o.truncate && b->texts.ranks);
    assert_int_equal(a->status, b->status);
    assert_int_equal(str_cmp(a->message, b->message), 0);
}

static void check_same_generate(const generate_options *a, const generate_options *b)
{
    assert_int_equal(a->n_stop, b->n_stop);
    for (size_t i = 0; i < a->n_stop; i++) assert_int_equal(str_cmp(a->stop[i], b->stop[i]), 0);
    assert_int_equal(a->n_dry_breakers, b->n_dry_breakers);
    for (size_t i = 0; i < a->n_dry_breakers; i++)
        assert_int_equal(str_cmp(a->dry_breakers[i], b->dry_breakers[i]), 0);
    assert_int_equal(a->constraint, b->constraint);
    assert_int_equal(str_cmp(a->constraint_text, b->constraint_text), 0);
    sampler_params p = a->sampling, q = b->sampling;
    assert_int_equal(p.n_bias, q.n_bias);
    assert_memory_equal(p.bias, q.bias, p.n_bias * sizeof *p.bias);
    p.bias = q.bias = NULL;
    assert_memory_equal(&p, &q, sizeof p);
}

static void test_round_trip(void **state)
{
    (void)state;
    everything sent = make_all(), got = make_all();
    arena a;
    buf b[N_KIND];
    arena_init(&a, MEM_TEST, 1 << 20);
    memset(&got.plan, 0, sizeof got.plan);
    memset(&got.info, 0, sizeof got.info);
    memset(&got.event, 0, sizeof got.event);
    memset(&got.ctx, 0, sizeof got.ctx);
    got.generate.sampling.mirostat_eta = 0;
    got.generate.constraint = GRAM_NONE;
    got.generate.constraint_text = STR("");
    got.status = 0;
    got.texts = (engine_texts){.n = 1};
    got.source = got.message = STR("");
    for (int kind = 0; kind < N_KIND; kind++) {
        buf_init(&b[kind], MEM_TEST, 1 << 20);
        encode(kind, &sent, &b[kind]);
        wire_io r = wire_reader(b[kind].p, b[kind].n);
        pass(kind, &r, &got, &a);
        assert_true(wire_read_all(&r));
    }
    check_same(&sent, &got);
    check_same_generate(&sent.generate, &got.generate);
    for (int kind = 0; kind < N_KIND; kind++) buf_release(&b[kind]);
    arena_release(&a);
}

// Every shorter message is bad; so is a longer one.
static void test_cut(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, MEM_TEST, 1 << 20);
    for (int kind = 0; kind < N_KIND; kind++) {
        everything e = make_all();
        encode(kind, &e, &b);
        assert_int_equal(buf_append_char(&b, 0), HEARTH_OK);
        for (size_t n = 0; n <= b.n; n++) {
            arena a;
            arena_init(&a, MEM_TEST, 1 << 20);
            char *copy = malloc(n + 1); // its own block, so that ASan sees a read behind it
            memcpy(copy, b.p, n);
            wire_io r = wire_reader(copy, n);
            everything got = make_all();
            pass(kind, &r, &got, &a);
            assert_int_equal(wire_read_all(&r), n == b.n - 1);
            free(copy);
            arena_release(&a);
        }
    }
    buf_release(&b);
}

// What the rest of the parent relies on, whatever the child wrote.
static void check_bounds(const everything *e)
{
    assert_in_range(e->event.gen.finish, GENERATE_RUNNING, GENERATE_CANCELED);
    assert_in_range(e->event.gen.n_top, 0, GENERATE_TOP_MAX);
    assert_true(e->info.n_vocab >= 0 && e->info.n_vocab <= LIMIT_VOCAB);
    assert_true(memchr(e->info.name, 0, sizeof e->info.name) != NULL);
    assert_true(memchr(e->info.path, 0, sizeof e->info.path) != NULL);
    assert_true(e->status <= 0 && e->status >= HEARTH_E_CRASHED);
    assert_true(e->message.n < ERR_MSG_CAP);
    assert_true(e->generate.sampling.n_order <= SAMPLER_STAGE_COUNT);
    for (int i = 0; i < e->generate.sampling.n_order; i++)
        assert_in_range(e->generate.sampling.order[i], 0, SAMPLER_STAGE_COUNT - 1);
    assert_true(dtype_known((uint32_t)e->open.type_k));
}

static void test_changed(void **state)
{
    (void)state;
    rng r;
    buf b;
    rng_seed(&r, 5);
    buf_init(&b, MEM_TEST, 1 << 20);
    for (int round = 0; round < 20000; round++) {
        int kind = round % N_KIND;
        everything e = make_all();
        arena a;
        arena_init(&a, MEM_TEST, 1 << 20);
        encode(kind, &e, &b);
        for (int k = 0; k < 3; k++) {
            static const uint8_t values[] = {0, 1, 0x7F, 0x80, 0xFF};
            b.p[rng_below(&r, (uint32_t)b.n)] = (char)values[rng_below(&r, 5)];
        }
        wire_io in = wire_reader(b.p, b.n);
        pass(kind, &in, &e, &a);
        check_bounds(&e);
        arena_release(&a);
    }
    buf_release(&b);
}

static void test_header(void **state)
{
    (void)state;
    wire_header h;
    uint8_t good[WIRE_HEADER] = {1, 0, 0, 1, WIRE_EVENT, 0, 0, 0, 9, 0, 0, 0};
    good[3] = 0;
    assert_true(wire_read_header(good, &h));
    assert_int_equal(h.n, 1);
    assert_int_equal(h.type, WIRE_EVENT);
    assert_int_equal(h.session, 9);
    const struct { int at; uint8_t value; } bad[] = {
        {3, 2}, {4, 0}, {4, WIRE_TYPE_END}, {5, 1}, {6, 1}, {7, 0x80},
    };
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        uint8_t p[WIRE_HEADER];
        memcpy(p, good, sizeof p);
        p[bad[i].at] = bad[i].value;
        assert_false(wire_read_header(p, &h));
    }
    int32_t ids[] = {0, -1, INT32_MIN, 0x12345678}, back[4];
    uint8_t bytes[16];
    wire_ids_out(ids, 4, bytes);
    assert_int_equal(bytes[12], 0x78);
    wire_ids_in(bytes, 4, back);
    assert_memory_equal(ids, back, sizeof ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_changed), cmocka_unit_test(test_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
