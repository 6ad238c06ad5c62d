// Constrained output: languages by example, masks against a byte-wise judge, budgets.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "gram/gram.h"

// --- a vocabulary of single bytes and some longer pieces, also of halves of characters ----------
enum { N_BYTES = 256, N_PIECES = 24, N_VOCAB = N_BYTES + N_PIECES + 2, TOKEN_END = N_VOCAB - 1 };
static const char *const pieces[N_PIECES] = {
    "{\"", "\":", "\", \"", "\"}", "true", "fal", "null", "12", "345", "aa", "ab", "abc", "}}",
    "]}", "[[", ", ", "\n  ", "\\u00", "\xC3\xA4\xC3", "\xA4\"", "\xE2\x82", "\xAC", "name", "-0.5",
};
static char single[N_BYTES];
static str spelling[N_VOCAB];
static bool is_end[N_VOCAB];

static gram_vocab *open_vocab(void)
{
    gram_vocab *v = NULL;
    for (int i = 0; i < N_BYTES; i++) {
        single[i] = (char)i;
        spelling[i] = (str){&single[i], 1};
    }
    for (int i = 0; i < N_PIECES; i++) spelling[N_BYTES + i] = str_from(pieces[i]);
    spelling[TOKEN_END - 1] = STR("aa"); // spelled like another
    spelling[TOKEN_END] = STR("");
    is_end[TOKEN_END] = true;
    assert_int_equal(gram_vocab_create_raw(spelling, is_end, N_VOCAB, &v, NULL), HEARTH_OK);
    assert_int_equal(gram_vocab_words(v), (N_VOCAB + 63) / 64);
    return v;
}

typedef struct language {
    gram_kind kind;
    gram_style style;
    const char *text;
    const char *const in[8], *const out[8]; // texts of it, texts that are not
} language;

