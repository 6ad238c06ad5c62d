// Boxes of detectors: NonMaxSuppression and RoiAlign.
//
// NonMaxSuppression picks, for each class of each picture, the best box that is left and removes
// those that overlap it, until none is left or enough are chosen. How many that are depends on the
// values, so all inputs are read before shapes are set, the result has room for the most, and
// run() shortens it.
#include "graph/op/op.h"

#include <math.h>

// --- NonMaxSuppression: boxes [N, B, 4], scores [N, C, B], most, IoU, score ----------------------

typedef struct nms_params { int64_t center; } nms_params;

static hearth_status read_scalar(const op_call *c, int i, double def, double *out)
{
    const tensor *t = op_in(c, i);
    *out = def;
    if (!t) return HEARTH_OK;
    bool ok = tensor_items(t) == 1 && t->type == (i == 2 ? T_I64 : T_F32);
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "input %d is no scalar", i);
    *out = tensor_number(t, 0);
    return HEARTH_OK;
}

static hearth_status shape_nms(const op_call *c)
{
    const tensor *boxes = c->in[0], *scores = c->in[1];
    bool ok = boxes->n_dims == 3 && scores->n_dims == 3 && boxes->dim[2] == 4 &&
              boxes->dim[0] == scores->dim[0] && boxes->dim[1] == scores->dim[2];
    double most = 0, unused;
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "boxes and scores do not fit");
    HEARTH_TRY(read_scalar(c, 2, 0, &most));
    HEARTH_TRY(read_scalar(c, 3, 0, &unused));
    HEARTH_TRY(read_scalar(c, 4, 0, &unused));
    int64_t n = boxes->dim[1], rows;
    n = most <= 0 ? 0 : most < (double)n ? (int64_t)most : n;
    ok = mul_ok_i64(scores->dim[0], scores->dim[1], &rows) && mul_ok_i64(rows, n, &rows);
    int64_t dim[2] = {rows, 3};
    if (!ok) return op_fail(c, HEARTH_E_LIMIT, "too many boxes");
    tensor_set(op_out(c, 0), T_I64, 2, dim);
    return HEARTH_OK;
}

static hearth_status scratch_nms(const op_call *c, size_t *out)
{
    *out = (size_t)c->in[0]->dim[1];
    return HEARTH_OK;
}

typedef struct box { float y0, x0, y1, x1; } box;

static box box_at(const op_call *c, int64_t i)
{
    const float *p = (const float *)c->in[0]->data + 4 * i;
    if (((const nms_params *)c->params)->center) { // x, y, width, height
        return (box){p[1] - p[3] / 2, p[0] - p[2] / 2, p[1] + p[3] / 2, p[0] + p[2] / 2};
    }
    return (box){fminf(p[0], p[2]), fminf(p[1], p[3]), fmaxf(p[0], p[2]), fmaxf(p[1], p[3])};
}

static float overlap(box a, box b)
{
    float h = fminf(a.y1, b.y1) - fmaxf(a.y0, b.y0), w = fminf(a.x1, b.x1) - fmaxf(a.x0, b.x0);
    if (!(h > 0 && w > 0)) return 0;
    float both = (a.y1 - a.y0) * (a.x1 - a.x0) + (b.y1 - b.y0) * (b.x1 - b.x0) - h * w;
    return h * w / both;
}

static int64_t best_of(const float *scores, const uint8_t *gone, int64_t n, double least)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        bool counts = !gone[i] && (double)scores[i] > least;
        if (counts && (best < 0 || scores[i] > scores[best])) best = i;
    }
    return best;
}

