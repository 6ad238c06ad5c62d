// Tensors of a GGUF that are a part of a folder's tensor, or one turned over.
//
// One formula says them all: element (i, r, s) of the result, i along its contiguous dimension,
// stands in the source at
//
//   origin + i * step[0] + r * step[1] + s * step[2]
//
// in elements, of MXFP4 in blocks of 32. step[0] == 1 means that rows are whole in the source, and
// can be copied or, in a view, left where they are.
//
//   HF_FIRST, HF_SECOND  halves of each slice's rows: gate and up of [expert][2 n_ff][n]
//   HF_EVEN, HF_ODD      gpt-oss, where gate and up alternate: of biases [expert][2 n_ff], of
//                        matrices [expert][n][2 n_ff], which are turned over as well
//   HF_TURNED            [slice][a][b] as [slice][b][a]
//   HF_MX ..             [expert][rows][blocks][16] bytes, and [expert][rows][blocks] scales beside
//   HF_K_B, HF_V_B       a head's rows [plain + d_v][latent] apart, and the keys' turned over
//   HF_SQUEEZED          [n][1][taps] as [n][taps]
#include "hf/hf_int.h"

enum { MX_CODES = 16, MX_BLOCK = 32 };

static void put(hf_tensor *t, int n_dims, int64_t d0, int64_t d1, int64_t d2)
{
    t->n_dims = n_dims;
    t->dim[0] = d0;
    t->dim[1] = d1;
    t->dim[2] = d2;
    t->dim[3] = 1;
}

static void cut(hf_tensor *t, int64_t origin, int64_t step0, int64_t step1, int64_t step2)
{
    t->is_cut = true;
    t->cut = (hf_cut){origin, {step0, step1, step2}};
}

static bool cut_half(hf_tensor *t, bool second)
{
    int64_t n = t->dim[0], half = t->dim[1] / 2;
    if (t->n_dims < 2 || t->n_dims > 3 || t->dim[1] % 2 != 0) return false;
    put(t, t->n_dims, n, half, t->dim[2]);
    cut(t, second ? half * n : 0, 1, n, 2 * half * n);
    return true;
}

static bool cut_alternate(hf_tensor *t, bool odd)
{
    int64_t all = t->dim[0], n = t->dim[1], slices = t->dim[2];
    if (t->n_dims < 2 || t->n_dims > 3 || all % 2 != 0) return false;
    if (t->n_dims == 2) {
        put(t, 2, all / 2, n, 1);
        cut(t, odd, 2, all, 0);
    } else {
        put(t, 3, n, all / 2, slices);
        cut(t, odd, all, 2, all * n);
    }
    return true;
}

static bool cut_turned(hf_tensor *t)
{
    int64_t a = t->dim[0], b = t->dim[1];
    if (t->n_dims < 2 || t->n_dims > 3) return false;
    put(t, t->n_dims, b, a, t->dim[2]);
    cut(t, 0, a, 1, a * b);
    return true;
}

// `every`: 1 for all rows, 2 for every second one, from row `first` on.
static bool cut_mx(hf_tensor *t, const hf_tensor *scales, int64_t every, int64_t first)
{
    int64_t blocks = t->dim[1], rows = t->dim[2], slices = t->dim[3];
    bool fits = t->n_dims == 4 && t->dim[0] == MX_CODES && t->type == ST_U8 && rows % every == 0 &&
                scales->n_dims == 3 && scales->type == ST_U8 && scales->dim[0] == blocks &&
                scales->dim[1] == rows && scales->dim[2] == slices;
    if (!fits) return false;
    put(t, 3, blocks * MX_BLOCK, rows / every, slices);
    cut(t, first * blocks, 1, every * blocks, rows * blocks);
    return true;
}

static bool cut_latent(const hf_model *m, hf_tensor *t, bool is_value)
{
    int64_t plain = hf_config_i64(m, "qk_nope_head_dim", 0), n = t->dim[0];
    int64_t d_v = hf_config_i64(m, "v_head_dim", 0);
    if (t->n_dims != 2 || plain < 1 || d_v < 1 || plain > t->dim[1] || d_v > t->dim[1] - plain ||
        t->dim[1] % (plain + d_v) != 0)
        return false;
    int64_t heads = t->dim[1] / (plain + d_v), slice = (plain + d_v) * n;
    if (is_value) {
        put(t, 3, n, d_v, heads);
        cut(t, plain * n, 1, n, slice);
    } else {
        put(t, 3, plain, n, heads);
        cut(t, 0, n, 1, slice);
    }
    return true;
}

static bool squeeze(hf_tensor *t)
{
    if (t->n_dims != 3 || t->dim[1] != 1) return false;
    put(t, 2, t->dim[0], t->dim[2], 1);
    return true;
}

bool hf_cut_apply(const hf_model *m, hf_tensor *t, const hf_tensor *scales)
{
    switch (t->op) {
    case HF_FIRST: return cut_half(t, false);
    case HF_SECOND: return cut_half(t, true);
    case HF_EVEN: return cut_alternate(t, false);
    case HF_ODD: return cut_alternate(t, true);
    case HF_TURNED: return cut_turned(t);
    case HF_MX: return cut_mx(t, scales, 1, 0);
    case HF_MX_EVEN: return cut_mx(t, scales, 2, 0);
    case HF_MX_ODD: return cut_mx(t, scales, 2, 1);
    case HF_K_B: return cut_latent(m, t, false);
    case HF_V_B: return cut_latent(m, t, true);
    case HF_SQUEEZED: return squeeze(t);
    default: return true;
    }
}
