// Matrices packed by GPTQ or AWQ (4 and 8 bits), see hf_int.h.
//
// A folder whose config.json has a "quantization_config" of one of these methods holds, in place of
// "X.weight" [n_out, n_in], little-endian 32-bit words of codes q and zero points z, and scales s
// by group of inputs: w = s (q - z). P = 32 / bits codes in a word:
//
//           GPTQ                                        AWQ (gemm, 4 bits)
//   qweight [n_in / P, n_out]   inputs in a word        [n_in, n_out / 8]  outputs in a word, as
//   qzeros  [n_group, n_out / P], less 1 (but in v2)    [n_group, n_out / 8]     0 2 4 6 1 3 5 7
//   scales  [n_group, n_out]                            [n_group, n_out]
//   g_idx   [n_in], a group for each input              -
//
// The first version of GPTQ stores z - 1 modulo 2^bits. Two GGUF types can hold such values without
// any rounding, when groups are whole blocks of 32 inputs and scales are halves: Q4_0 (s, q - 8)
// where every z is 8, as in symmetric GPTQ, and Q8_0 (s, q - z) where no q - z leaves a byte.
// Everything else (inputs in another order than their groups, 8 bits with uneven zeros) becomes
// F16, each value off by at most 2^-11 of itself. Q4_1 (s, -s z) was rejected: s z is no half.
//
// One tensor X.weight stands for the parts from here on; its rows are unpacked when they are asked
// for, so that converting needs no more memory than for other folders.
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "hf/hf_int.h"
#include "kern/half.h"

enum { BLOCK = 32, WORD_BITS = 32 };

struct hf_packed {
    bool is_awq;
    int bits, zero_shift;          // zero_shift: what is added to a stored zero point
    int64_t n_in, n_out, group;    // group: inputs of one
    const st_tensor *codes, *zeros, *scales;
    const st_tensor *index;        // NULL: input i is of group i / group
    dtype type;
};

// --- values -------------------------------------------------------------------------------------