static const language languages[] = {
    {GRAM_GBNF, GRAM_STRICT, "root ::= \"a\" b* # comment\nb ::= [b-d] | \"\\u00e4\"",
     {"a", "ab", "abcd", "a\xC3\xA4"}, {"", "b", "ae", "a\xC3"}},
    {GRAM_GBNF, GRAM_STRICT, "root ::= (\"x\" | [^a-z\\n]){2,3} end\nend ::= \"!\"?",
     {"xx", "x1!", "\xE2\x82\xAC\xE2\x82\xAC!"}, {"x", "xxxx", "xa", "!"}},
    {GRAM_GBNF, GRAM_STRICT, "root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"},
     {"(", "())", ")("}},
    {GRAM_GBNF, GRAM_STRICT, "root ::= item (\",\" root)?\nitem ::= [0-9]+\n", {"1", "12,3,4"},
     {"", "1,", ",1"}},
    {GRAM_REGEX, GRAM_STRICT, "^(\\d{2}|[a-c]+?)\\.x$", {"12.x", "abc.x"},
     {"1.x", ".x", "12.xx"}},
    {GRAM_REGEX, GRAM_STRICT, "a.c|\\w+\\s[^\\d]", {"abc", "a\xC3\xA4" "c", "a_1 x"},
     {"ac", "a 1"}},
    {GRAM_CHOICES, GRAM_STRICT, "[\"yes\",\"no\",\"no way\"]", {"yes", "no", "no way"},
     {"n", "maybe", "no w"}},
    {GRAM_JSON, GRAM_STRICT, "",
     {"{}", "{\"a\": [1, -2.5e3, {\"b\":null}]}", "{\"\\u00e4\":\"\\n\"}"},
     {"[]", "{\"a\":}", "{\"a\":1,}", "{\"a\":01}", "{\"\\ud800\":1}", "{\"\n\":1}"}},
    {GRAM_SCHEMA, GRAM_STRICT,
     "{\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":-3,\"maximum\":120},"
     "\"b\":{\"enum\":[\"x\",\"y\\n\",null]}},\"required\":[\"b\"],\"type\":\"object\"}",
     {"{\"b\":\"x\"}", "{\"a\":-3,\"b\":null}", "{\"a\": 120, \"b\": \"y\\n\"}"},
     {"{}", "{\"a\":1}", "{\"b\":\"x\",\"a\":1}", "{\"a\":121,\"b\":null}", "{\"b\":\"z\"}",
      "{\"b\":\"x\",\"c\":1}", "{\"a\":-4,\"b\":null}"}},
    {GRAM_SCHEMA, GRAM_FREE,
     "{\"properties\":{\"a\":{\"type\":\"integer\"},\"ab\":false},\"required\":[\"a\"],"
     "\"maxProperties\":2,\"additionalProperties\":{\"type\":\"string\"}}",
     {"{\"a\":1}", "{\"x\":\"\",\"a\":1}", "{\"a\":1,\"abc\":\"\"}", "7", "[\"a\"]"},
     {"{}", "{\"x\":1,\"a\":1}", "{\"a\":1,\"a\":1}", "{\"a\":1,\"ab\":\"\"}",
      "{\"a\":1,\"b\":\"\",\"c\":\"\"}"}},
    {GRAM_SCHEMA, GRAM_STRICT,
     "{\"type\":\"array\",\"prefixItems\":[{\"const\":1}],\"items\":{\"type\":\"string\","
     "\"minLength\":1,\"maxLength\":2},\"minItems\":1,\"maxItems\":3}",
     {"[1]", "[1,\"\xC3\xA4\\n\"]", "[1,\"a\",\"bb\"]"},
     {"[]", "[2]", "[1,\"\"]", "[1,\"abc\"]", "[1,\"a\",\"a\",\"a\"]"}},
    {GRAM_SCHEMA, GRAM_STRICT,
     "{\"$ref\":\"#/$defs/tree\",\"$defs\":{\"tree\":{\"type\":\"object\",\"properties\":{"
     "\"next\":{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/$defs/tree\"}]}},"
     "\"required\":[\"next\"]}}}",
     {"{\"next\":null}", "{\"next\":{\"next\":null}}"}, {"{}", "{\"next\":{}}", "null"}},
    {GRAM_SCHEMA, GRAM_STRICT, "{\"type\":\"number\",\"minimum\":-1.25,\"exclusiveMaximum\":12.5}",
     {"-1.25", "-1", "0", "12.49", "12", "-0.7", "3.0"},
     {"-1.26", "12.5", "12.50", "13", "-2", "100"}},
    {GRAM_SCHEMA, GRAM_STRICT, "{\"type\":\"number\",\"exclusiveMinimum\":0}",
     {"1", "0.001", "123456789012345678.5"}, {"0", "-0", "-1", "0.0", "00.1"}},
    {GRAM_SCHEMA, GRAM_STRICT, "{\"type\":\"string\",\"pattern\":\"^a+$|b\"}",
     {"\"aa\"", "\"xby\"", "\"\\nb\""}, {"\"\"", "\"ax\"", "aa"}},
};

static bool accepts(gram_matcher *m, str text)
{
    bool ok;
    assert_int_equal(gram_reset(m, NULL), HEARTH_OK);
    assert_int_equal(gram_accept_bytes(m, text, &ok, NULL), HEARTH_OK);
    return ok && gram_may_end(m);
}

static gram *compile(const language *l)
{
    gram *g = NULL;
    hearth_err err = ERR_INIT;
    if (gram_compile(l->kind, str_from(l->text), l->style, &g, &err) != HEARTH_OK)
        fail_msg("%s: %s", l->text, err.msg);
    return g;
}

static void test_languages(void **state)
{
    (void)state;
    gram_vocab *v = open_vocab();
    for (size_t i = 0; i < COUNTOF(languages); i++) {
        const language *l = &languages[i];
        gram *g = compile(l);
        gram_matcher *m = NULL;
        assert_int_equal(gram_matcher_create(g, v, &m, NULL), HEARTH_OK);
        for (int k = 0; k < 8 && l->in[k]; k++)
            if (!accepts(m, str_from(l->in[k]))) fail_msg("%s: not %s", l->text, l->in[k]);
        for (int k = 0; k < 8 && l->out[k]; k++)
            if (accepts(m, str_from(l->out[k]))) fail_msg("%s: accepts %s", l->text, l->out[k]);
        gram_matcher_free(m);
        gram_free(g);
    }
    gram_vocab_free(v);
}

