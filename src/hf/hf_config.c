// Questions to config.json, see hf_int.h.
#include <stdio.h>

#include "hf/hf_int.h"

const conf_value *hf_config_find(const hf_model *m, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "text_config.%s", name);
    const conf_value *v = conf_find(&m->config, path);
    return v ? v : conf_find(&m->config, name);
}

static double value_f64(const conf_value *v, double fallback)
{
    double f;
    return v && v->kind == JSON_NUMBER && str_parse_f64(v->text, &f) ? f : fallback;
}

int64_t hf_config_i64(const hf_model *m, const char *name, int64_t fallback)
{
    const conf_value *v = hf_config_find(m, name);
    int64_t i;
    return v && v->kind == JSON_NUMBER && str_parse_i64(v->text, &i) ? i : fallback;
}

double hf_config_f64(const hf_model *m, const char *name, double fallback)
{
    return value_f64(hf_config_find(m, name), fallback);
}

str hf_config_str(const hf_model *m, const char *name)
{
    const conf_value *v = hf_config_find(m, name);
    return v && v->kind == JSON_STRING ? v->text : (str){0};
}

const conf_value *hf_rope_find(const hf_model *m, const char *name)
{
    static const char *const places[] = {"rope_parameters.full_attention", "rope_parameters",
                                         "rope_scaling"};
    char path[160];
    for (size_t i = 0; i < COUNTOF(places); i++) {
        snprintf(path, sizeof path, "%s.%s", places[i], name);
        const conf_value *v = hf_config_find(m, path);
        if (v) return v;
    }
    return NULL;
}

double hf_rope_f64(const hf_model *m, const char *name, double fallback)
{
    return value_f64(hf_rope_find(m, name), hf_config_f64(m, name, fallback));
}

str hf_rope_type(const hf_model *m)
{
    const conf_value *v = hf_rope_find(m, "rope_type");
    if (!v) v = hf_rope_find(m, "type"); // its older name
    return v && v->kind == JSON_STRING ? v->text : STR("default");
}

int64_t hf_head_size(const hf_model *m)
{
    int64_t n_head = hf_config_i64(m, "num_attention_heads", 0);
    int64_t plain = n_head > 0 ? hf_config_i64(m, "hidden_size", 0) / n_head : 0;
    return hf_config_i64(m, "head_dim", plain);
}
