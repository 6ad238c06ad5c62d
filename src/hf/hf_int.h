// What the files of hf/ share; nobody else includes this.
//
//   folder.c   files: config, index, shards        -> hf_source, one per tensor in the files
//   packed.c   parts of packed matrices            -> one hf_source for each matrix
//   hf_plan.c  names and shapes, family_table.c,   -> hf_tensor, one per tensor of the GGUF
//              cut.c parts of tensors
//   keys.c     config.json                         -> GGUF keys
//   hf_vocab.c, vocab_*.c   tokenizer files        -> GGUF keys
//   produce.c  values of an hf_tensor, some rows at a time
//   view.c, convert.c       the two ways out
#ifndef HEARTH_HF_HF_INT_H
#define HEARTH_HF_HF_INT_H

#include "fmt/safetensors.h"
#include "hf/conf.h"
#include "hf/hf.h"
#include "os/os.h"

// --- files ---------------------------------------------------------------------------------------
typedef struct hf_shard {
    char *path;
    str name; // the end of path
    os_mapping map;
    safetensors *st;
} hf_shard;

// A tensor of the files.
typedef struct hf_packed hf_packed;
typedef struct hf_source {
    const st_tensor *t;
    const hf_shard *shard;
    const hf_packed *packed; // its values, where t has none (packed.c); NULL: without
} hf_source;

// --- what becomes of it --------------------------------------------------------------------------
typedef enum hf_op {
    HF_AS_IS,
    HF_PLUS_ONE, // norms that multiply by 1 + w
    HF_PAIRS,    // rows of each head reordered: halves (i, i + d/2) become neighbours (2i, 2i + 1)
    HF_SKIP,     // read with another one, or not at all
    // Parts of a tensor, see cut.c.
    HF_FIRST, HF_SECOND, HF_EVEN, HF_ODD, HF_TURNED, HF_MX, HF_MX_EVEN, HF_MX_ODD, HF_K_B, HF_V_B,
    HF_SQUEEZED,
} hf_op;

// Rows [first, first + n) of a source; a row is the contiguous dimension.
typedef struct hf_run {
    const hf_source *source;
    int64_t first, n;
} hf_run;

// Where the elements of a part stand in its source, see cut.c.
typedef struct hf_cut {
    int64_t origin, step[3];
} hf_cut;

// A tensor of the GGUF: its runs one after the other, n rows each; or a part of one source.
typedef struct hf_tensor {
    char name[64];
    st_type type; // of the sources
    int n_dims;
    int64_t dim[LIMIT_TENSOR_DIMS]; // GGUF order: dim[0] is contiguous
    hf_op op;
    int64_t n_head;    // of HF_PAIRS
    bool is_float;     // F32 whatever type is asked for
    bool has_experts;  // one run per expert
    bool is_packed;    // its sources are
    int64_t n_runs;
    hf_run *run;
    bool is_cut;       // one run, read by `cut`
    hf_cut cut;
    const st_tensor *scales; // of MXFP4, whose source has the codes
    const float *made; // instead of runs: values that come from the configuration
} hf_tensor;

// --- families ------------------------------------------------------------------------------------
typedef struct hf_name {
    // Without "model.", "layers.N." and the ending; "*" for an expert's number. Several rows may
    // have one name: parts of it.
    const char *theirs;
    const char *ours; // without "blk.N." and the ending
    bool is_in_layer;
    hf_op op;
} hf_name;

typedef enum hf_key_kind { HF_KEY_U32, HF_KEY_F32 } hf_key_kind;
typedef struct hf_key {
    const char *ours;   // without "<arch>."
    const char *theirs; // names in config.json, the first that is there counts
    hf_key_kind kind;
} hf_key;

typedef struct hf_keys hf_keys;
typedef struct hf_family {
    const char *classes; // "LlamaForCausalLM MistralForCausalLM": of "architectures"
    const char *arch;    // general.architecture
    const hf_name *names; // looked at before the common ones; ends with theirs == NULL; may be NULL
    const hf_key *keys;   // beside the common ones; ends with ours == NULL; may be NULL
    const char *own_keys; // that more_keys writes in place of the common ones; may be NULL
    void (*more_keys)(hf_keys *k); // may be NULL
    bool pairs_neighbours; // its GGUF has q and k reordered
    bool norms_plus_one;
    bool is_tied;          // lm_head is left out
} hf_family;
const hf_family *hf_family_find(str class_name); // NULL when unknown
const hf_family *hf_family_at(size_t i);         // NULL past the end
extern const hf_name hf_common_names[];
extern const hf_key hf_common_keys[];

struct hf_model {
    arena mem;
    char *dir;
    conf config, generation, tokenizer; // tokenizer: tokenizer_config.json
    hf_shard *shard;
    size_t n_shards;
    hf_source *source;
    size_t n_sources, n_skipped; // skipped: of images and sound
    const hf_family *family;
    buf tensors; // hf_tensor
    map names;   // of tensors
    uint8_t *own; // values that a view had to make
};

