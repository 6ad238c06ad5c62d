// The CPU as a device: the table filled with direct calls.
//
// Buffers are plain memory, so a view is an address and there is nothing to queue: every entry has
// finished when it returns, and sync() has nothing to report. Arithmetic is the kernel table's;
// this folder adds the cut into chunks and the threads. Chunks depend on shapes alone and each
// output is written by one chunk, so the thread count never reaches a result. The compute entries
// allocate nothing: what they need beyond their arguments is the caller's scratch.
//
//   cpu_dev.c         memory, opening and closing
//   cpu_matmul.c      weights times activations
//   cpu_attention.c   the paged cache and attention over it
//   cpu_rows.c        everything that works row by row
//   cpu_recur.c       layers with a recurrent state
#include "dev/cpu_int.h"

#include <string.h>

#include "base/mem.h"

static hearth_status make_buf(uint8_t *data, size_t bytes, bool is_owned, dev_buf **out,
                              hearth_err *err)
{
    dev_buf *b = mem_alloc(MEM_MISC, sizeof *b);
    if (!b) return err_fail(err, HEARTH_E_NOMEM, "no memory for a buffer's record");
    *b = (dev_buf){data, bytes, is_owned};
    *out = b;
    return HEARTH_OK;
}

static hearth_status alloc_buf(dev *d, mem_tag tag, size_t bytes, dev_buf **out, hearth_err *err)
{
    (void)d;
    *out = NULL;
    uint8_t *data = mem_alloc(tag, bytes);
    if (!data && bytes)
        return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu bytes (%s)", bytes,
                        mem_tag_name(tag));
    hearth_status s = make_buf(data, bytes, true, out, err);
    if (s != HEARTH_OK) mem_free(data);
    return s;
}

// The buffer is read-only by contract; the cast only lets both kinds share one record.
static hearth_status wrap_host(dev *d, const void *host, size_t bytes, dev_buf **out,
                               hearth_err *err)
{
    (void)d;
    *out = NULL;
    return make_buf((uint8_t *)(uintptr_t)host, bytes, false, out, err);
}

static void free_buf(dev *d, dev_buf *b)
{
    (void)d;
    if (!b) return;
    if (b->is_owned) mem_free(b->data);
    mem_free(b);
}

static void write_buf(dev *d, dev_view to, const void *from, size_t n)
{
    (void)d;
    if (n) memcpy(cpu_ptr(to), from, n);
}

static hearth_status read_buf(dev *d, dev_view from, void *to, size_t n, hearth_err *err)
{
    (void)d;
    (void)err;
    if (n) memcpy(to, cpu_ptr(from), n);
    return HEARTH_OK;
}

static void copy_buf(dev *d, dev_view to, dev_view from, size_t n)
{
    (void)d;
    if (n) memcpy(cpu_ptr(to), cpu_ptr(from), n);
}

static hearth_status sync_nothing(dev *d, hearth_err *err)
{
    (void)d;
    (void)err;
    return HEARTH_OK;
}

static bool can_matmul(dev *d, dtype type)
{
    return cpu_of(d)->k.matmul[type] && cpu_of(d)->k.dequant[type];
}

static void close_cpu(dev *d)
{
    cpu_dev *c = (cpu_dev *)(void *)d;
    pool_free(c->pool);
    mem_free(c);
}

static const dev_ops cpu_ops = {
    .name = "cpu",
    .alloc = alloc_buf,
    .wrap = wrap_host,
    .free = free_buf,
    .write = write_buf,
    .read = read_buf,
    .copy = copy_buf,
    .sync = sync_nothing,
    .can_matmul = can_matmul,
    .matmul_scratch = cpu_matmul_scratch,
    .attention_scratch = cpu_attention_scratch,
    .matmul = cpu_matmul,
    .gather = cpu_gather,
    .select = cpu_select,
    .copy_rows = cpu_copy_rows,
    .rms_norm = cpu_rms_norm,
    .layer_norm = cpu_layer_norm,
    .add = cpu_add,
    .mul = cpu_mul,
    .lerp = cpu_lerp,
    .sigmoid = cpu_sigmoid,
    .mul_rows = cpu_mul_rows,
    .match_rms = cpu_match_rms,
    .relu_above = cpu_relu_above,
    .add_blend = cpu_add_blend,
    .relu_sqr = cpu_relu_sqr,
    .add_bias = cpu_add_bias,
    .silu_mul = cpu_silu_mul,
    .gelu_mul = cpu_gelu_mul,
    .gelu = cpu_gelu,
    .gelu_erf_mul = cpu_gelu_erf_mul,
    .gelu_erf = cpu_gelu_erf,
    .swiglu_clamped = cpu_swiglu_clamped,
    .scale = cpu_scale,
    .soft_cap = cpu_soft_cap,
    .mix = cpu_mix,
    .rope_angles = cpu_rope_angles,
    .rope = cpu_rope,
    .cache_write = cpu_cache_write,
    .attention = cpu_attention,
    .short_conv = cpu_short_conv,
    .token_shift = cpu_token_shift,
    .rwkv7 = cpu_rwkv7,
    .delta_rule = cpu_delta_rule,
    .close = close_cpu,
};

hearth_status dev_cpu_open(int n_threads, unsigned cpu, dev **out, hearth_err *err)
{
    *out = NULL;
    cpu_dev *c = mem_alloc_zero(MEM_MISC, 1, sizeof *c);
    if (!c) return err_fail(err, HEARTH_E_NOMEM, "no memory for the CPU device");
    hearth_status s = pool_create(n_threads, &c->pool, err);
    if (s != HEARTH_OK) {
        mem_free(c);
        return s;
    }
    c->base.ops = &cpu_ops;
    kern_init(&c->k, cpu);
    kern_init(&c->plain, 0);
    *out = &c->base;
    return HEARTH_OK;
}

void dev_close(dev *d)
{
    if (d) d->ops->close(d);
}
