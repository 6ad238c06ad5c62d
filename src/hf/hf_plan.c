// From names in the files to the tensors of a GGUF, see hf_int.h.
//
// A name is taken apart as  [wrapper] ["layers." N "."] stem (".weight" | ".bias" | nothing):
// wrappers are "model.", "language_model." and their like, N counts layers, and an expert's number
// in the stem becomes "*". The stem is looked for in the family's rows, then in the common ones; a
// tensor that no row knows is an error, since a model without it would compute something else.
//
// A stem may stand in several rows, which make a tensor each of parts of it (cut.c).
//
// Experts of one name gather in one hf_tensor, each as a run in its place; at the end every place
// must be taken.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "hf/hf_int.h"

#define TENSORS_BYTES_MAX ((size_t)1 << 30)

typedef struct parsed_name {
    int64_t layer, expert;   // -1: none
    char stem[96];           // with "*" for the expert
    const char *ending;      // ".weight" or ".bias"
} parsed_name;

size_t hf_tensor_count(const hf_model *m) { return m->tensors.n / sizeof(hf_tensor); }

static hf_tensor *tensor_at(const hf_model *m, size_t i)
{
    ASSERT(i < hf_tensor_count(m));
    return (hf_tensor *)(void *)m->tensors.p + i;
}

const hf_tensor *hf_tensor_at(const hf_model *m, size_t i) { return tensor_at(m, i); }

// --- names --------------------------------------------------------------------------------------

static bool take_front(str *s, const char *front)
{
    str f = str_from(front);
    if (!str_starts(*s, f)) return false;
    *s = (str){s->p + f.n, s->n - f.n};
    return true;
}

// "12.rest": the number, and the rest without the dot.
static bool take_number(str *s, int64_t *out)
{
    str rest = *s, digits = str_cut(&rest, '.');
    if (rest.n == 0 || digits.n > 6 || !str_parse_i64(digits, out) || *out < 0) return false;
    *s = rest;
    return true;
}

static bool parse_name(str name, parsed_name *out)
{
    static const char *const wrappers[] = {"model.", "language_model.", "text_model."};
    *out = (parsed_name){.layer = -1, .expert = -1, .ending = ".weight"};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNTOF(wrappers); i++) take_front(&name, wrappers[i]);
    if (take_front(&name, "layers.") && !take_number(&name, &out->layer)) return false;
    if (str_ends(name, STR(".weight"))) {
        name.n -= 7;
    } else if (str_ends(name, STR(".bias"))) {
        name.n -= 5;
        out->ending = ".bias";
    } else if (str_ends(name, STR("_bias"))) {
        out->ending = ".bias";
    }
    size_t at = str_find(name, STR(".experts."), 0), n = 0;
    if (at != SIZE_MAX) {
        str tail = {name.p + at + 9, name.n - at - 9};
        if (take_number(&tail, &out->expert)) {
            n = (size_t)snprintf(out->stem, sizeof out->stem, "%.*s.experts.*.",
                                 (int)size_min(at, 64), name.p);
            name = tail;
        }
    }
    if (n + name.n >= sizeof out->stem) return false;
    memcpy(out->stem + n, name.p, name.n);
    return true;
}

// The next row of this name, from `rows` on.
static const hf_name *find_row(const hf_name *rows, const parsed_name *p)
{
    for (; rows && rows->theirs; rows++)
        if (rows->is_in_layer == (p->layer >= 0) && !strcmp(rows->theirs, p->stem)) return rows;
    return NULL;
}

static void print_name(const parsed_name *p, const hf_name *row, char out[64])
{
    if (p->layer >= 0)
        snprintf(out, 64, "blk.%lld.%s%s", (long long)p->layer, row->ours, p->ending);
    else
        snprintf(out, 64, "%s%s", row->ours, p->ending);
}

bool hf_name_of(const hf_family *f, str theirs, char out[64], hf_op *op)
{
    parsed_name p;
    if (!parse_name(theirs, &p) || p.expert >= 0) return false;
    const hf_name *row = find_row(f->names, &p);
    if (!row) row = find_row(hf_common_names, &p);
    if (!row || row->op > HF_PAIRS) return false; // parts of it are no one's name
    print_name(&p, row, out);
    *op = row->op;
    return true;
}

