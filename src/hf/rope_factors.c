// Divisors of rotary frequencies that config.json states and a GGUF holds as tensors.
//
//   llama3    "rope_freqs.weight": 1 for short wavelengths, `factor` for those beyond the original
//             context, and between low_freq_factor and high_freq_factor turns of it a blend
//   longrope  "rope_factors_long.weight", "rope_factors_short.weight": two lists, as they are
#include <math.h>
#include <stdio.h>

#include "hf/hf_int.h"

enum { FACTORS_MAX = LIMIT_HEAD_SIZE };
static const double two_pi = 6.283185307179586;

static float blend_factor(double wavelength, double factor, double low, double high, double context)
{
    if (wavelength < context / high) return 1;
    if (wavelength > context / low) return (float)factor;
    double smooth = (context / wavelength - low) / (high - low);
    return (float)(1 / ((1 - smooth) / factor + smooth));
}

static hearth_status plan_llama3(hf_model *m, hearth_err *err)
{
    int64_t d = hf_head_size(m), n = d / 2;
    double base = hf_rope_f64(m, "rope_theta", 10000), factor = hf_rope_f64(m, "factor", 8);
    double low = hf_rope_f64(m, "low_freq_factor", 1), high = hf_rope_f64(m, "high_freq_factor", 4);
    double context = hf_rope_f64(m, "original_max_position_embeddings", 8192);
    if (n < 1 || n > FACTORS_MAX || !(high > low && low > 0 && factor > 0)) {
        return err_fail(err, HEARTH_E_FORMAT, "%s/config.json: rope factors %g to %g of heads of "
                        "%lld make no scaling", m->dir, low, high, (long long)d);
    }
    float *v = arena_new(&m->mem, float, (size_t)n);
    if (!v) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for rope factors", m->dir);
    for (int64_t i = 0; i < n; i++) {
        double wavelength = two_pi * pow(base, 2 * (double)i / (double)d);
        v[i] = blend_factor(wavelength, factor, low, high, context);
    }
    return hf_plan_made(m, "rope_freqs.weight", v, n, err);
}

static hearth_status plan_list(hf_model *m, const char *list, const char *name, hearth_err *err)
{
    const conf_value *all = hf_rope_find(m, list);
    if (!all) return HEARTH_OK;
    int64_t n = all->kind == JSON_ARRAY_BEGIN ? all->n : 0;
    if (n < 1 || n > FACTORS_MAX) {
        return err_fail(err, HEARTH_E_FORMAT, "%s/config.json: '%s' is no list of factors", m->dir,
                        list);
    }
    float *v = arena_new(&m->mem, float, (size_t)n);
    if (!v) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for rope factors", m->dir);
    for (int64_t i = 0; i < n; i++) {
        char item[64];
        snprintf(item, sizeof item, "%s.%lld", list, (long long)i);
        const conf_value *one = hf_rope_find(m, item);
        double f = 0;
        if (!one || one->kind != JSON_NUMBER || !str_parse_f64(one->text, &f) || !(f > 0)) {
            return err_fail(err, HEARTH_E_FORMAT, "%s/config.json: '%s' is no factor", m->dir,
                            item);
        }
        v[i] = (float)f;
    }
    return hf_plan_made(m, name, v, n, err);
}

hearth_status hf_plan_rope(hf_model *m, hearth_err *err)
{
    if (str_eq_z(hf_rope_type(m), "llama3")) return plan_llama3(m, err);
    HEARTH_TRY(plan_list(m, "long_factor", "rope_factors_long.weight", err));
    return plan_list(m, "short_factor", "rope_factors_short.weight", err);
}