// --- masks --------------------------------------------------------------------------------------

typedef struct writing { char text[4096]; size_t n; } writing;

static bool has_bit(const uint64_t *bits, int32_t id)
{
    return bits[id / 64] >> (id % 64) & 1;
}

// What the mask should be, by reading the whole text again for each token.
static void compare_mask(gram_matcher *judge, const writing *w, const uint64_t *bits)
{
    for (int32_t id = 0; id < N_VOCAB; id++) {
        bool ok = false;
        assert_int_equal(gram_reset(judge, NULL), HEARTH_OK);
        assert_int_equal(gram_accept_bytes(judge, (str){w->text, w->n}, &ok, NULL), HEARTH_OK);
        assert_true(ok);
        if (is_end[id]) ok = gram_may_end(judge);
        else assert_int_equal(gram_accept_bytes(judge, spelling[id], &ok, NULL), HEARTH_OK);
        if (has_bit(bits, id) != ok) fail_msg("'%.*s': token %d", (int)w->n, w->text, id);
    }
}

static int32_t draw(rng *r, const uint64_t *bits)
{
    int32_t list[N_VOCAB], n = 0;
    for (int32_t id = 0; id < N_VOCAB; id++)
        if (has_bit(bits, id)) list[n++] = id;
    return n > 0 ? list[rng_below(r, (uint32_t)n)] : TOK_NONE;
}

static void write_freely(const gram *g, const gram_vocab *v, uint64_t seed)
{
    rng r;
    rng_seed(&r, seed);
    gram_matcher *m = NULL, *judge = NULL;
    assert_int_equal(gram_matcher_create(g, v, &m, NULL), HEARTH_OK);
    assert_int_equal(gram_matcher_create(g, v, &judge, NULL), HEARTH_OK);
    writing w = {.n = 0};
    for (int i = 0; i < 25; i++) {
        const uint64_t *bits;
        assert_int_equal(gram_mask(m, -1, &bits, NULL), HEARTH_OK);
        compare_mask(judge, &w, bits);
        int32_t id = draw(&r, bits);
        assert_int_not_equal(id, TOK_NONE); // there is a token, or the end
        assert_int_equal(gram_accept(m, id, NULL), HEARTH_OK);
        if (is_end[id]) break;
        memcpy(w.text + w.n, spelling[id].p, spelling[id].n);
        w.n += spelling[id].n;
    }
    gram_matcher_free(m);
    gram_matcher_free(judge);
}

static void test_masks(void **state)
{
    (void)state;
    gram_vocab *v = open_vocab();
    for (size_t i = 0; i < COUNTOF(languages); i++) {
        gram *g = compile(&languages[i]);
        for (uint64_t seed = 0; seed < 3; seed++) write_freely(g, v, seed * 100 + i);
        gram_free(g);
    }
    gram_vocab_free(v);
}

// Random tokens with a budget: the text is complete when the budget is used up.
static void write_within(gram_matcher *m, int64_t budget, rng *r)
{
    assert_int_equal(gram_reset(m, NULL), HEARTH_OK);
    for (; budget > 0 && !gram_must_end(m); budget--) {
        const uint64_t *bits;
        assert_int_equal(gram_mask(m, budget, &bits, NULL), HEARTH_OK);
        int32_t id = draw(r, bits);
        assert_int_not_equal(id, TOK_NONE);
        assert_int_equal(gram_accept(m, id, NULL), HEARTH_OK);
        int64_t least;
        assert_int_equal(gram_min_tokens(m, &least, NULL), HEARTH_OK);
        assert_true(least < budget);
    }
    assert_true(gram_may_end(m));
}

static void test_budgets(void **state)
{
    (void)state;
    gram_vocab *v = open_vocab();
    rng r;
    rng_seed(&r, 5);
    for (size_t i = 0; i < COUNTOF(languages); i++) {
        gram *g = compile(&languages[i]);
        gram_matcher *m = NULL;
        int64_t least;
        assert_int_equal(gram_matcher_create(g, v, &m, NULL), HEARTH_OK);
        assert_int_equal(gram_min_tokens(m, &least, NULL), HEARTH_OK);
        for (int64_t more = 0; more < 20; more++) write_within(m, least + more, &r);
        gram_matcher_free(m);
        gram_free(g);
    }
    gram_vocab_free(v);
}