// Parts of a model that do not read text. A text model has no such names.
static bool is_of_another_sense(str name)
{
    static const char *const parts[] = {"visual.", "vision_", "vision.", "audio_", "audio.",
                                        "multi_modal_projector.", "mm_projector.", "embed_vision.",
                                        "embed_audio."};
    take_front(&name, "model.");
    for (size_t i = 0; i < COUNTOF(parts); i++)
        if (str_starts(name, str_from(parts[i]))) return true;
    return false;
}

// What a file may hold and a model does not need: tables that older versions of the library saved.
static bool is_unneeded(const hf_model *m, const parsed_name *p)
{
    static const char *const stems[] = {"self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq",
                                        "attention.masked_bias"};
    for (size_t i = 0; i < COUNTOF(stems); i++)
        if (!strcmp(p->stem, stems[i])) return true;
    // Layers that predict further tokens follow the model's own.
    if (p->layer >= hf_config_i64(m, "num_hidden_layers", INT64_MAX)) return true;
    if (strcmp(p->stem, "lm_head") || p->layer >= 0) return false;
    const conf_value *tied = hf_config_find(m, "tie_word_embeddings");
    return m->family->is_tied || (tied && tied->kind == JSON_TRUE);
}

// --- tensors ------------------------------------------------------------------------------------

static hearth_status fail_source(const hf_source *s, const char *what, hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "%s: tensor '%.*s': %s", s->shard->path,
                    STR_ARG(s->t->name), what);
}

// Appends an hf_tensor of this name, or finds the one that is there.
static hearth_status place_tensor(hf_model *m, const hf_tensor *t, hf_tensor **out, bool *is_new,
                                  hearth_err *err)
{
    uint32_t i;
    size_t n = hf_tensor_count(m);
    *is_new = !map_get(&m->names, str_from(t->name), &i);
    if (!*is_new) {
        *out = tensor_at(m, i);
        return HEARTH_OK;
    }
    const char *key = arena_copy_string(&m->mem, t->name, strlen(t->name));
    hearth_status s = key ? map_put(&m->names, str_from(key), (uint32_t)n, NULL) : HEARTH_E_NOMEM;
    if (s == HEARTH_OK) s = buf_append(&m->tensors, t, sizeof *t);
    if (s != HEARTH_OK) return err_fail(err, s, "%s: no memory for %zu tensors", m->dir, n);
    *out = tensor_at(m, n);
    return HEARTH_OK;
}

static void set_shape(hf_tensor *t, const st_tensor *s)
{
    t->n_dims = int_max(s->n_dims, 1);
    for (int i = 0; i < LIMIT_TENSOR_DIMS; i++)
        t->dim[i] = i < s->n_dims ? s->dim[s->n_dims - 1 - i] : 1;
}

static int64_t count_rows(const st_tensor *s)
{
    int64_t rows = 1; // no overflow: the file has a byte for each
    for (int i = 0; i + 1 < s->n_dims; i++) rows *= s->dim[i];
    return rows;
}

// The types that llama.cpp's converter keeps in F32 whatever is asked for.
static bool is_always_float(const hf_tensor *t, const parsed_name *p)
{
    str name = str_from(t->name);
    return t->n_dims == 1 || strcmp(p->ending, ".weight") != 0 ||
           str_ends(name, STR("_norm.weight")) || str_ends(name, STR("ffn_gate_inp.weight")) ||
           str_ends(name, STR("ffn_gate_inp_shexp.weight")) ||
           str_ends(name, STR("shortconv.conv.weight"));
}

static bool is_mx(hf_op op) { return op == HF_MX || op == HF_MX_EVEN || op == HF_MX_ODD; }

static hearth_status check_source(const hf_source *s, hf_op op, hearth_err *err)
{
    if (s->t->bytes == 0) return fail_source(s, "has no elements", err);
    if (is_mx(op)) return HEARTH_OK; // cut.c knows their shape
    if (s->t->n_dims > 3) return fail_source(s, "has more than 3 dimensions", err);
    if (hf_can_produce(s->t->type)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "%s: tensor '%.*s': weights of type %s are not "
                    "supported", s->shard->path, STR_ARG(s->t->name), st_type_name(s->t->type));
}

