// Sound: windows, MelWeightMatrix, STFT.
//
// Transforms are sums over a table of the roots of unity in double, n^2 of them for n points: the
// lengths of speech models (256 to 512, once a frame) cost little beside the layers that follow.
// The last dimension is 1 for real and 2 for complex numbers.
#include "graph/op/op.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

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

static hearth_status read_length(const op_call *c, int i, int64_t *out)
{
    const tensor *t = c->in[i];
    bool ok = tensor_items(t) == 1 && (t->type == T_I32 || t->type == T_I64);
    *out = ok ? tensor_int(t, 0) : -1;
    if (*out >= 0 && *out <= INT32_MAX) return HEARTH_OK;
    return op_fail(c, HEARTH_E_FORMAT, "input %d is no length", i);
}

static hearth_status check_type(const op_call *c, int64_t type)
{
    if (type >= 0 && type < T_COUNT && (BIT(type) & (TS_FLOAT | TS_HALF))) return HEARTH_OK;
    return op_fail(c, HEARTH_E_UNSUPPORTED, "results of element type %lld", (long long)type);
}

// --- windows: a - b cos(t) + c cos(2 t) ----------------------------------------------------------

typedef struct window_shape { double a, b, c; } window_shape;
static const window_shape hann = {0.5, 0.5, 0}, hamming = {25.0 / 46, 21.0 / 46, 0},
                          blackman = {0.42, 0.5, 0.08};
typedef struct signal_params { int64_t type, periodic, onesided; } signal_params;

static hearth_status shape_window(const op_call *c)
{
    const signal_params *p = c->params;
    int64_t n = 0;
    HEARTH_TRY(read_length(c, 0, &n));
    HEARTH_TRY(check_type(c, p->type));
    tensor_set(op_out(c, 0), (elem)p->type, 1, &n);
    return HEARTH_OK;
}

static hearth_status run_window(const op_call *c)
{
    const window_shape *w = c->op->aux;
    int64_t n = c->out[0]->dim[0];
    int64_t period = ((const signal_params *)c->params)->periodic ? n : n - 1;
    for (int64_t i = 0; i < n; i++) {
        double t = period ? 2 * pi * (double)i / (double)period : 0;
        put(c->out[0], i, w->a - w->b * cos(t) + w->c * cos(2 * t));
    }
    return HEARTH_OK;
}

// --- MelWeightMatrix: triangles that are even on the mel scale -----------------------------------

static hearth_status shape_mel(const op_call *c)
{
    const signal_params *p = c->params;
    int64_t bands = 0, length = 0;
    HEARTH_TRY(read_length(c, 0, &bands));
    HEARTH_TRY(read_length(c, 1, &length));
    HEARTH_TRY(check_type(c, p->type));
    int64_t dim[2] = {length / 2 + 1, bands};
    tensor_set(op_out(c, 0), (elem)p->type, 2, dim);
    return HEARTH_OK;
}

static double to_mel(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

static double to_hertz(double mel)
{
    return 700 * (pow(10, mel / 2595) - 1);
}

// Edge k of the triangles as a bin of the spectrum.
static double edge_bin(const op_call *c, int64_t k, int64_t bands, int64_t length, int64_t rate)
{
    double low = to_mel(tensor_number(c->in[3], 0)), high = to_mel(tensor_number(c->in[4], 0));
    double mel = low + (high - low) / (double)(bands + 2) * (double)k;
    return floor((double)(length + 1) * to_hertz(mel) / (double)rate);
}

static hearth_status run_mel(const op_call *c)
{
    int64_t bands = 0, length = 0, rate = 0, n = c->out[0]->dim[0];
    HEARTH_TRY(read_length(c, 0, &bands));
    HEARTH_TRY(read_length(c, 1, &length));
    HEARTH_TRY(read_length(c, 2, &rate));
    bool ok = rate > 0 && tensor_items(c->in[3]) == 1 && tensor_items(c->in[4]) == 1;
    if (!ok) return op_fail(c, HEARTH_E_ARG, "sample rate and edges are no positive scalars");
    for (int64_t k = 0; k < bands; k++) {
        double left = edge_bin(c, k, bands, length, rate);
        double top = edge_bin(c, k + 1, bands, length, rate);
        double right = edge_bin(c, k + 2, bands, length, rate);
        for (int64_t i = 0; i < n; i++) {
            double v = 0, at = (double)i;
            if (at >= left && at <= top) v = top > left ? (at - left) / (top - left) : 1;
            if (at >= top && at < right) v = (right - at) / (right - top);
            put(c->out[0], i * bands + k, v);
        }
    }
    return HEARTH_OK;
}

// --- transforms ---------------------------------------------------------------------------------

// Scratch: cosines and sines of n roots of unity.
static void fill_roots(double *roots, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double t = 2 * pi * (double)i / (double)n;
        roots[2 * i] = cos(t);
        roots[2 * i + 1] = -sin(t);
    }
}

// A line of complex or real numbers `step` apart in t.
typedef struct line { const tensor *t; int64_t at, step, n; bool is_complex; } line;