// The shortest text of {"b": ...} is {"b":null} or {"b":"x"}: {" b ": " x "} is five tokens.
static void test_least_tokens(void **state)
{
    (void)state;
    gram_vocab *v = open_vocab();
    language l = {GRAM_SCHEMA, GRAM_STRICT, "{\"type\":\"object\",\"required\":[\"b\"],"
                  "\"properties\":{\"b\":{\"const\":\"x\"}}}", {0}, {0}};
    gram *g = compile(&l);
    gram_matcher *m = NULL;
    int64_t least;
    assert_int_equal(gram_matcher_create(g, v, &m, NULL), HEARTH_OK);
    assert_int_equal(gram_min_tokens(m, &least, NULL), HEARTH_OK);
    assert_int_equal(least, 6); // {" b ": " x "}
    gram_matcher_free(m);
    gram_free(g);
    gram_vocab_free(v);
}

// --- errors -------------------------------------------------------------------------------------

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        gram_kind kind;
        const char *text, *message;
        hearth_status status;
    } e[] = {
        {GRAM_GBNF, "root ::= a", "no rule 'a'", HEARTH_E_ARG},
        {GRAM_GBNF, "a ::= \"x\"", "no rule 'root'", HEARTH_E_ARG},
        {GRAM_GBNF, "root ::= root \"x\" | \"\"", "left recursion", HEARTH_E_UNSUPPORTED},
        {GRAM_GBNF, "root ::= a? root2\na ::= \"\" \nroot2 ::= a root | \"y\"", "left recursion",
         HEARTH_E_UNSUPPORTED},
        {GRAM_GBNF, "root ::= \"x\" root", "no text", HEARTH_E_ARG},
        {GRAM_GBNF, "root ::= \"x\nb ::= (", "expected", HEARTH_E_ARG},
        {GRAM_GBNF, "root ::= \"x\"{70000}", "repetitions", HEARTH_E_LIMIT},
        {GRAM_REGEX, "(a", "expected ')'", HEARTH_E_ARG},
        {GRAM_REGEX, "a\\b", "escape", HEARTH_E_ARG},
        {GRAM_REGEX, "(?=a)", "looking around", HEARTH_E_ARG},
        {GRAM_CHOICES, "[1]", "strings", HEARTH_E_ARG},
        {GRAM_SCHEMA, "{\"uniqueItems\":true}", "\"uniqueItems\" cannot", HEARTH_E_UNSUPPORTED},
        {GRAM_SCHEMA, "{\"type\":\"strin\"}", "\"type\"", HEARTH_E_ARG},
        {GRAM_SCHEMA, "{\"$ref\":\"http://x\"}", "outside", HEARTH_E_UNSUPPORTED},
        {GRAM_SCHEMA, "{\"$ref\":\"#/x\"}", "not in the document", HEARTH_E_ARG},
        {GRAM_SCHEMA, "{\"oneOf\":[{\"type\":\"number\"},{\"minimum\":2}]}", "\"oneOf\" cannot",
         HEARTH_E_UNSUPPORTED},
        {GRAM_SCHEMA, "false", "no text", HEARTH_E_ARG},
        {GRAM_SCHEMA, "{\"type\":", "json", HEARTH_E_FORMAT},
    };
    for (size_t i = 0; i < COUNTOF(e); i++) {
        gram *g = NULL;
        hearth_err err = ERR_INIT;
        hearth_status st = gram_compile(e[i].kind, str_from(e[i].text), GRAM_STRICT, &g, &err);
        assert_null(g);
        if (st != e[i].status || !strstr(err.msg, e[i].message))
            fail_msg("%s: %d, %s", e[i].text, (int)st, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_languages), cmocka_unit_test(test_masks),
        cmocka_unit_test(test_budgets), cmocka_unit_test(test_least_tokens),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("gram", tests, NULL, NULL);
}