static uint32_t load_word(const st_tensor *t, int64_t at)
{
    const uint8_t *p = t->data + (size_t)at * 4;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// Code `at` of rows of n codes that lie side by side in words.
static int load_beside(const hf_packed *p, const st_tensor *t, int64_t row, int64_t at, int64_t n)
{
    static const int awq_place[8] = {0, 4, 1, 5, 2, 6, 3, 7}; // of output 0 to 7 in a word
    int64_t per = WORD_BITS / p->bits;
    int place = p->is_awq ? awq_place[at % per] : (int)(at % per);
    uint32_t mask = (1u << p->bits) - 1;
    return (int)(load_word(t, row * (n / per) + at / per) >> (place * p->bits) & mask);
}

static int load_code(const hf_packed *p, int64_t in, int64_t out)
{
    if (p->is_awq) return load_beside(p, p->codes, in, out, p->n_out);
    int64_t per = WORD_BITS / p->bits;
    uint32_t word = load_word(p->codes, in / per * p->n_out + out);
    return (int)(word >> (in % per * p->bits) & ((1u << p->bits) - 1));
}

static int load_zero(const hf_packed *p, int64_t group, int64_t out)
{
    return (load_beside(p, p->zeros, group, out, p->n_out) + p->zero_shift) & ((1 << p->bits) - 1);
}

static float load_scale(const hf_packed *p, int64_t group, int64_t out)
{
    size_t item = st_type_bytes(p->scales->type);
    const uint8_t *at = p->scales->data + (size_t)(group * p->n_out + out) * item;
    if (item == 4) return f32_from_bits(load_word(p->scales, group * p->n_out + out));
    uint16_t half = (uint16_t)(at[0] | at[1] << 8);
    return p->scales->type == ST_F16 ? f16_to_f32(half) : bf16_to_f32(half);
}

static int64_t find_group(const hf_packed *p, int64_t in)
{
    return p->index ? (int64_t)load_word(p->index, in) : in / p->group;
}

void hf_packed_row(const hf_packed *p, int64_t out, float *x)
{
    for (int64_t i = 0; i < p->n_in; i++) {
        int64_t g = find_group(p, i);
        x[i] = load_scale(p, g, out) * (float)(load_code(p, i, out) - load_zero(p, g, out));
    }
}

dtype hf_packed_type(const hf_packed *p) { return p->type; }
const st_tensor *hf_packed_codes(const hf_packed *p) { return p->codes; }

void hf_packed_blocks(const hf_packed *p, int64_t out, dtype type, uint8_t *to)
{
    ASSERT((type == DTYPE_Q4_0 || type == DTYPE_Q8_0) && !p->index);
    for (int64_t i = 0; i < p->n_in; i += BLOCK) {
        int64_t g = find_group(p, i);
        int zero = load_zero(p, g, out);
        uint16_t d = f32_to_f16(load_scale(p, g, out));
        *to++ = (uint8_t)d;
        *to++ = (uint8_t)(d >> 8);
        for (int64_t k = i; k < i + BLOCK && type == DTYPE_Q8_0; k++)
            *to++ = (uint8_t)(int8_t)(load_code(p, k, out) - zero);
        for (int64_t k = i; k < i + BLOCK / 2 && type == DTYPE_Q4_0; k++)
            *to++ = (uint8_t)(load_code(p, k, out) | load_code(p, k + BLOCK / 2, out) << 4);
    }
}

// --- which type holds them ----------------------------------------------------------------------

static bool has_only_zero(const hf_packed *p, int zero)
{
    for (int64_t g = 0; g < p->zeros->dim[0]; g++)
        for (int64_t o = 0; o < p->n_out; o++)
            if (load_zero(p, g, o) != zero) return false;
    return true;
}

static bool has_half_scales(const hf_packed *p)
{
    if (p->scales->type == ST_F16) return true;
    for (int64_t g = 0; g < p->scales->dim[0]; g++)
        for (int64_t o = 0; o < p->n_out; o++) {
            float s = load_scale(p, g, o);
            if (f32_bits(f16_to_f32(f32_to_f16(s))) != f32_bits(s)) return false;
        }
    return true;
}

static dtype choose_type(const hf_packed *p)
{
    bool has_blocks = !p->index && p->group % BLOCK == 0 && p->n_in % BLOCK == 0;
    if (!has_blocks || !has_half_scales(p)) return DTYPE_F16;
    bool is_even = has_only_zero(p, 1 << (p->bits - 1));
    if (p->bits == 4) return is_even ? DTYPE_Q4_0 : DTYPE_Q8_0;
    return is_even ? DTYPE_Q8_0 : DTYPE_F16;
}

// --- parts of a matrix --------------------------------------------------------------------------

typedef struct packer {
    hf_model *m;
    map places;        // of all sources by name
    hf_packed defaults;
    int64_t group;     // as the configuration says; -1: all inputs are one
} packer;

static const st_tensor *find_part(const packer *k, str stem, const char *ending)
{
    char name[256];
    uint32_t i;
    int n = snprintf(name, sizeof name, "%.*s%s", STR_ARG(stem), ending);
    if (n < 0 || (size_t)n >= sizeof name || !map_get(&k->places, str_from(name), &i)) return NULL;
    return k->m->source[i].t;
}

static bool has_shape(const st_tensor *t, int64_t rows, int64_t cols)
{
    return t->n_dims == 2 && t->dim[0] == rows && t->dim[1] == cols;
}

static bool is_words(const st_tensor *t) { return t->type == ST_I32 || t->type == ST_U32; }

static hearth_status fail_packed(const hf_source *s, const char *what, hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "%s: tensor '%.*s': %s", s->shard->path,
                    STR_ARG(s->t->name), what);
}

