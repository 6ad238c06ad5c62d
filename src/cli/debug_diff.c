// `hearth debug diff`: how far two .npy arrays are apart.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "fmt/npy.h"

typedef struct diff_result {
    double max_abs, relative; // relative: to the range of A
    int64_t n, n_different, first, worst; // positions in C order, -1 when there is none
} diff_result;

static double half_to_double(uint16_t h)
{
    double sign = h >> 15 ? -1 : 1;
    int exponent = (h >> 10) & 31, fraction = h & 1023;
    if (exponent == 31) return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, -24);
    return sign * ldexp(fraction + 1024, exponent - 25);
}

// Little-endian hosts only need the copy; the items of a file have no alignment.
static double get_item(const npy *a, int64_t i)
{
    const uint8_t *p = a->data + (size_t)i * npy_item_bytes(a->type);
    float f32;
    double f64;
    uint16_t f16;
    int32_t i32;
    int64_t i64;
    switch (a->type) {
    case NPY_F32: memcpy(&f32, p, sizeof f32); return (double)f32;
    case NPY_F16: memcpy(&f16, p, sizeof f16); return half_to_double(f16);
    case NPY_F64: memcpy(&f64, p, sizeof f64); return f64;
    case NPY_I8: return (double)(int8_t)*p;
    case NPY_U8:
    case NPY_BOOL: return *p;
    case NPY_I32: memcpy(&i32, p, sizeof i32); return i32;
    case NPY_I64: memcpy(&i64, p, sizeof i64); return (double)i64;
    }
    return 0;
}

static bool is_same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

// Something that is not a number on one side only counts as infinitely far.
static double distance(double a, double b)
{
    double d = fabs(a - b);
    return is_same(a, b) ? 0 : isnan(d) ? (double)INFINITY : d;
}

static diff_result compare(const npy *a, const npy *b)
{
    diff_result r = {.n = 1, .first = -1, .worst = -1};
    double low = (double)INFINITY, high = -(double)INFINITY;
    for (int d = 0; d < a->n_dims; d++) r.n *= a->dim[d];
    for (int64_t i = 0; i < r.n; i++) {
        double x = get_item(a, i), d = distance(x, get_item(b, i));
        low = fmin(low, x);
        high = fmax(high, x);
        if (d <= 0) continue;
        if (r.first < 0) r.first = i;
        r.n_different++;
        if (r.worst < 0 || d > r.max_abs) r.worst = i;
        r.max_abs = fmax(r.max_abs, d);
    }
    r.relative = r.max_abs > 0 ? r.max_abs / fmax(high - low, 1e-300) : 0;
    return r;
}

static hearth_status read_array(const char *path, buf *bytes, npy *out, hearth_err *err)
{
    HEARTH_TRY(read_file(path, bytes, err));
    hearth_status st = npy_parse(bytes->p, bytes->n, out, err);
    err_prefix(err, "%s: ", path);
    return st;
}

static hearth_status check_shapes(const cli_args *a, const npy *x, const npy *y, hearth_err *err)
{
    bool same = x->n_dims == y->n_dims;
    for (int d = 0; same && d < x->n_dims; d++) same = x->dim[d] == y->dim[d];
    if (same) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "%s and %s have different shapes", a->words[0], a->words[1]);
}

// "[2, 17]" for a position in C order.
static void format_position(const npy *a, int64_t at, char *out, size_t n)
{
    int64_t index[NPY_MAX_DIMS] = {0};
    size_t used = (size_t)snprintf(out, n, "[");
    for (int d = a->n_dims - 1; d >= 0; d--) {
        index[d] = at % a->dim[d];
        at /= a->dim[d];
    }
    for (int d = 0; d < a->n_dims && used < n; d++) {
        used += (size_t)snprintf(out + used, n - used, "%s%lld", d ? ", " : "",
                                 (long long)index[d]);
    }
    if (used < n) snprintf(out + used, n - used, "]");
}

static void print_text(cli *c, const npy *a, const diff_result *r)
{
    char first[256], worst[256];
    if (r->first < 0) {
        out_printf(c, "equal, %lld values\n", (long long)r->n);
        return;
    }
    format_position(a, r->first, first, sizeof first);
    format_position(a, r->worst, worst, sizeof worst);
    out_printf(c, "different     %lld of %lld values\n", (long long)r->n_different,
               (long long)r->n);
    out_printf(c, "max abs       %.6g at %s\n", r->max_abs, worst);
    out_printf(c, "of the range  %.6g\n", r->relative);
    out_printf(c, "first at      %s\n", first);
}

static void print_json(cli *c, const diff_result *r)
{
    json_writer w;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    put_i64(&w, "values", r->n);
    put_i64(&w, "different", r->n_different);
    put_f64(&w, "max_abs", r->max_abs);
    put_f64(&w, "relative", r->relative);
    put_i64(&w, "first", r->first);
    put_i64(&w, "worst", r->worst);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

hearth_status cmd_debug_diff(cli *c, void *args, hearth_err *err)
{
    const diff_args *a = args;
    buf bytes[2];
    npy x, y;
    buf_init(&bytes[0], MEM_MISC, SIZE_MAX);
    buf_init(&bytes[1], MEM_MISC, SIZE_MAX);
    hearth_status st = read_array(a->common.words[0], &bytes[0], &x, err);
    if (st == HEARTH_OK) st = read_array(a->common.words[1], &bytes[1], &y, err);
    if (st == HEARTH_OK) st = check_shapes(&a->common, &x, &y, err);
    if (st == HEARTH_OK) {
        diff_result r = compare(&x, &y);
        if (a->common.json) {
            print_json(c, &r);
        } else {
            print_text(c, &x, &r);
        }
        if (r.relative > (double)a->tolerance) {
            st = err_fail(err, HEARTH_E_VERIFY, "the arrays differ by %.6g of the range",
                          r.relative);
        }
    }
    buf_release(&bytes[0]);
    buf_release(&bytes[1]);
    return st;
}
