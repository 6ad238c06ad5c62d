// qwen2: Qwen2 and Qwen2.5, and the distillations of other models into them.
//
//   x --+--> norm -> q, k, v + bias -> rope(q, k) -> attention -> o --(+)--+
//       +-------------------------------------------------------------^    |
//                                   x <--(+)-- SwiGLU <- norm <-------+----+
//                                         ^---------------------------+
//
// Rotary pairs are halves (i, i + d/2); q, k and v always have biases; small models share the
// embedding with the output.
#include "llm/family.h"

static hearth_status configure_qwen2(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)g;
    (void)err;
    c->rope_neox = true;
    c->has_qkv_bias = true;
    return HEARTH_OK;
}

static void bind_qwen2_layer(llm_binder *b, llm_layer *out)
{
    llm_bind_plain_layer(b, out);
    llm_bind_qkv_bias(b, out);
}

const llm_family llm_family_qwen2 = {
    .arch = "qwen2",
    .configure = configure_qwen2,
    .bind_layer = bind_qwen2_layer,
    .run_layer = llm_run_plain_layer,
};