// An index in order is none.
static hearth_status check_index(hf_packed *p, const hf_source *s, hearth_err *err)
{
    bool in_order = true;
    if (!p->index) return HEARTH_OK;
    if (!is_words(p->index) || p->index->n_dims != 1 || p->index->dim[0] != p->n_in)
        return fail_packed(s, "its g_idx is no list of a group for each input", err);
    for (int64_t i = 0; i < p->n_in; i++) {
        uint32_t g = load_word(p->index, i);
        if (g >= p->scales->dim[0]) return fail_packed(s, "its g_idx names no group", err);
        in_order = in_order && g == i / p->group;
    }
    if (in_order) p->index = NULL;
    return HEARTH_OK;
}

static hearth_status check_parts(hf_packed *p, const hf_source *s, hearth_err *err)
{
    int64_t per = WORD_BITS / p->bits;
    if (!p->zeros || !p->scales) return fail_packed(s, "there are no qzeros or no scales", err);
    if (!is_words(p->codes) || !is_words(p->zeros) || p->codes->n_dims != 2 || p->codes->bytes == 0)
        return fail_packed(s, "is no matrix of 32-bit words", err);
    // A word is four bytes of the file, so the products have room.
    p->n_in = p->codes->dim[0] * (p->is_awq ? 1 : per);
    p->n_out = p->codes->dim[1] * (p->is_awq ? per : 1);
    if (p->group < 0) p->group = p->n_in;
    int64_t n_group = (p->n_in - 1) / p->group + 1;
    st_type type = p->scales->type;
    if (type != ST_F16 && type != ST_BF16 && type != ST_F32)
        return fail_packed(s, "its scales are neither F16 nor BF16 nor F32", err);
    if (p->n_out % per || !has_shape(p->zeros, n_group, p->n_out / per) ||
        !has_shape(p->scales, n_group, p->n_out))
        return fail_packed(s, "its qzeros or scales have another shape than its groups", err);
    return check_index(p, s, err);
}

// "X.qweight" and its parts as the matrix "X.weight".
static hearth_status add_matrix(packer *k, const hf_source *s, str stem, hf_source *out,
                                hearth_err *err)
{
    hf_model *m = k->m;
    hf_packed *p = arena_new(&m->mem, hf_packed, 1);
    st_tensor *t = arena_new(&m->mem, st_tensor, 1);
    char *name = arena_new(&m->mem, char, stem.n + 8);
    if (!p || !t || !name)
        return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for tensors", m->dir);
    *p = k->defaults;
    p->group = k->group;
    p->codes = s->t;
    p->zeros = find_part(k, stem, ".qzeros");
    p->scales = find_part(k, stem, ".scales");
    p->index = p->is_awq ? NULL : find_part(k, stem, ".g_idx");
    HEARTH_TRY(check_parts(p, s, err));
    p->type = choose_type(p);
    snprintf(name, stem.n + 8, "%.*s.weight", STR_ARG(stem));
    *t = (st_tensor){.name = str_from(name), .type = ST_F32, .n_dims = 2,
                     .dim = {p->n_out, p->n_in, 1, 1, 1, 1, 1, 1}};
    size_t count;
    if (!mul_ok((size_t)p->n_out, (size_t)p->n_in, &count) || !mul_ok(count, 4, &t->bytes))
        return fail_packed(s, "has no room in memory", err);
    *out = (hf_source){t, s->shard, p};
    return HEARTH_OK;
}

static bool cut_end(str name, const char *ending, str *stem)
{
    str end = str_from(ending);
    if (!str_ends(name, end)) return false;
    *stem = (str){name.p, name.n - end.n};
    return true;
}

// Parts go with their codes; so do the biases of zeros that some tools write for every matrix.
static bool is_part(const packer *k, const st_tensor *t)
{
    static const char *const parts[] = {".qzeros", ".scales", ".g_idx"};
    str stem;
    for (size_t i = 0; i < COUNTOF(parts); i++)
        if (cut_end(t->name, parts[i], &stem) && find_part(k, stem, ".qweight")) return true;
    if (!cut_end(t->name, ".bias", &stem) || !find_part(k, stem, ".qweight")) return false;
    for (size_t i = 0; i < t->bytes; i++)
        if (t->data[i]) return false;
    return true;
}

