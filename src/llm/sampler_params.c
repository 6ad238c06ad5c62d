// Sampling parameters: defaults (llama.cpp's), the names of the stages, and their ranges.
#include <math.h>

#include "llm/sampler_int.h"

void sampler_params_default(sampler_params *p)
{
    *p = (sampler_params){
        .temperature = 0.8f, .dynatemp_exponent = 1, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f,
        .typical_p = 1, .top_n_sigma = -1, .xtc_threshold = 0.1f, .repeat_penalty = 1,
        .repeat_last_n = 64, .dry_base = 1.75f, .dry_allowed_length = 2, .dry_last_n = 64,
        .mirostat_tau = 5, .mirostat_eta = 0.1f, .n_order = SAMPLER_STAGE_COUNT,
    };
    for (int i = 0; i < SAMPLER_STAGE_COUNT; i++) p->order[i] = (sampler_stage)i;
}

static const char *const stage_names[SAMPLER_STAGE_COUNT] = {
    [SAMPLER_PENALTIES] = "penalties", [SAMPLER_DRY] = "dry", [SAMPLER_TOP_N_SIGMA] = "top_n_sigma",
    [SAMPLER_TOP_K] = "top_k",         [SAMPLER_TYPICAL_P] = "typ_p", [SAMPLER_TOP_P] = "top_p",
    [SAMPLER_MIN_P] = "min_p",         [SAMPLER_XTC] = "xtc",
    [SAMPLER_TEMPERATURE] = "temperature",
};

static bool find_stage(str name, sampler_stage *out)
{
    for (int i = 0; i < SAMPLER_STAGE_COUNT; i++) {
        if (!str_eq_z(name, stage_names[i])) continue;
        *out = (sampler_stage)i;
        return true;
    }
    return false;
}

hearth_status sampler_parse_order(str text, sampler_params *p, hearth_err *err)
{
    sampler_stage order[SAMPLER_STAGE_COUNT] = {0};
    int n = 0;
    while (text.n > 0) {
        str name = str_trim(str_cut(&text, ';'));
        if (n == SAMPLER_STAGE_COUNT)
            return err_fail(err, HEARTH_E_ARG, "samplers: more than %d stages", n);
        if (!find_stage(name, &order[n++]))
            return err_fail(err, HEARTH_E_ARG, "samplers: '%.*s' is none of penalties, dry, "
                            "top_n_sigma, top_k, typ_p, top_p, min_p, xtc, temperature",
                            STR_ARG(name));
    }
    for (int i = 0; i < n; i++) p->order[i] = order[i];
    p->n_order = n;
    return HEARTH_OK;
}

// The ranges of the number parameters; NaN is in none of them.
static hearth_status check_float(const char *name, float x, float low, float high, hearth_err *err)
{
    if (x >= low && x <= high) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "%s: %g is not in [%g, %g]", name, (double)x, (double)low,
                    (double)high);
}

static hearth_status check_int(const char *name, int64_t x, int64_t low, int64_t high,
                               hearth_err *err)
{
    if (x >= low && x <= high) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "%s: %lld is not in [%lld, %lld]", name, (long long)x,
                    (long long)low, (long long)high);
}

// Far above anything meant; keeps every later product finite in double.
#define MOST 1e6f

static hearth_status check_floats(const sampler_params *p, hearth_err *err)
{
    const struct { const char *name; float x, low, high; } ranges[] = {
        {"temperature", p->temperature, -MOST, MOST},
        {"dynatemp_range", p->dynatemp_range, 0, MOST},
        {"dynatemp_exponent", p->dynatemp_exponent, 0, MOST},
        {"top_p", p->top_p, 0, 1},
        {"min_p", p->min_p, 0, 1},
        {"typical_p", p->typical_p, 0, 1},
        {"top_n_sigma", p->top_n_sigma, -MOST, MOST},
        {"xtc_probability", p->xtc_probability, 0, 1},
        {"xtc_threshold", p->xtc_threshold, 0, 1},
        {"repeat_penalty", p->repeat_penalty, 1e-6f, MOST},
        {"presence_penalty", p->presence_penalty, -MOST, MOST},
        {"frequency_penalty", p->frequency_penalty, -MOST, MOST},
        {"dry_multiplier", p->dry_multiplier, 0, MOST},
        {"dry_base", p->dry_base, 0, MOST},
        {"mirostat_tau", p->mirostat_tau, 0, MOST},
        {"mirostat_eta", p->mirostat_eta, 0, MOST},
    };
    for (size_t i = 0; i < COUNTOF(ranges); i++)
        HEARTH_TRY(check_float(ranges[i].name, ranges[i].x, ranges[i].low, ranges[i].high, err));
    return HEARTH_OK;
}

hearth_status sampler_params_check(const sampler_params *p, int32_t n_vocab, hearth_err *err)
{
    HEARTH_TRY(check_floats(p, err));
    HEARTH_TRY(check_int("repeat_last_n", p->repeat_last_n, -1, LIMIT_CONTEXT, err));
    HEARTH_TRY(check_int("dry_allowed_length", p->dry_allowed_length, 0, LIMIT_CONTEXT, err));
    HEARTH_TRY(check_int("dry_penalty_last_n", p->dry_last_n, -1, LIMIT_CONTEXT, err));
    HEARTH_TRY(check_int("mirostat", p->mirostat, 0, 2, err));
    HEARTH_TRY(check_int("min_keep", p->min_keep, 0, INT32_MAX, err));
    HEARTH_TRY(check_int("number of samplers", p->n_order, 0, SAMPLER_STAGE_COUNT, err));
    for (int i = 0; i < p->n_order; i++)
        HEARTH_TRY(check_int("sampler", p->order[i], 0, SAMPLER_STAGE_COUNT - 1, err));
    if (p->n_bias > LIMIT_LOGIT_BIAS)
        return err_fail(err, HEARTH_E_LIMIT, "logit_bias: %zu entries, at most %d", p->n_bias,
                        LIMIT_LOGIT_BIAS);
    for (size_t i = 0; i < p->n_bias; i++) {
        HEARTH_TRY(check_int("logit_bias: token", p->bias[i].id, 0, n_vocab - 1, err));
        if (isnan(p->bias[i].bias))
            return err_fail(err, HEARTH_E_ARG, "logit_bias: token %d has the bias NaN",
                            p->bias[i].id);
    }
    return HEARTH_OK;
}
