// Pictures read at computed places: GridSample, AffineGrid. Any number of spatial dimensions.
//
// A place is a vector in [-1, 1], its first number along the last dimension. Per dimension it gives
// up to four taps with weights (nearest 1, linear 2, cubic 4); the value is the weighted sum over
// the box of taps, for each channel in turn.
#include "graph/op/op.h"

#include <math.h>

enum { TAPS = 4, SPACE_MAX = MAX_DIMS - 2 };
typedef struct sample_params { int64_t mode, early_mode, padding, align; } sample_params;
enum { MODE_LINEAR, MODE_NEAREST, MODE_CUBIC };
enum { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION };

static double get(const tensor *t, int64_t i)
{
    return t->type == T_F32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

static void put(tensor *t, int64_t i, double v)
{
    if (t->type == T_F32) {
        ((float *)t->data)[i] = (float)v;
    } else {
        ((double *)t->data)[i] = v;
    }
}

static hearth_status shape_sample(const op_call *c)
{
    const tensor *x = c->in[0], *grid = c->in[1];
    int n = x->n_dims - 2;
    int64_t dim[MAX_DIMS];
    bool ok = n >= 1 && grid->n_dims == x->n_dims && grid->dim[0] == x->dim[0] &&
              grid->dim[n + 1] == n;
    for (int d = 0; ok && d < n; d++) ok = x->dim[d + 2] > 0;
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "input and grid do not fit");
    dim[0] = x->dim[0];
    dim[1] = x->dim[1];
    for (int d = 0; d < n; d++) dim[d + 2] = grid->dim[d + 1];
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    return HEARTH_OK;
}

typedef struct place { // where one element of the result is read
    int n, n_taps;
    int64_t at[SPACE_MAX][TAPS]; // -1: outside
    double weight[SPACE_MAX][TAPS];
} place;

// Mirrors at both ends until v is between them.
static double mirror(double v, double low, double high)
{
    double range = high - low;
    if (range <= 0) return low;
    double d = v < low ? low - v : v > high ? v - high : -1;
    if (d < 0) return v;
    bool is_even = fmod(floor(d / range), 2) == 0;
    double r = d - floor(d / range) * range;
    return (v < low) == is_even ? low + r : high - r;
}

static int64_t pad_index(const sample_params *p, double v, int64_t n)
{
    double last = (double)(n - 1);
    if (!(fabs(v) < 1e15)) return p->padding == PAD_ZEROS ? -1 : 0;
    if (v >= 0 && v <= last) return (int64_t)v;
    if (p->padding == PAD_ZEROS) return -1;
    if (p->padding == PAD_REFLECTION) {
        v = p->align ? mirror(v, 0, last) : mirror(v, -0.5, last + 0.5);
    }
    return (int64_t)fmin(fmax(v, 0), last);
}

