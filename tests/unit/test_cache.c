// The paged cache: counts of pages under forks, rewinds and failing steps, and damaged blobs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "llm/ctx_int.h"
#include "support/llm_fixture.h"
#include "support/model_file.h"

static buf file;

static int make_file(void **state)
{
    (void)state;
    test_model_spec spec = test_model_default(TEST_QWEN2, DTYPE_F16);
    buf_init(&file, MEM_TEST, 1u << 28);
    return test_model_make(&spec, &file) ? 0 : -1;
}

static int free_file(void **state)
{
    (void)state;
    buf_release(&file);
    return 0;
}

static void open_with(fixture *f, int64_t n_ctx, int n_seq)
{
    fixture_options o = fixture_default();
    o.ctx.n_ctx = n_ctx;
    o.ctx.n_seq = n_seq;
    assert_int_equal(fixture_open(f, file.p, file.n, &o, NULL), HEARTH_OK);
}

// Appends n rows to a sequence; the tokens follow from the position.
static hearth_status extend(fixture *f, llm_seq s, int n, hearth_err *err)
{
    llm_row rows[256];
    int from = (int)llm_seq_length(f->c, s);
    assert_in_range(n, 1, 256);
    for (int i = 0; i < n; i++)
        rows[i] = (llm_row){.seq = s, .pos = from + i, .token = (from + i) % 250};
    return llm_step(f->c, rows, n, err);
}

// Every page is free, or counted exactly as often as tables hold it.
static void check_group(const llm_cache *c, const page_group *g)
{
    uint32_t seen[64] = {0};
    assert_in_range(g->s.n_pages, 1, 64);
    for (llm_seq s = 0; s < c->s.n_seq; s++)
        for (int64_t i = g->first[s]; i < pages_for(i64_max(c->length[s], 0)); i++)
            seen[pages_of(g, s)[i]]++;
    int64_t n_free = 0;
    for (int64_t p = 0; p < g->s.n_pages; p++) {
        assert_int_equal(g->refs[p], seen[p]);
        n_free += !seen[p];
    }
    assert_int_equal(g->n_free, n_free);
    assert_int_equal(g->n_undo, 0);
}

static void check_counts(const fixture *f)
{
    const llm_cache *c = &f->c->cache;
    for (int g = 0; g < c->s.n_group; g++) check_group(c, &c->group[g]);
}

static void test_sequences_are_limited(void **state)
{
    (void)state;
    fixture f;
    llm_seq a, b, c;
    hearth_err err = ERR_INIT;
    open_with(&f, 64, 2);
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_new(f.c, &b, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_new(f.c, &c, &err), HEARTH_E_LIMIT);
    llm_seq_free(f.c, a);
    assert_int_equal(llm_seq_new(f.c, &c, NULL), HEARTH_OK);
    llm_seq_free(f.c, 17); // unknown ones are ignored
    assert_int_equal(llm_seq_length(f.c, 17), 0);
    assert_int_equal(llm_seq_rewind(f.c, 17, 0, NULL), HEARTH_E_ARG);
    assert_int_equal(llm_seq_fork(f.c, b, 1, &c, NULL), HEARTH_E_ARG); // longer than it is
    fixture_close(&f);
}

static void test_full_cache_changes_nothing(void **state)
{
    (void)state;
    fixture f;
    llm_seq a, b;
    hearth_err err = ERR_INIT;
    open_with(&f, 3 * LLM_PAGE, 2);
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_new(f.c, &b, NULL), HEARTH_OK);
    assert_int_equal(extend(&f, a, 100, NULL), HEARTH_OK);
    assert_int_equal(extend(&f, b, 65, &err), HEARTH_E_LIMIT);
    assert_non_null(strstr(err.msg, "192")); // names the context
    assert_int_equal(llm_seq_length(f.c, b), 0);
    check_counts(&f);
    assert_int_equal(extend(&f, b, 64, NULL), HEARTH_OK);
    assert_int_equal(extend(&f, a, 28, NULL), HEARTH_OK);
    err_clear(&err);
    assert_int_equal(extend(&f, a, 1, &err), HEARTH_E_LIMIT);
    check_counts(&f);
    fixture_close(&f);
}