static void read_number(const line *l, int64_t i, double *re, double *im)
{
    int64_t at = l->at + i * l->step;
    *re = get(l->t, at);
    *im = l->is_complex ? get(l->t, at + 1) : 0;
}

// Point k of the transform of n points; what the line lacks is 0.
static void transform_point(const line *l, const double *roots, int64_t n, int64_t k, double *re,
                            double *im)
{
    *re = *im = 0;
    for (int64_t i = 0, r = 0; i < l->n && i < n; i++, r = (r + k) % n) {
        double a, b;
        read_number(l, i, &a, &b);
        *re += a * roots[2 * r] - b * roots[2 * r + 1];
        *im += a * roots[2 * r + 1] + b * roots[2 * r];
    }
}

// --- STFT: signal [batch, length, 1 or 2], step, window, frame length ----------------------------

typedef struct stft { int64_t step, frame, frames, bins; } stft;

static hearth_status read_stft(const op_call *c, stft *s)
{
    const tensor *x = c->in[0], *window = op_in(c, 2);
    if (x->n_dims != 3 || (x->dim[2] != 1 && x->dim[2] != 2)) {
        return op_fail(c, HEARTH_E_FORMAT, "the signal is not [batch, length, 1 or 2]");
    }
    HEARTH_TRY(read_length(c, 1, &s->step));
    s->frame = window ? window->dim[0] : x->dim[1];
    if (op_in(c, 3)) HEARTH_TRY(read_length(c, 3, &s->frame));
    bool ok = s->step > 0 && s->frame > 0 && s->frame <= x->dim[1] &&
              (!window || (window->n_dims == 1 && window->dim[0] == s->frame));
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "frames of %lld every %lld", (long long)s->frame,
                            (long long)s->step);
    s->frames = 1 + (x->dim[1] - s->frame) / s->step;
    s->bins = ((const signal_params *)c->params)->onesided ? s->frame / 2 + 1 : s->frame;
    return HEARTH_OK;
}

static hearth_status shape_stft(const op_call *c)
{
    stft s;
    HEARTH_TRY(read_stft(c, &s));
    int64_t dim[4] = {c->in[0]->dim[0], s.frames, s.bins, 2};
    tensor_set(op_out(c, 0), c->in[0]->type, 4, dim);
    return HEARTH_OK;
}

// The roots, and a frame times the window.
static hearth_status scratch_stft(const op_call *c, size_t *out)
{
    stft s;
    HEARTH_TRY(read_stft(c, &s));
    *out = (size_t)s.frame * 4 * sizeof(double);
    return HEARTH_OK;
}

static hearth_status run_stft(const op_call *c)
{
    stft s;
    const tensor *x = c->in[0], *window = op_in(c, 2);
    HEARTH_TRY(read_stft(c, &s));
    int64_t parts = x->dim[2];
    double *roots = c->scratch, *frame = roots + 2 * s.frame;
    tensor framed = {.type = T_F64, .data = frame};
    fill_roots(roots, s.frame);
    for (int64_t f = 0; f < x->dim[0] * s.frames; f++) {
        int64_t at = (f / s.frames * x->dim[1] + f % s.frames * s.step) * parts;
        for (int64_t i = 0; i < s.frame * parts; i++) {
            frame[i] = get(x, at + i) * (window ? get(window, i / parts) : 1);
        }
        line l = {&framed, 0, parts, s.frame, parts == 2};
        for (int64_t k = 0; k < s.bins; k++) {
            double re, im;
            transform_point(&l, roots, s.frame, k, &re, &im);
            put(c->out[0], (f * s.bins + k) * 2, re);
            put(c->out[0], (f * s.bins + k) * 2 + 1, im);
        }
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(signal_params, field)
#define TYPE {.name = "output_datatype", .kind = OP_INT, AT(type), .def = T_F32}
static const op_attr window_attrs[] = {
    TYPE, {.name = "periodic", .kind = OP_INT, AT(periodic), .def = 1}};
static const op_attr mel_attrs[] = {TYPE};
static const op_attr stft_attrs[] = {
    {.name = "onesided", .kind = OP_INT, AT(onesided), .def = 1}};
#define WINDOW(kind) .since = 17, .in = "I", .n_out = 1, .flags = OP_WIDEN, .values = 1, \
    .aux = &(kind), OP_ATTRS(window_attrs, signal_params), .shape = shape_window, .run = run_window
static const graph_op signal_ops[] = {
    {WINDOW(hann), .name = "HannWindow"},
    {WINDOW(hamming), .name = "HammingWindow"},
    {WINDOW(blackman), .name = "BlackmanWindow"},
    {.name = "MelWeightMatrix", .since = 17, .in = "AAAAA", .n_out = 1, .flags = OP_WIDEN,
     .values = 3, OP_ATTRS(mel_attrs, signal_params), .shape = shape_mel, .run = run_mel},
    {.name = "STFT", .since = 17, .in = "TIT?I?", .n_out = 1, .types = TS_FLOAT,
     .flags = OP_WIDEN, .values = 2 | 8, OP_ATTRS(stft_attrs, signal_params), .shape = shape_stft,
     .plan = scratch_stft, .run = run_stft},
};
OP_FAMILY(ops_signal, "", signal_ops);