// Keys' cubic with a = -0.75.
static double cubic(double d)
{
    const double a = -0.75;
    d = fabs(d);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

static void find_taps(const sample_params *p, int64_t mode, double v, int64_t n, int d, place *to)
{
    double x = p->align ? (v + 1) / 2 * (double)(n - 1) : ((v + 1) * (double)n - 1) / 2;
    if (mode == MODE_NEAREST) {
        if (p->padding == PAD_REFLECTION && fabs(x) < 1e15) {
            x = p->align ? mirror(x, 0, (double)(n - 1)) : mirror(x, -0.5, (double)n - 0.5);
        }
        to->at[d][0] = pad_index(p, nearbyint(x), n);
        to->weight[d][0] = 1;
        return;
    }
    double first = floor(x) - (mode == MODE_CUBIC ? 1 : 0);
    for (int k = 0; k < to->n_taps; k++) {
        double at = first + k;
        to->at[d][k] = pad_index(p, at, n);
        to->weight[d][k] = mode == MODE_CUBIC ? cubic(x - at) : 1 - fabs(x - at);
    }
}

static double sum_box(const tensor *x, const place *p, int d, int64_t offset)
{
    if (d == p->n) return get(x, offset);
    double sum = 0;
    for (int k = 0; k < p->n_taps; k++) {
        if (p->at[d][k] < 0) continue;
        sum += p->weight[d][k] * sum_box(x, p, d + 1, offset * x->dim[d + 2] + p->at[d][k]);
    }
    return sum;
}

static hearth_status run_sample(const op_call *c)
{
    const sample_params *p = c->params;
    const tensor *x = c->in[0], *grid = c->in[1];
    tensor *y = c->out[0];
    int64_t mode = c->opset < 20 ? p->early_mode : p->mode;
    place to = {.n = x->n_dims - 2, .n_taps = mode == MODE_CUBIC ? 4 : mode == MODE_LINEAR ? 2 : 1};
    int64_t places = dims_product(y->dim, 2, y->n_dims), channels = x->dim[1];
    for (int64_t i = 0; i < x->dim[0] * places; i++) {
        for (int d = 0; d < to.n; d++) {
            find_taps(p, mode, get(grid, i * to.n + to.n - 1 - d), x->dim[d + 2], d, &to);
        }
        for (int64_t ch = 0; ch < channels; ch++) {
            int64_t plane = i / places * channels + ch;
            put(y, plane * places + i % places, sum_box(x, &to, 0, plane));
        }
    }
    return HEARTH_OK;
}

// --- AffineGrid: the grid of GridSample from matrices [N, n, n + 1] and a size [N, C, ...] -------

static hearth_status shape_affine(const op_call *c)
{
    const tensor *m = c->in[0], *size = c->in[1];
    int64_t dim[MAX_DIMS], n = size->n_dims == 1 ? size->dim[0] - 2 : 0;
    bool ok = (n == 2 || n == 3) && m->n_dims == 3 && m->dim[1] == n && m->dim[2] == n + 1 &&
              tensor_int(size, 0) == m->dim[0];
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "matrices and size do not fit");
    dim[0] = m->dim[0];
    for (int d = 0; d < n; d++) dim[d + 1] = tensor_int(size, d + 2);
    dim[n + 1] = n;
    tensor_set(op_out(c, 0), m->type, (int)n + 2, dim);
    return HEARTH_OK;
}

static double grid_place(int64_t i, int64_t n, bool align)
{
    if (!align) return (double)(2 * i + 1) / (double)n - 1;
    return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : 0;
}

static hearth_status run_affine(const op_call *c)
{
    bool align = ((const sample_params *)c->params)->align;
    const tensor *m = c->in[0];
    tensor *y = c->out[0];
    int n = y->n_dims - 2;
    int64_t places = dims_product(y->dim, 1, n + 1);
    for (int64_t i = 0; i < y->dim[0] * places; i++) {
        double v[4] = {0}; // x, y, (z,) 1
        int64_t rest = i % places, first = i / places * n * (n + 1);
        for (int d = 0; d < n; d++) {
            int64_t size = y->dim[n - d];
            v[d] = grid_place(rest % size, size, align);
            rest /= size;
        }
        v[n] = 1;
        for (int r = 0; r < n; r++) {
            double sum = 0;
            for (int k = 0; k <= n; k++) sum += get(m, first + r * (n + 1) + k) * v[k];
            put(y, i * n + r, sum);
        }
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(sample_params, field)
#define ALIGN {.name = "align_corners", .kind = OP_INT, AT(align)}
#define PADDING {.name = "padding_mode", .kind = OP_CHOICE, AT(padding), \
    .choices = "zeros border reflection"}
static const op_attr sample_attrs[] = {
    ALIGN, PADDING,
    {.name = "mode", .kind = OP_CHOICE, AT(mode), .choices = "linear nearest cubic"}};
static const op_attr early_attrs[] = {
    ALIGN, PADDING,
    {.name = "mode", .kind = OP_CHOICE, AT(early_mode), .choices = "bilinear nearest bicubic"}};
static const op_attr affine_attrs[] = {ALIGN};
#define SAMPLE .name = "GridSample", .in = "TF", .n_out = 1, .types = TS_FLOAT, \
    .flags = OP_WIDEN, .shape = shape_sample, .run = run_sample
static const graph_op sample_ops[] = {
    {SAMPLE, .since = 16, .until = 19, OP_ATTRS(early_attrs, sample_params)},
    {SAMPLE, .since = 20, OP_ATTRS(sample_attrs, sample_params)},
    {.name = "AffineGrid", .since = 20, .in = "TL", .n_out = 1, .types = TS_FLOAT, .values = 2,
     .flags = OP_WIDEN, OP_ATTRS(affine_attrs, sample_params), .shape = shape_affine,
     .run = run_affine},
};
OP_FAMILY(ops_sample, "", sample_ops);