// "..gate_up_proj_blocks": the tensor "..gate_up_proj_scales", in whatever file it is.
static const st_tensor *find_scales(const hf_model *m, str blocks)
{
    char name[256];
    if (!str_ends(blocks, STR("_blocks")) || blocks.n >= sizeof name) return NULL;
    snprintf(name, sizeof name, "%.*s_scales", (int)(blocks.n - 7), blocks.p);
    for (size_t i = 0; i < m->n_shards; i++) {
        const st_tensor *t = safetensors_find(m->shard[i].st, str_from(name));
        if (t) return t;
    }
    return NULL;
}

static hearth_status apply_cut(const hf_model *m, hf_tensor *t, const hf_source *s,
                               hearth_err *err)
{
    hf_tensor scales = {0};
    if (is_mx(t->op)) {
        t->scales = find_scales(m, s->t->name);
        if (!t->scales) return fail_source(s, "has no scales beside it", err);
        scales.type = t->scales->type;
        set_shape(&scales, t->scales);
    }
    if (hf_cut_apply(m, t, &scales)) return HEARTH_OK;
    return fail_source(s, "has not the shape of the parts it should have", err);
}

static hearth_status prepare_runs(hf_model *m, hf_tensor *t, const parsed_name *p, hearth_err *err)
{
    t->has_experts = p->expert >= 0;
    t->n_runs = t->has_experts ? hf_config_i64(m, "num_local_experts", 0) : 1;
    if (t->n_runs == 0) t->n_runs = hf_config_i64(m, "num_experts", 0);
    if (t->n_runs == 0) t->n_runs = hf_config_i64(m, "n_routed_experts", 0);
    if (t->n_runs < 1 || t->n_runs > LIMIT_EXPERTS) {
        return err_fail(err, HEARTH_E_FORMAT, "%s/config.json: %lld experts are not in 1..%d",
                        m->dir, (long long)t->n_runs, LIMIT_EXPERTS);
    }
    t->run = arena_new(&m->mem, hf_run, (size_t)t->n_runs);
    if (!t->run) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for tensors", m->dir);
    if (t->has_experts) {
        t->n_dims = 3;
        t->dim[2] = t->n_runs;
    }
    return HEARTH_OK;
}

static hearth_status add_run(hf_tensor *t, const hf_source *s, int64_t at, hearth_err *err)
{
    hf_tensor shape;
    set_shape(&shape, s->t);
    if (at >= t->n_runs) return fail_source(s, "is of more experts than config.json says", err);
    if (t->run[at].source) return fail_source(s, "is there twice", err);
    if (!t->has_experts) {
        t->run[0] = (hf_run){s, 0, count_rows(s->t)};
        return HEARTH_OK;
    }
    bool is_like = s->t->type == t->type && !s->packed == !t->is_packed;
    if (!is_like || shape.dim[0] != t->dim[0] || shape.dim[1] != t->dim[1])
        return fail_source(s, "has another type or shape than the expert before it", err);
    t->run[at] = (hf_run){s, 0, count_rows(s->t)};
    return HEARTH_OK;
}

static void set_op(const hf_model *m, hf_tensor *t, const hf_name *row, const parsed_name *p)
{
    const hf_family *f = m->family;
    if (row->op == HF_PAIRS && f->pairs_neighbours) {
        bool is_q = !strcmp(row->ours, "attn_q");
        int64_t n_head = hf_config_i64(m, "num_attention_heads", 1);
        t->op = HF_PAIRS;
        t->n_head = is_q ? n_head : hf_config_i64(m, "num_key_value_heads", n_head);
    } else if (f->norms_plus_one && str_ends(str_from(p->stem), STR("norm"))) {
        t->op = HF_PLUS_ONE;
    } else if (row->op != HF_PAIRS) {
        t->op = row->op;
    }
}

static hearth_status check_op(const hf_tensor *t, const hf_source *s, hearth_err *err)
{
    if (t->op != HF_PAIRS) return HEARTH_OK;
    int64_t n = t->n_dims > 1 ? t->dim[1] : t->dim[0];
    if (t->n_head >= 1 && n % (2 * t->n_head) == 0) return HEARTH_OK;
    return fail_source(s, "its rows are no pairs of the heads that config.json says", err);
}

