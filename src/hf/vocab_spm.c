// tokenizer.model: a SentencePiece ModelProto.
//
//   1 pieces, repeated: { 1 text, 2 score (float), 3 type (1 when absent) }
//   2 trainer: { 3 kind: 1 Unigram, 2 BPE }
//
// Types have the numbers of tokenizer.ggml.token_type, except that user-defined pieces (4) count as
// normal: those that a text should be searched for are added tokens too.
#include "hf/hf_vocab.h"

#include <string.h>

#include "fmt/protobuf.h"

enum { TYPE_NORMAL = 1, TYPE_USER = 4, TYPE_BYTE = 6, KIND_BPE = 2 };

typedef struct piece { str text; float score; int32_t type; } piece;

static hearth_status read_piece(pb_reader r, piece *out, hearth_err *err)
{
    pb_field f;
    bool more;
    *out = (piece){.type = TYPE_NORMAL};
    for (;;) {
        HEARTH_TRY(pb_next(&r, &f, &more, err));
        if (!more) break;
        uint32_t bits = (uint32_t)f.value;
        if (f.number == 1 && f.wire == PB_BYTES) out->text = pb_str(&f);
        if (f.number == 2 && f.wire == PB_FIXED32) memcpy(&out->score, &bits, sizeof bits);
        if (f.number == 3 && f.wire == PB_VARINT && f.value <= TYPE_BYTE) out->type = (int32_t)bits;
    }
    if (out->type == TYPE_USER) out->type = TYPE_NORMAL;
    return HEARTH_OK;
}

static hearth_status read_kind(pb_reader r, uint64_t *kind, hearth_err *err)
{
    pb_field f;
    for (bool more = true; more;) {
        HEARTH_TRY(pb_next(&r, &f, &more, err));
        if (more && f.number == 3 && f.wire == PB_VARINT) *kind = f.value;
    }
    return HEARTH_OK;
}

// v->n == 0: only counts.
static hearth_status walk_pieces(const os_mapping *model, hf_vocab *v, int64_t *n, uint64_t *kind,
                                 hearth_err *err)
{
    pb_reader r = pb_over(model->data, model->size);
    pb_field f;
    for (*n = 0;;) {
        bool more;
        piece p;
        HEARTH_TRY(pb_next(&r, &f, &more, err));
        if (!more) return HEARTH_OK;
        if (f.number == 2 && f.wire == PB_BYTES) HEARTH_TRY(read_kind(f.bytes, kind, err));
        if (f.number != 1 || f.wire != PB_BYTES) continue;
        HEARTH_TRY(read_piece(f.bytes, &p, err));
        if (v->n > 0) HEARTH_TRY(hf_vocab_set(v, *n, p.text, p.type, p.score, err));
        (*n)++;
    }
}

hearth_status hf_read_spm(const hf_model *m, const os_mapping *model, hf_vocab *v, hearth_err *err)
{
    int64_t n;
    uint64_t kind = 1;
    v->model = "llama";
    v->pre = "default";
    v->has_scores = true;
    HEARTH_TRY(walk_pieces(model, v, &n, &kind, err));
    if (kind != KIND_BPE) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "SentencePiece models of kind %llu are not "
                        "supported, expected 2 (BPE)", (unsigned long long)kind);
    }
    HEARTH_TRY(hf_vocab_reserve(v, hf_config_i64(m, "vocab_size", n), err));
    return walk_pieces(model, v, &n, &kind, err);
}
