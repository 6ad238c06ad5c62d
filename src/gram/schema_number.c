// Numbers between bounds, as digits.
//
// A range of integers is cut into prefixes: between 17 and 342 lie 17..19, [2-9]d, 1dd..2dd, and so
// on. A decimal lies above a bound with the integer part I and the fraction F if its integer part
// is above I, or is I and its fraction is above F; fractions are compared digit by digit. Negative
// numbers are the mirror image. Numbers with bounds are written without exponents.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gram/schema_int.h"

enum { DIGITS = 18, FRACTION = 20 };
#define LARGEST INT64_C(999999999999999999)

static gram_expr *digit(gram_build *b, char lo, char hi)
{
    gram_range r = {(uint8_t)lo, (uint8_t)hi};
    return lo > hi ? expr_new(b, EXPR_ALT) : expr_class(b, &r, 1, false, false);
}

static gram_expr *any_digits(gram_build *b, uint32_t least, uint32_t most)
{
    return expr_repeat(b, digit(b, '0', '9'), least, most);
}

static bool is_all(str digits, char c)
{
    for (size_t i = 0; i < digits.n; i++)
        if (digits.p[i] != c) return false;
    return true;
}

// Equally many digits from lo to hi. Whole ranges end the recursion, which otherwise doubles.
static gram_expr *same_length(gram_build *b, str lo, str hi)
{
    static const char zeros[] = "000000000000000000", nines[] = "999999999999999999";
    if (is_all(lo, '0') && is_all(hi, '9')) return any_digits(b, (uint32_t)lo.n, (uint32_t)lo.n);
    str lo_rest = {lo.p + 1, lo.n - 1}, hi_rest = {hi.p + 1, hi.n - 1};
    if (lo.p[0] == hi.p[0])
        return expr_seq(b, digit(b, lo.p[0], lo.p[0]), same_length(b, lo_rest, hi_rest));
    uint32_t n = (uint32_t)lo_rest.n;
    gram_expr *x = expr_new(b, EXPR_ALT);
    expr_add(b, x, expr_seq(b, digit(b, lo.p[0], lo.p[0]),
                            same_length(b, lo_rest, (str){nines, n})));
    expr_add(b, x, expr_seq(b, digit(b, (char)(lo.p[0] + 1), (char)(hi.p[0] - 1)),
                            any_digits(b, n, n)));
    expr_add(b, x, expr_seq(b, digit(b, hi.p[0], hi.p[0]),
                            same_length(b, (str){zeros, n}, hi_rest)));
    return x;
}

// Natural numbers from lo to hi <= LARGEST; nothing if lo > hi.
static gram_expr *naturals(gram_build *b, int64_t lo, int64_t hi)
{
    gram_expr *x = expr_new(b, EXPR_ALT);
    int64_t top = 0; // of the numbers with as many digits
    for (int n = 1; n <= DIGITS; n++) {
        top = top * 10 + 9;
        int64_t from = i64_max(lo, n == 1 ? 0 : top / 10 + 1), to = i64_min(hi, top);
        char a[24], z[24];
        if (from > to) continue;
        snprintf(a, sizeof a, "%lld", (long long)from);
        snprintf(z, sizeof z, "%lld", (long long)to);
        expr_add(b, x, same_length(b, str_from(a), str_from(z)));
    }
    return x;
}

static gram_expr *negative(gram_build *b, gram_expr *x)
{
    return expr_seq(b, expr_bytes(b, STR("-")), x);
}

static gram_expr *integers(gram_build *b, int64_t lo, int64_t hi)
{
    gram_expr *x = expr_new(b, EXPR_ALT);
    if (hi >= 0) expr_add(b, x, naturals(b, i64_max(lo, 0), hi));
    if (lo < 0 && hi >= lo) expr_add(b, x, negative(b, naturals(b, i64_max(-hi, 0), -lo)));
    return x;
}

// --- decimals -----------------------------------------------------------------------------------

// A bound's size, without its sign: integer part and fraction without trailing zeros.
typedef struct decimal { int64_t whole; str fraction; bool strict, exists; } decimal;

// Digits after those that were equal to the fraction's: is what follows on the right side?
static gram_expr *fraction_rest(gram_build *b, str f, bool is_least, bool strict, uint32_t first)
{
    gram_expr *x = expr_new(b, EXPR_ALT);
    if (f.n == 0 && is_least && strict) {
        gram_expr *some = expr_seq(b, digit(b, '1', '9'), any_digits(b, 0, FRACTION));
        expr_add(b, x, expr_seq(b, expr_repeat(b, digit(b, '0', '0'), 0, FRACTION), some));
    } else if (f.n == 0 && is_least) {
        expr_add(b, x, any_digits(b, first, FRACTION));
    } else if (f.n == 0) {
        if (!strict) expr_add(b, x, expr_repeat(b, digit(b, '0', '0'), first, FRACTION));
    } else {
        gram_expr *beyond = is_least ? digit(b, (char)(f.p[0] + 1), '9')
                                     : digit(b, '0', (char)(f.p[0] - 1));
        str rest = {f.p + 1, f.n - 1};
        expr_add(b, x, expr_seq(b, beyond, any_digits(b, 0, FRACTION)));
        expr_add(b, x, expr_seq(b, digit(b, f.p[0], f.p[0]),
                                fraction_rest(b, rest, is_least, strict, 0)));
        if (!is_least && first == 0) expr_add(b, x, expr_new(b, EXPR_SEQ));
    }
    return x;
}