static hearth_status replace_sources(packer *k, hearth_err *err)
{
    hf_model *m = k->m;
    size_t n = 0;
    hf_source *list = arena_new(&m->mem, hf_source, m->n_sources + 1);
    if (!list) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for tensors", m->dir);
    for (size_t i = 0; i < m->n_sources; i++) {
        const hf_source *s = &m->source[i];
        str stem;
        if (is_part(k, s->t)) continue;
        if (cut_end(s->t->name, ".qweight", &stem))
            HEARTH_TRY(add_matrix(k, s, stem, &list[n], err));
        else
            list[n] = *s;
        n++;
    }
    m->source = list;
    m->n_sources = n;
    return HEARTH_OK;
}

// --- the configuration --------------------------------------------------------------------------

#define Q "quantization_config."

static hearth_status fail_config(const hf_model *m, const char *name, str is, const char *expected,
                                 hearth_err *err)
{
    return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/config.json: '%s' is '%.*s', expected %s",
                    m->dir, name, STR_ARG(is), expected);
}

static hearth_status read_version(packer *k, hearth_err *err)
{
    const hf_model *m = k->m;
    if (k->defaults.is_awq) {
        str version = hf_config_str(m, Q "version");
        if (version.n == 0 || str_eq_z(version, "gemm") || str_eq_z(version, "GEMM"))
            return HEARTH_OK;
        return fail_config(m, Q "version", version, "gemm", err);
    }
    str format = hf_config_str(m, Q "checkpoint_format");
    bool is_second = str_eq_z(format, "gptq_v2");
    if (format.n > 0 && !is_second && !str_eq_z(format, "gptq"))
        return fail_config(m, Q "checkpoint_format", format, "gptq or gptq_v2", err);
    const conf_value *each = hf_config_find(m, Q "dynamic"); // other bits for some matrices
    if (each && each->n > 0)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/config.json: '%s' is not supported", m->dir,
                        Q "dynamic");
    k->defaults.zero_shift = is_second ? 0 : 1;
    return HEARTH_OK;
}

static hearth_status read_config(packer *k, hearth_err *err)
{
    const hf_model *m = k->m;
    int64_t bits = hf_config_i64(m, Q "bits", hf_config_i64(m, Q "w_bit", 0));
    int64_t group = hf_config_i64(m, Q "group_size", hf_config_i64(m, Q "q_group_size", 128));
    if (bits != 4 && (bits != 8 || k->defaults.is_awq))
        return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/config.json: '%s' is %lld, expected 4%s",
                        m->dir, Q "bits", (long long)bits, k->defaults.is_awq ? "" : " or 8");
    if (group != -1 && group < 1)
        return err_fail(err, HEARTH_E_FORMAT, "%s/config.json: '%s' is %lld, expected -1 or more "
                        "than 0", m->dir, Q "group_size", (long long)group);
    k->defaults.bits = (int)bits;
    k->group = group;
    return read_version(k, err);
}

static hearth_status fill_places(packer *k, hearth_err *err)
{
    hf_model *m = k->m;
    for (size_t i = 0; i < m->n_sources; i++) {
        hearth_status s = map_put(&k->places, m->source[i].t->name, (uint32_t)i, NULL);
        if (s != HEARTH_OK)
            return err_fail(err, s, "%s: no memory for %zu tensors", m->dir, m->n_sources);
    }
    return HEARTH_OK;
}

hearth_status hf_pack_sources(hf_model *m, hearth_err *err)
{
    packer k = {.m = m};
    str method = hf_config_str(m, Q "quant_method");
    k.defaults.is_awq = str_eq_z(method, "awq");
    if (!k.defaults.is_awq && !str_eq_z(method, "gptq")) return HEARTH_OK;
    HEARTH_TRY(read_config(&k, err));
    map_init(&k.places, MEM_MODEL);
    hearth_status s = fill_places(&k, err);
    if (s == HEARTH_OK) s = replace_sources(&k, err);
    map_release(&k.places);
    return s;
}
