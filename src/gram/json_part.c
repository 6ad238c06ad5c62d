// Parts of JSON that schemas are made of.
//
// White space is optional and bounded (a blank, or a line break and an indentation), so that a
// model cannot go on with it for ever. Strings without constraints may use every escape; those that
// are compared with something are spelled in one way: escapes only where JSON needs them.
#include "gram/gram_int.h"

gram_expr *json_space(gram_build *b)
{
    gram_expr *indent = expr_either(b, expr_repeat(b, expr_bytes(b, STR(" ")), 0, 16),
                                    expr_repeat(b, expr_bytes(b, STR("\t")), 1, 8));
    gram_expr *x = expr_new(b, EXPR_ALT);
    expr_add(b, x, expr_new(b, EXPR_SEQ));
    expr_add(b, x, expr_bytes(b, STR(" ")));
    expr_add(b, x, expr_seq(b, expr_bytes(b, STR("\n")), indent));
    return x;
}

gram_expr *json_spelled(gram_build *b, str text)
{
    gram_expr *x = expr_new(b, EXPR_SEQ);
    expr_add(b, x, expr_bytes(b, STR("\"")));
    while (text.n > 0) {
        gram_range r;
        size_t n = utf8_decode(text.p, text.n, &r.lo);
        ASSERT(r.lo != UTF8_BAD); // the reader of JSON has checked
        r.hi = r.lo;
        expr_add(b, x, expr_class(b, &r, 1, false, true));
        text = (str){text.p + n, text.n - n};
    }
    expr_add(b, x, expr_bytes(b, STR("\"")));
    return x;
}

gram_expr *json_any_char(gram_build *b)
{
    return expr_class(b, NULL, 0, true, true);
}

static gram_expr *one_of(gram_build *b, str letters)
{
    gram_range r[16];
    ASSERT(letters.n <= COUNTOF(r));
    for (size_t i = 0; i < letters.n; i++)
        r[i] = (gram_range){(uint8_t)letters.p[i], (uint8_t)letters.p[i]};
    return expr_class(b, r, (uint32_t)letters.n, false, false);
}

static gram_expr *hex_digits(gram_build *b, uint32_t n)
{
    static const gram_range hex[] = {{'0', '9'}, {'a', 'f'}, {'A', 'F'}};
    return expr_repeat(b, expr_class(b, hex, COUNTOF(hex), false, false), n, n);
}

// uXXXX, and a surrogate only as one of a pair.
static gram_expr *unicode_escape(gram_build *b)
{
    static const gram_range not_d[] = {{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}};
    gram_expr *plain = expr_seq(b, expr_class(b, not_d, COUNTOF(not_d), false, false),
                                hex_digits(b, 3));
    gram_expr *low_d = expr_seq(b, one_of(b, STR("dD")), one_of(b, STR("01234567")));
    gram_expr *pair = expr_new(b, EXPR_SEQ);
    expr_add(b, pair, one_of(b, STR("dD")));
    expr_add(b, pair, one_of(b, STR("89abAB")));
    expr_add(b, pair, hex_digits(b, 2));
    expr_add(b, pair, expr_bytes(b, STR("\\u")));
    expr_add(b, pair, one_of(b, STR("dD")));
    expr_add(b, pair, one_of(b, STR("cdefCDEF")));
    expr_add(b, pair, hex_digits(b, 2));
    gram_expr *x = expr_either(b, plain, expr_seq(b, low_d, hex_digits(b, 2)));
    return expr_seq(b, expr_bytes(b, STR("u")), expr_either(b, x, pair));
}

gram_expr *json_any_string(gram_build *b)
{
    static const gram_range escaped[] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    gram_expr *escape = expr_either(b, one_of(b, STR("\"\\/bfnrt")), unicode_escape(b));
    gram_expr *one = expr_either(b, expr_class(b, escaped, COUNTOF(escaped), true, false),
                                 expr_seq(b, expr_bytes(b, STR("\\")), escape));
    gram_expr *x = expr_seq(b, expr_bytes(b, STR("\"")), expr_repeat(b, one, 0, GRAM_INF));
    return expr_seq(b, x, expr_bytes(b, STR("\"")));
}

static gram_expr *digits(gram_build *b, uint32_t least, uint32_t most)
{
    static const gram_range digit = {'0', '9'};
    return expr_repeat(b, expr_class(b, &digit, 1, false, false), least, most);
}

static gram_expr *maybe(gram_build *b, gram_expr *x)
{
    return expr_repeat(b, x, 0, 1);
}

// As many digits as programs can hold, so that a model cannot go on with them for ever.
enum { INTEGER_DIGITS = 18, FRACTION_DIGITS = 20 };

gram_expr *json_any_integer(gram_build *b)
{
    static const gram_range first = {'1', '9'};
    gram_expr *large = expr_seq(b, expr_class(b, &first, 1, false, false),
                                digits(b, 0, INTEGER_DIGITS - 1));
    return expr_seq(b, maybe(b, expr_bytes(b, STR("-"))),
                    expr_either(b, expr_bytes(b, STR("0")), large));
}

gram_expr *json_any_number(gram_build *b)
{
    gram_expr *fraction = expr_seq(b, expr_bytes(b, STR(".")), digits(b, 1, FRACTION_DIGITS));
    gram_expr *exponent = expr_seq(b, one_of(b, STR("eE")), maybe(b, one_of(b, STR("+-"))));
    gram_expr *x = expr_seq(b, json_any_integer(b), maybe(b, fraction));
    // Exponents up to 299: with 18 digits before them still a double.
    gram_expr *large = expr_seq(b, one_of(b, STR("12")), digits(b, 2, 2));
    gram_expr *size = expr_either(b, digits(b, 1, 2), large);
    return expr_seq(b, x, maybe(b, expr_seq(b, exponent, size)));
}