// --- folder.c ------------------------------------------------------------------------------------
void hf_model_init(hf_model *m); // of a zeroed one, so that it can be closed
hearth_status hf_folder_open(hf_model *m, const char *path, hearth_err *err);
void hf_folder_close(hf_model *m);
// A file of the folder; *out is empty when it is not there.
hearth_status hf_folder_map(const hf_model *m, const char *name, os_mapping *out, hearth_err *err);
// Reads it, when it is there, into an empty table.
hearth_status hf_folder_read(const hf_model *m, const char *name, const char *const *skip,
                             conf *out, hearth_err *err);

// --- packed.c ------------------------------------------------------------------------------------
// Puts one source in the place of the parts of each matrix that GPTQ or AWQ has packed.
hearth_status hf_pack_sources(hf_model *m, hearth_err *err);
// The type that holds the matrix best: Q4_0 or Q8_0 without rounding, else F16.
dtype hf_packed_type(const hf_packed *p);
const st_tensor *hf_packed_codes(const hf_packed *p); // the largest of its parts
// Row `out` as values, or as blocks of that type when it is Q4_0, or Q8_0.
void hf_packed_row(const hf_packed *p, int64_t out, float *x);
void hf_packed_blocks(const hf_packed *p, int64_t out, dtype type, uint8_t *to);

// --- config.json: "text_config" counts before the outermost values -------------------------------
const conf_value *hf_config_find(const hf_model *m, const char *name);
int64_t hf_config_i64(const hf_model *m, const char *name, int64_t fallback);
double hf_config_f64(const hf_model *m, const char *name, double fallback);
str hf_config_str(const hf_model *m, const char *name);
// Of "rope_parameters" or "rope_scaling", there under "full_attention" if it is divided so.
const conf_value *hf_rope_find(const hf_model *m, const char *name);
double hf_rope_f64(const hf_model *m, const char *name, double fallback);
str hf_rope_type(const hf_model *m); // "default" when unsaid
int64_t hf_head_size(const hf_model *m);

// --- hf_plan.c -----------------------------------------------------------------------------------
hearth_status hf_plan(hf_model *m, hearth_err *err);
// The GGUF name and operation of a tensor in a family; false: it has none, or is an expert's.
bool hf_name_of(const hf_family *f, str theirs, char out[64], hf_op *op);
size_t hf_tensor_count(const hf_model *m);
const hf_tensor *hf_tensor_at(const hf_model *m, size_t i);
// rope_factors.c: frequency factors that config.json gives and GGUF keeps as tensors.
hearth_status hf_plan_rope(hf_model *m, hearth_err *err);
hearth_status hf_plan_made(hf_model *m, const char *name, const float *values, int64_t n,
                           hearth_err *err);

// --- cut.c ---------------------------------------------------------------------------------------
// Shape and steps by t->op, from the source's shape in t. `scales` is looked at for HF_MX .. only.
// False: not of a shape that can be cut so.
bool hf_cut_apply(const hf_model *m, hf_tensor *t, const hf_tensor *scales);

// --- keys.c, hf_vocab.c --------------------------------------------------------------------------
// Keys are written until the first failure, which is kept.
struct hf_keys {
    const hf_model *m;
    gguf_writer *w;
    hearth_status failed;
    hearth_err *err;
};
void hf_key_u32(hf_keys *k, const char *name, int64_t v); // "<arch>.<name>"
void hf_key_f32(hf_keys *k, const char *name, double v);
void hf_key_str(hf_keys *k, const char *name, str v);
void hf_key_bool(hf_keys *k, const char *name, bool v);
// One value per layer, by what "layer_types" calls it: true where that is `kind`; or `yes` there
// and 0 elsewhere.
void hf_key_layers(hf_keys *k, const char *name, const char *kind);
void hf_key_layer_counts(hf_keys *k, const char *name, const char *kind, int64_t yes);
// All keys but those of the tokenizer; file_type as llama.cpp numbers them.
hearth_status hf_write_keys(const hf_model *m, uint32_t file_type, gguf_writer *w, hearth_err *err);
uint32_t hf_file_type(dtype type); // of the matrices
hearth_status hf_write_vocab(const hf_model *m, gguf_writer *w, hearth_err *err);

// --- produce.c -----------------------------------------------------------------------------------
int64_t hf_rows(const hf_tensor *t);
// Rows [first, first + n) as `type`, one after the other, by way of `scratch` [dim[0]].
void hf_produce(const hf_tensor *t, dtype type, int64_t first, int64_t n, float *scratch,
                uint8_t *out);
bool hf_can_produce(st_type type);
// Of a packed tensor: the type that suits all of its matrices. False: it is not packed.
bool hf_packed_tensor(const hf_tensor *t, dtype *out);
// The GGUF type with the same bytes; false when there is none.
bool hf_same_type(st_type type, dtype *out);

#endif