// The bound's integer part with all fractions on its right side.
static gram_expr *at_bound(gram_build *b, decimal d, bool is_least)
{
    bool may_be_none = is_least ? d.fraction.n == 0 && !d.strict : d.fraction.n > 0 || !d.strict;
    gram_expr *fraction = expr_seq(b, expr_bytes(b, STR(".")),
                                   fraction_rest(b, d.fraction, is_least, d.strict, 1));
    if (may_be_none) fraction = expr_repeat(b, fraction, 0, 1);
    return expr_seq(b, naturals(b, d.whole, d.whole), fraction);
}

// Decimals without sign from lo to hi, which do not lie within one integer.
static gram_expr *decimals(gram_build *b, decimal lo, decimal hi)
{
    gram_expr *fraction = expr_seq(b, expr_bytes(b, STR(".")), any_digits(b, 1, FRACTION));
    int64_t from = lo.exists ? lo.whole + 1 : 0, to = hi.exists ? hi.whole - 1 : LARGEST;
    gram_expr *x = expr_new(b, EXPR_ALT);
    if (lo.exists) expr_add(b, x, at_bound(b, lo, true));
    if (hi.exists) expr_add(b, x, at_bound(b, hi, false));
    if (from <= to) expr_add(b, x, expr_seq(b, naturals(b, from, to),
                                            expr_repeat(b, fraction, 0, 1)));
    return x;
}

static bool read_decimal(number_bound bound, decimal *out)
{
    str text = bound.text;
    *out = (decimal){.strict = bound.strict, .exists = text.n > 0};
    if (text.n == 0) return true;
    if (text.p[0] == '-') text = (str){text.p + 1, text.n - 1};
    str whole = str_cut(&text, '.');
    while (text.n > 0 && text.p[text.n - 1] == '0') text.n--;
    out->fraction = text;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9') return false;
    return text.n <= FRACTION && str_parse_i64(whole, &out->whole) && out->whole < LARGEST;
}

static hearth_status reals(gram_build *b, number_bound least, number_bound most, gram_expr **out,
                           hearth_err *err)
{
    decimal lo, hi, none = {.exists = false};
    if (!read_decimal(least, &lo) || !read_decimal(most, &hi))
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "schema: \"minimum\", \"maximum\": expected at most 18 digits, and 20 "
                        "after the point, without an exponent");
    bool lo_below = lo.exists && least.value < 0, hi_below = hi.exists && most.value < 0;
    bool has_plus = !hi_below, has_minus = !lo.exists || lo_below;
    bool same_side = lo.exists && hi.exists && lo_below == hi_below;
    if (same_side && lo.whole == hi.whole)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "schema: \"minimum\" and \"maximum\" of a number between two neighbouring "
                        "integers");
    *out = expr_new(b, EXPR_ALT);
    if (has_plus) expr_add(b, *out, decimals(b, lo_below ? none : lo, hi));
    bool below_zero = hi_below || (hi.exists && hi.strict && most.value == 0); // and not -0
    if (has_minus) expr_add(b, *out, negative(b, decimals(b, below_zero ? hi : none, lo)));
    return HEARTH_OK;
}

hearth_status number_in_bounds(gram_build *b, bool is_real, number_bound least, number_bound most,
                               gram_expr **out, hearth_err *err)
{
    bool is_point = least.value == most.value && (least.strict || most.strict);
    if (least.text.n > 0 && most.text.n > 0 && (least.value > most.value || is_point)) {
        *out = expr_new(b, EXPR_ALT);
        return HEARTH_OK;
    }
    if (is_real) return reals(b, least, most, out, err);
    double lo = least.text.n == 0 ? -(double)LARGEST : ceil(least.value);
    double hi = most.text.n == 0 ? (double)LARGEST : floor(most.value);
    if (least.strict && lo == least.value) lo += 1;
    if (most.strict && hi == most.value) hi -= 1;
    if ((least.text.n > 0 && lo > 9e15) || (most.text.n > 0 && hi < -9e15))
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "schema: integers beyond 9e15 cannot be bounded exactly");
    int64_t from = lo < -9e15 ? -LARGEST : (int64_t)lo, to = hi > 9e15 ? LARGEST : (int64_t)hi;
    *out = integers(b, from, to);
    return HEARTH_OK;
}