// Boxes of picture b for one row of scores; returns how many triples were written.
static int64_t choose(const op_call *c, int64_t b, int64_t class, double most, int64_t *out)
{
    const tensor *scores = c->in[1];
    int64_t n = scores->dim[2], found = 0;
    const float *row = (const float *)scores->data + (b * scores->dim[1] + class) * n;
    double limit = op_in(c, 3) ? tensor_number(c->in[3], 0) : 0;
    double least = op_in(c, 4) ? tensor_number(c->in[4], 0) : (double)-INFINITY;
    uint8_t *gone = c->scratch;
    for (int64_t i = 0; i < n; i++) gone[i] = 0;
    while ((double)found < most) {
        int64_t best = best_of(row, gone, n, least);
        if (best < 0) break;
        box chosen = box_at(c, b * n + best);
        for (int64_t i = 0; i < n; i++) {
            if (!gone[i]) gone[i] = (double)overlap(chosen, box_at(c, b * n + i)) > limit;
        }
        gone[best] = 1;
        out[3 * found] = b, out[3 * found + 1] = class, out[3 * found + 2] = best;
        found++;
    }
    return found;
}

static hearth_status run_nms(const op_call *c)
{
    const tensor *scores = c->in[1];
    tensor *y = c->out[0];
    double most = 0;
    int64_t n = 0;
    HEARTH_TRY(read_scalar(c, 2, 0, &most));
    for (int64_t b = 0; b < scores->dim[0]; b++) {
        for (int64_t k = 0; k < scores->dim[1]; k++) {
            n += choose(c, b, k, most, (int64_t *)y->data + 3 * n);
        }
    }
    y->dim[0] = n;
    return HEARTH_OK;
}

// --- RoiAlign: x [N, C, H, W], boxes [R, 4], their pictures [R] -> [R, C, height, width] ---------

typedef struct roi_params {
    int64_t mode, half_pixel, height, width, samples;
    float scale;
} roi_params;
enum { GRID_MAX = 1 << 12 }; // samples of a box along an axis: more than a picture has pixels

static hearth_status shape_roi(const op_call *c)
{
    const roi_params *p = c->params;
    const tensor *x = c->in[0], *boxes = c->in[1], *of = c->in[2];
    bool ok = x->n_dims == 4 && boxes->n_dims == 2 && boxes->dim[1] == 4 && of->n_dims == 1 &&
              of->dim[0] == boxes->dim[0] && x->dim[2] > 0 && x->dim[3] > 0;
    bool fits = p->height > 0 && p->width > 0 && p->samples <= GRID_MAX;
    if (!ok || !fits) return op_fail(c, HEARTH_E_FORMAT, "input, boxes and sizes do not fit");
    int64_t dim[4] = {boxes->dim[0], x->dim[1], p->height, p->width};
    tensor_set(op_out(c, 0), x->type, 4, dim);
    return HEARTH_OK;
}

// Along one axis: the pixel before and after a sample, and the weight of the one after.
typedef struct between { int64_t low, high; double weight; } between;

static bool find_between(double v, int64_t n, between *b)
{
    if (!(v >= -1 && v <= (double)n)) return false;
    v = fmax(v, 0);
    b->low = (int64_t)v;
    if (b->low >= n - 1) {
        *b = (between){n - 1, n - 1, 0};
        return true;
    }
    b->high = b->low + 1;
    b->weight = v - (double)b->low;
    return true;
}

typedef struct roi { double y, x, bin_h, bin_w; int64_t rows, columns; } roi;

// The average of samples, or the largest weighted neighbour of any (as the definition has it).
static double pool_bin(const op_call *c, const float *plane, const roi *r, int64_t i, int64_t j)
{
    const tensor *x = c->in[0];
    bool is_max = ((const roi_params *)c->params)->mode != 0;
    int64_t width = x->dim[3], n = r->rows * r->columns;
    double sum = 0, top = (double)-INFINITY;
    for (int64_t k = 0; k < n; k++) {
        double sy = r->y + r->bin_h * ((double)i + ((double)(k / r->columns) + 0.5) /
                                                       (double)r->rows);
        double sx = r->x + r->bin_w * ((double)j + ((double)(k % r->columns) + 0.5) /
                                                       (double)r->columns);
        between v = {0, 0, 0}, h = {0, 0, 0};
        bool inside = find_between(sy, x->dim[2], &v) && find_between(sx, width, &h);
        const float *low = plane + v.low * width, *high = plane + v.high * width;
        double a = inside ? (1 - v.weight) * (1 - h.weight) * (double)low[h.low] : 0;
        double b = inside ? (1 - v.weight) * h.weight * (double)low[h.high] : 0;
        double d = inside ? v.weight * (1 - h.weight) * (double)high[h.low] : 0;
        double e = inside ? v.weight * h.weight * (double)high[h.high] : 0;
        sum += a + b + d + e;
        top = fmax(top, fmax(fmax(a, b), fmax(d, e)));
    }
    return is_max ? (n > 0 ? top : 0) : sum / (double)i64_max(n, 1);
}

