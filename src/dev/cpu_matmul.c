// Weights times activations on the CPU.
//
// The input is packed once for each kind of packing that the weights of the call ask for (usually
// one), into the scratch; weights of one kind then run as one job, so that a layer's q, k and v
// cost one wake-up of the threads. The job is cut by rows of the weights:
//
//   one or few tokens   limited by memory: a chunk is CHUNK_BYTES_MIN..CHUNK_BYTES_MAX of weight
//                       bytes; below 64 KB the streams are too short for the prefetchers (-30 %
//                       measured), above 256 KB the threads end unevenly
//   many tokens         limited by arithmetic: 64 rows, the panel that the kernels unpack at a time
//
// always a multiple of 16 rows, the width of an AVX-512 register.
#include "dev/cpu_int.h"

enum {
    ROW_STEP = 16,
    PANEL_ROWS = 64,
    PANEL_TOKENS = 8, // from here on arithmetic, not memory, is the limit
    CHUNK_BYTES_MIN = 64 << 10,
    CHUNK_BYTES_MAX = 256 << 10,
    CHUNKS_WANTED = 16 // of a matrix, so that two to eight threads end at about the same time
};

typedef struct matmul_part {
    const dev_weight *w;
    float *y;
    int64_t chunk_rows;
    int64_t chunk_end; // first chunk of the job that is not of this part
} matmul_part;

typedef struct matmul_job {
    const kern *k;
    act_kind kind;
    const float *x;
    void *packed;
    int64_t n_in, n_rows;
    int n_parts;
    matmul_part part[DEV_MATMUL_MAX];
} matmul_job;

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

static int64_t choose_chunk_rows(const dev_weight *w, int64_t n_rows)
{
    if (n_rows >= PANEL_TOKENS) return PANEL_ROWS;
    int64_t bytes = w->n_out * (int64_t)w->row_bytes / CHUNKS_WANTED;
    bytes = i64_min(i64_max(bytes, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
    return round_up(i64_max(bytes / (int64_t)w->row_bytes, 1), ROW_STEP);
}

static void pack_chunk(void *ctx, int64_t chunk, int worker)
{
    (void)worker;
    const matmul_job *j = ctx;
    int64_t from = chunk * ACT_TILE, to = i64_min(from + ACT_TILE, j->n_rows);
    j->k->act_pack[j->kind](j->x, (size_t)j->n_in, j->n_in, j->n_rows, from, to, j->packed);
}

static void multiply_chunk(void *ctx, int64_t chunk, int worker)
{
    (void)worker;
    const matmul_job *j = ctx;
    int i = 0;
    while (chunk >= j->part[i].chunk_end) i++;
    const matmul_part *p = &j->part[i];
    const dev_weight *w = p->w;
    int64_t from = (chunk - (i ? j->part[i - 1].chunk_end : 0)) * p->chunk_rows;
    int64_t n = i64_min(p->chunk_rows, w->n_out - from);
    const uint8_t *rows = (const uint8_t *)cpu_ptr(w->data) + (size_t)from * w->row_bytes;
    j->k->matmul[w->type](rows, w->row_bytes, n, j->packed, j->n_rows, j->n_in, p->y + from,
                          (size_t)w->n_out);
}

// Takes the weights of the job's kind; returns the multiply-adds.
static int64_t collect_parts(matmul_job *j, int n_w, const dev_weight *const *w, const dev_view *y)
{
    int64_t n_out = 0, chunks = 0;
    j->n_parts = 0;
    for (int i = 0; i < n_w; i++) {
        if (kern_act_kind(w[i]->type) != j->kind) continue;
        int64_t rows = choose_chunk_rows(w[i], j->n_rows);
        chunks += (w[i]->n_out + rows - 1) / rows;
        n_out += w[i]->n_out;
        j->part[j->n_parts++] = (matmul_part){w[i], cpu_f32(y[i]), rows, chunks};
    }
    return n_out * j->n_in * j->n_rows;
}

size_t cpu_matmul_scratch(dev *d, dtype type, int64_t n_in, int64_t n_rows)
{
    return cpu_of(d)->k.act_bytes[kern_act_kind(type)](n_in, n_rows);
}

void cpu_matmul(dev *d, int n_w, const dev_weight *const *w, dev_view x, int64_t n_rows,
                const dev_view *y, dev_view scratch)
{
    ASSERT(n_w >= 1 && n_w <= DEV_MATMUL_MAX && n_rows >= 1);
    const cpu_dev *c = cpu_of(d);
    matmul_job j = {.k = &c->k, .x = cpu_f32(x), .packed = cpu_ptr(scratch), .n_in = w[0]->n_in,
                    .n_rows = n_rows};
    for (int kind = 0; kind < ACT_COUNT; kind++) {
        j.kind = (act_kind)kind;
        int64_t work = collect_parts(&j, n_w, w, y);
        if (!j.n_parts) continue;
        int64_t tiles = (n_rows + ACT_TILE - 1) / ACT_TILE;
        pool_run(cpu_pool_for(c, tiles > 1 ? n_rows * j.n_in : 0), tiles, pack_chunk, &j);
        pool_run(cpu_pool_for(c, work), j.part[j.n_parts - 1].chunk_end, multiply_chunk, &j);
    }
}