static void test_copy_on_write(void **state)
{
    (void)state;
    fixture f;
    llm_seq a, b, c;
    open_with(&f, 8 * LLM_PAGE, 3);
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    assert_int_equal(extend(&f, a, 100, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_fork(f.c, a, 100, &b, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_fork(f.c, a, 64, &c, NULL), HEARTH_OK);
    assert_int_equal(f.c->cache.group[0].n_free, 6); // nothing was copied
    check_counts(&f);
    assert_int_equal(extend(&f, b, 1, NULL), HEARTH_OK); // shares page 1: copied
    assert_int_equal(f.c->cache.group[0].n_free, 5);
    assert_int_equal(extend(&f, a, 1, NULL), HEARTH_OK); // is alone in page 1 again
    assert_int_equal(f.c->cache.group[0].n_free, 5);
    assert_int_equal(extend(&f, c, 1, NULL), HEARTH_OK); // begins a page
    assert_int_equal(f.c->cache.group[0].n_free, 4);
    check_counts(&f);
    llm_seq_free(f.c, a);
    check_counts(&f);
    assert_int_equal(llm_seq_rewind(f.c, b, 3, NULL), HEARTH_OK);
    check_counts(&f);
    llm_seq_free(f.c, b);
    llm_seq_free(f.c, c);
    assert_int_equal(f.c->cache.group[0].n_free, 8);
    fixture_close(&f);
}

static size_t export_seq(fixture *f, llm_seq s, unsigned char **out)
{
    size_t n = llm_seq_export_bytes(f->c, s);
    *out = malloc(n);
    assert_non_null(*out);
    assert_int_equal(llm_seq_export(f->c, s, *out, n, NULL), HEARTH_OK);
    return n;
}

static void expect_unchanged(fixture *f, llm_seq s, const unsigned char *before, size_t n)
{
    unsigned char *after;
    assert_int_equal(export_seq(f, s, &after), n);
    assert_memory_equal(before, after, n);
    free(after);
}

// Two sharers of a page write into it in one step that then fails: both must find their own bytes.
static void test_rollback_of_shared_pages(void **state)
{
    (void)state;
    fixture f;
    llm_seq a, b;
    unsigned char *a_bytes, *b_bytes;
    open_with(&f, 4 * LLM_PAGE, 2);
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    assert_int_equal(extend(&f, a, 80, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_fork(f.c, a, 70, &b, NULL), HEARTH_OK);
    size_t a_n = export_seq(&f, a, &a_bytes), b_n = export_seq(&f, b, &b_bytes);
    llm_row rows[] = {{.seq = a, .pos = 80, .token = 1}, {.seq = b, .pos = 70, .token = 2},
                      {.seq = b, .pos = 71, .token = 3}, {.seq = a, .pos = 99, .token = 4}};
    assert_int_equal(llm_step(f.c, rows, 4, NULL), HEARTH_E_ARG); // the last row's position
    check_counts(&f);
    llm_cancel(f.c);
    assert_int_equal(llm_step(f.c, rows, 3, NULL), HEARTH_E_CANCELED);
    llm_cancel_clear(f.c);
    check_counts(&f);
    expect_unchanged(&f, a, a_bytes, a_n);
    expect_unchanged(&f, b, b_bytes, b_n);
    assert_int_equal(llm_step(f.c, rows, 3, NULL), HEARTH_OK);
    check_counts(&f);
    assert_int_equal(llm_seq_rewind(f.c, a, 80, NULL), HEARTH_OK);
    assert_int_equal(llm_seq_rewind(f.c, b, 70, NULL), HEARTH_OK);
    expect_unchanged(&f, a, a_bytes, a_n);
    expect_unchanged(&f, b, b_bytes, b_n);
    free(a_bytes);
    free(b_bytes);
    fixture_close(&f);
}

static void expect_import(fixture *f, const void *p, size_t n, hearth_status expected)
{
    llm_seq s;
    hearth_err err = ERR_INIT;
    assert_int_equal(llm_seq_import(f->c, p, n, &s, &err), expected);
    assert_int_equal(s, -1);
    assert_true(err.msg[0]);
    check_counts(f);
}

static void test_damaged_blobs(void **state)
{
    (void)state;
    fixture f;
    llm_seq a;
    unsigned char *blob;
    open_with(&f, 4 * LLM_PAGE, 2);
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    assert_int_equal(extend(&f, a, 70, NULL), HEARTH_OK);
    size_t n = export_seq(&f, a, &blob);
    for (size_t i = 0; i < n; i += i < 64 ? 1 : 97) { // all of the header, some of the payload
        llm_seq s = -1;
        blob[i] ^= 0xFF;
        assert_int_not_equal(llm_seq_import(f.c, blob, n, &s, NULL), HEARTH_OK);
        blob[i] ^= 0xFF;
    }
    for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 97) {
        llm_seq s = -1;
        assert_int_not_equal(llm_seq_import(f.c, blob, cut, &s, NULL), HEARTH_OK);
    }
    check_counts(&f);
    blob[24] = 0xFF; // more positions than the context has
    blob[30] = 0xFF;
    expect_import(&f, blob, n, HEARTH_E_LIMIT);
    free(blob);
    fixture_close(&f);
}

static void test_foreign_blobs(void **state)
{
    (void)state;
    fixture f, g, h;
    llm_seq a;
    unsigned char *blob;
    open_with(&f, 4 * LLM_PAGE, 1);
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    assert_int_equal(extend(&f, a, 70, NULL), HEARTH_OK);
    size_t n = export_seq(&f, a, &blob);

    fixture_options o = fixture_default();
    o.ctx.type_k = o.ctx.type_v = DTYPE_F16;
    assert_int_equal(fixture_open(&g, file.p, file.n, &o, NULL), HEARTH_OK);
    expect_import(&g, blob, n, HEARTH_E_VERIFY);
    fixture_close(&g);

    test_model_spec spec = test_model_default(TEST_QWEN2, DTYPE_F16);
    spec.rope_base *= 2;
    buf other;
    buf_init(&other, MEM_TEST, 1u << 28);
    assert_true(test_model_make(&spec, &other));
    o = fixture_default();
    assert_int_equal(fixture_open(&h, other.p, other.n, &o, NULL), HEARTH_OK);
    expect_import(&h, blob, n, HEARTH_E_VERIFY);
    fixture_close(&h);
    buf_release(&other);

    expect_import(&f, blob, n, HEARTH_E_LIMIT); // the one sequence is in use
    free(blob);
    fixture_close(&f);
}

// A model of the given architecture whose local layers see 24 positions.
static void open_windowed(fixture *f, test_arch arch, int64_t n_ctx, int n_seq)
{
    test_model_spec spec = test_model_default(arch, DTYPE_F16);
    fixture_options o = fixture_default();
    buf local;
    buf_init(&local, MEM_TEST, 1u << 28);
    assert_true(test_model_make(&spec, &local));
    o.ctx.n_ctx = n_ctx;
    o.ctx.n_seq = n_seq;
    o.ctx.n_batch = LLM_PAGE;
    assert_int_equal(fixture_open(f, local.p, local.n, &o, NULL), HEARTH_OK);
    buf_release(&local);
}

static const page_group *local_group(const fixture *f)
{
    const llm_cache *c = &f->c->cache;
    for (int g = 0; g < c->s.n_group; g++)
        if (c->group[g].s.window == 24) return &c->group[g];
    fail();
    return NULL;
}

static void test_window_holds_little(void **state)
{
    (void)state;
    fixture f;
    llm_seq a, b;
    hearth_err err = ERR_INIT;
    open_windowed(&f, TEST_GEMMA2, 16 * LLM_PAGE, 1);
    const page_group *g = local_group(&f);
    assert_int_equal(f.c->cache.s.n_group, 2);
    assert_int_equal(g->s.n_pages, 5); // (24 + 64) and 64 positions, anywhere in their pages
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    for (int n = 0; n < 960; n += 60) assert_int_equal(extend(&f, a, 60, NULL), HEARTH_OK);
    for (int n = 960; n < 1024; n++) assert_int_equal(extend(&f, a, 1, NULL), HEARTH_OK);
    check_counts(&f);
    assert_int_equal(g->n_free, 5 - 2); // the next position needs 1001 .., with slack 937 ..
    assert_int_equal(extend(&f, a, 1, &err), HEARTH_E_LIMIT);
    assert_int_equal(llm_seq_nearest(f.c, a, 1000), 1000);
    assert_int_equal(llm_seq_nearest(f.c, a, 919), 919); // sees 896 .., the first that is held
    assert_int_equal(llm_seq_nearest(f.c, a, 918), 0);
    assert_int_equal(llm_seq_rewind(f.c, a, 918, &err), HEARTH_E_STATE);
    assert_int_equal(llm_seq_fork(f.c, a, 918, &b, &err), HEARTH_E_STATE);
    assert_int_equal(b, -1);
    assert_int_equal(llm_seq_length(f.c, a), 1024);
    assert_int_equal(llm_seq_rewind(f.c, a, 0, NULL), HEARTH_OK);
    check_counts(&f);
    assert_int_equal(g->n_free, 5);
    fixture_close(&f);
}

// Rows for as many sequences as there are, of as many as fit.
static hearth_status extend_all(fixture *f, const bool *is_used, int n_seq, rng *r)
{
    llm_row rows[LLM_PAGE];
    int n = 0;
    for (llm_seq s = 0; s < n_seq; s++) {
        int from = (int)llm_seq_length(f->c, s), most = int_min(LLM_PAGE - n, 1024 - from);
        int count = is_used[s] && most > 0 ? (int)rng_below(r, (uint32_t)most + 1) : 0;
        for (int i = 0; i < count; i++)
            rows[n++] = (llm_row){.seq = s, .pos = from + i, .token = (from + i) % 250};
    }
    if (n && rng_below(r, 6) == 0) rows[n - 1].pos += 7; // and all of it is taken back
    return n ? llm_step(f->c, rows, n, NULL) : HEARTH_OK;
}

// Where all layers have a window, pages for each sequence's are enough whatever happens.
static void test_windows_never_run_out(void **state)
{
    (void)state;
    enum { N_SEQ = 3 };
    fixture f;
    bool is_used[N_SEQ] = {false};
    rng r;
    rng_seed(&r, 3);
    open_windowed(&f, TEST_GEMMA3, 1024, N_SEQ);
    assert_int_equal(f.c->cache.s.n_group, 1);
    assert_true(f.c->cache.group[0].s.n_pages < 3 * 16);
    for (int i = 0; i < 3000; i++) {
        llm_seq s = (llm_seq)rng_below(&r, N_SEQ), made;
        int64_t n = llm_seq_length(f.c, s);
        uint32_t what = rng_below(&r, 12);
        if (what < 9) {
            hearth_status got = extend_all(&f, is_used, N_SEQ, &r);
            assert_true(got == HEARTH_OK || got == HEARTH_E_ARG);
        } else if (!is_used[s]) {
            assert_int_equal(llm_seq_new(f.c, &made, NULL), HEARTH_OK);
            is_used[made] = true;
        } else if (what == 9) {
            if (n > 800) llm_seq_free(f.c, s);
            is_used[s] = n <= 800;
        } else if (what == 10) {
            n = llm_seq_nearest(f.c, s, n - (int64_t)rng_below(&r, 80));
            assert_int_equal(llm_seq_rewind(f.c, s, n, NULL), HEARTH_OK);
        } else if (llm_seq_fork(f.c, s, n, &made, NULL) == HEARTH_OK) {
            is_used[made] = true;
        }
        check_counts(&f);
    }
    fixture_close(&f);
}

static void expect_step(fixture *f, llm_row row, hearth_status expected, const char *word)
{
    hearth_err err = ERR_INIT;
    assert_int_equal(llm_step(f->c, &row, 1, &err), expected);
    if (!strstr(err.msg, word)) fail_msg("'%s' does not say '%s'", err.msg, word);
    assert_int_equal(llm_seq_length(f->c, 0), 0);
    assert_null(llm_logits(f->c, 0));
    check_counts(f);
}

static void test_refused_rows(void **state)
{
    (void)state;
    fixture f;
    llm_seq a;
    hearth_err err = ERR_INIT;
    open_with(&f, 64, 1);
    assert_int_equal(llm_seq_new(f.c, &a, NULL), HEARTH_OK);
    expect_step(&f, (llm_row){.seq = 1}, HEARTH_E_ARG, "sequence 1");
    expect_step(&f, (llm_row){.seq = -1}, HEARTH_E_ARG, "sequence -1");
    expect_step(&f, (llm_row){.pos = 1}, HEARTH_E_ARG, "position 1");
    expect_step(&f, (llm_row){.token = 300}, HEARTH_E_ARG, "token 300");
    expect_step(&f, (llm_row){.token = -1}, HEARTH_E_ARG, "token -1");
    expect_step(&f, (llm_row){.want = LLM_WANT_HIDDEN, .hidden_layer = 3}, HEARTH_E_ARG, "layer 3");
    expect_step(&f, (llm_row){.want = LLM_WANT_HIDDEN, .hidden_layer = -1}, HEARTH_E_ARG,
                "layer -1");
    assert_int_equal(llm_step(f.c, NULL, 0, &err), HEARTH_E_LIMIT);
    assert_int_equal(llm_step(f.c, NULL, 65, &err), HEARTH_E_LIMIT);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences_are_limited),
        cmocka_unit_test(test_full_cache_changes_nothing), cmocka_unit_test(test_copy_on_write),
        cmocka_unit_test(test_rollback_of_shared_pages), cmocka_unit_test(test_damaged_blobs),
        cmocka_unit_test(test_foreign_blobs), cmocka_unit_test(test_refused_rows),
        cmocka_unit_test(test_window_holds_little), cmocka_unit_test(test_windows_never_run_out),
    };
    return cmocka_run_group_tests_name("cache", tests, make_file, free_file);
}