static hearth_status add_row(hf_model *m, const hf_source *s, const parsed_name *p,
                             const hf_name *row, hearth_err *err)
{
    if (row->op == HF_SKIP) return HEARTH_OK;
    HEARTH_TRY(check_source(s, row->op, err));
    hf_tensor t = {.type = s->t->type, .is_packed = s->packed != NULL}, *placed;
    print_name(p, row, t.name);
    set_shape(&t, s->t);
    set_op(m, &t, row, p);
    HEARTH_TRY(check_op(&t, s, err));
    if (t.is_packed && t.op != HF_AS_IS && t.op != HF_PAIRS)
        return fail_source(s, "packed matrices that are taken apart are not supported", err);
    HEARTH_TRY(apply_cut(m, &t, s, err));
    t.is_float = is_always_float(&t, p);
    bool is_new;
    HEARTH_TRY(place_tensor(m, &t, &placed, &is_new, err));
    if (is_new) HEARTH_TRY(prepare_runs(m, placed, p, err));
    return add_run(placed, s, p->expert >= 0 ? p->expert : 0, err);
}

static hearth_status add_source(hf_model *m, const hf_source *s, hearth_err *err)
{
    parsed_name p;
    bool has_text_part = conf_find(&m->config, "text_config") != NULL;
    if (has_text_part && is_of_another_sense(s->t->name)) {
        m->n_skipped++;
        return HEARTH_OK;
    }
    if (!parse_name(s->t->name, &p)) return fail_source(s, "its name is not understood", err);
    if (is_unneeded(m, &p)) return HEARTH_OK;
    const hf_name *row = find_row(m->family->names, &p);
    if (!row) row = find_row(hf_common_names, &p);
    if (!row) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "%s: tensor '%.*s': not known in a model of "
                        "family '%s'", s->shard->path, STR_ARG(s->t->name), m->family->arch);
    }
    for (; row; row = find_row(row + 1, &p)) HEARTH_TRY(add_row(m, s, &p, row, err));
    return HEARTH_OK;
}

hearth_status hf_plan_made(hf_model *m, const char *name, const float *values, int64_t n,
                           hearth_err *err)
{
    hf_tensor t = {.type = ST_F32, .n_dims = 1, .dim = {n, 1, 1, 1}, .is_float = true,
                   .made = values}, *placed;
    bool is_new;
    snprintf(t.name, sizeof t.name, "%s", name);
    return place_tensor(m, &t, &placed, &is_new, err);
}

static hearth_status check_runs(const hf_model *m, hearth_err *err)
{
    for (size_t i = 0; i < hf_tensor_count(m); i++) {
        const hf_tensor *t = hf_tensor_at(m, i);
        for (int64_t r = 0; r < t->n_runs; r++) {
            if (t->run[r].source) continue;
            return err_fail(err, HEARTH_E_FORMAT, "%s: tensor '%s': expert %lld of %lld is missing",
                            m->dir, t->name, (long long)r, (long long)t->n_runs);
        }
    }
    return HEARTH_OK;
}

static hearth_status find_family(hf_model *m, hearth_err *err)
{
    str name = {0};
    if (!conf_str(&m->config, "architectures.0", &name)) {
        return err_fail(err, HEARTH_E_FORMAT, "%s/config.json: no 'architectures'", m->dir);
    }
    m->family = hf_family_find(name);
    if (m->family) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/config.json: models of class '%.*s' are not "
                    "supported", m->dir, STR_ARG(name));
}

hearth_status hf_plan(hf_model *m, hearth_err *err)
{
    buf_init(&m->tensors, MEM_MODEL, TENSORS_BYTES_MAX);
    map_init(&m->names, MEM_MODEL);
    HEARTH_TRY(find_family(m, err));
    for (size_t i = 0; i < m->n_sources; i++) HEARTH_TRY(add_source(m, &m->source[i], err));
    HEARTH_TRY(check_runs(m, err));
    if (m->n_skipped > 0)
        log_write(LOG_WARN, "%s: %zu tensors of other senses than text are left out", m->dir,
                  m->n_skipped);
    return hf_plan_rope(m, err);
}