static hearth_status read_roi(const op_call *c, int64_t i, roi *r)
{
    const roi_params *p = c->params;
    const float *b = (const float *)c->in[1]->data + 4 * i;
    bool half = c->opset >= 16 && p->half_pixel == 0;
    double scale = (double)p->scale, shift = half ? 0.5 : 0;
    r->x = (double)b[0] * scale - shift;
    r->y = (double)b[1] * scale - shift;
    double w = (double)b[2] * scale - shift - r->x, h = (double)b[3] * scale - shift - r->y;
    if (!half) w = fmax(w, 1), h = fmax(h, 1);
    r->bin_w = w / (double)p->width;
    r->bin_h = h / (double)p->height;
    if (!(fabs(r->bin_w) <= GRID_MAX && fabs(r->bin_h) <= GRID_MAX)) {
        return op_fail(c, HEARTH_E_ARG, "box %lld is too large", (long long)i);
    }
    r->rows = p->samples > 0 ? p->samples : i64_max(0, (int64_t)ceil(r->bin_h));
    r->columns = p->samples > 0 ? p->samples : i64_max(0, (int64_t)ceil(r->bin_w));
    return HEARTH_OK;
}

static hearth_status run_roi(const op_call *c)
{
    const tensor *x = c->in[0];
    tensor *y = c->out[0];
    float *to = y->data;
    for (int64_t k = 0; k < y->dim[0]; k++) {
        roi r = {.rows = 0};
        int64_t picture = tensor_int(c->in[2], k);
        HEARTH_TRY(read_roi(c, k, &r));
        if (picture < 0 || picture >= x->dim[0]) {
            return op_fail(c, HEARTH_E_ARG, "picture %lld of %lld", (long long)picture,
                           (long long)x->dim[0]);
        }
        for (int64_t ch = 0; ch < y->dim[1]; ch++) {
            const float *plane = (const float *)x->data;
            plane += (picture * x->dim[1] + ch) * x->dim[2] * x->dim[3];
            for (int64_t i = 0; i < y->dim[2] * y->dim[3]; i++) {
                *to++ = (float)pool_bin(c, plane, &r, i / y->dim[3], i % y->dim[3]);
            }
        }
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(roi_params, field)
static const op_attr nms_attrs[] = {
    {.name = "center_point_box", .kind = OP_INT, .at = offsetof(nms_params, center)}};
static const op_attr roi_attrs[] = {
    {.name = "mode", .kind = OP_CHOICE, AT(mode), .choices = "avg max"},
    {.name = "coordinate_transformation_mode", .kind = OP_CHOICE, AT(half_pixel),
     .choices = "half_pixel output_half_pixel"},
    {.name = "output_height", .kind = OP_INT, AT(height), .def = 1},
    {.name = "output_width", .kind = OP_INT, AT(width), .def = 1},
    {.name = "sampling_ratio", .kind = OP_INT, AT(samples)},
    {.name = "spatial_scale", .kind = OP_FLOAT, AT(scale), .def = 1},
};
static const graph_op box_ops[] = {
    {.name = "NonMaxSuppression", .since = 10, .in = "TTA?A?A?", .n_out = 1, .types = BIT(T_F32),
     .values = 31, OP_ATTRS(nms_attrs, nms_params), .shape = shape_nms, .plan = scratch_nms,
     .run = run_nms},
    {.name = "RoiAlign", .since = 10, .in = "TTL", .n_out = 1, .types = BIT(T_F32),
     .flags = OP_WIDEN, OP_ATTRS(roi_attrs, roi_params), .shape = shape_roi, .run = run_roi},
};
OP_FAMILY(ops_boxes, "", box_ops);
