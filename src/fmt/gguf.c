// Opens a GGUF model: proves the whole file, builds the index, joins split files.
//
// Two passes over the parts. The first reads every part's keys (only those of part 1 are kept) and
// with them the layout: alignment, split numbers, where the tensor records begin and how many there
// are. The number of tensors of the whole model is then known and checked against the bytes that
// are left in each part, so the index is allocated once and in proportion to what was proven. The
// second pass reads the records, places the data and looks for overlaps.
//
// Overlap is found by sorting the extents of a part by offset (extent.h). ggml wants offsets
// without gaps; we accept gaps, since nothing depends on them.
//
// Rejected: keeping the keys of later parts (nothing uses them, and published parts hold only
// split.* keys); trusting the order of offsets; tensors of size 0.
#include "fmt/gguf_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "fmt/extent.h"

// What the first pass learns about a part.
typedef struct part_layout {
    gguf_reader records; // stands at the first tensor record
    gguf_head head;
    size_t alignment;
    const uint8_t *const *places; // of tensors that are not in the file, or NULL
    int64_t split_no, split_count, split_tensors; // -1: the key is absent
} part_layout;

// --- first pass: keys ---------------------------------------------------------------------------

// Keys that say how the file is laid out, and not what the model is.
static hearth_status note_layout_key(part_layout *l, const gguf_kv *kv, hearth_err *err)
{
    static const char *const names[] = {
        "general.alignment", "split.no", "split.count", "split.tensors.count"};
    int64_t v = -1, alignment = 0;
    int64_t *const targets[] = {&alignment, &l->split_no, &l->split_count, &l->split_tensors};
    size_t which = 0;
    while (which < COUNTOF(names) && !str_eq_z(kv->key, names[which])) which++;
    if (which == COUNTOF(names)) return HEARTH_OK;
    bool is_one = kv->type != GGUF_ARRAY && kv->type != GGUF_BOOL && gguf_item_i64(kv, 0, &v);
    if (!is_one || v < 0) {
        return err_fail(err, HEARTH_E_FORMAT, "key '%s': expected a count, found %s %" PRId64,
                        names[which], gguf_type_name(kv->type), v);
    }
    *targets[which] = v;
    if (which > 0) return HEARTH_OK;
    if (alignment == 0 || alignment > LIMIT_GGUF_ALIGNMENT || (alignment & (alignment - 1)) != 0) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "key '%s': is %" PRId64 ", expected a power of two up to %d", names[which],
                        alignment, LIMIT_GGUF_ALIGNMENT);
    }
    l->alignment = (size_t)alignment;
    return HEARTH_OK;
}

static hearth_status index_key(map *keys, const gguf_kv *kv, uint64_t i, hearth_err *err)
{
    bool exists = false;
    hearth_status s = map_put(keys, kv->key, (uint32_t)i, &exists);
    if (s != HEARTH_OK) return err_fail(err, s, "no memory for the index of keys");
    if (!exists) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "key '%.*s': is there twice", STR_ARG(kv->key));
}

// Tensor records follow the keys: only now is it known how many could fit.
static hearth_status check_tensor_count(const part_layout *l, hearth_err *err)
{
    uint64_t n = l->head.n_tensors;
    size_t left = l->records.size - l->records.pos;
    if (n > left / GGUF_TENSOR_BYTES_MIN) {
        return err_fail(err, HEARTH_E_FORMAT, "%" PRIu64 " tensors do not fit in %zu bytes", n,
                        left);
    }
    if (n > LIMIT_GGUF_TENSORS) {
        return err_fail(err, HEARTH_E_LIMIT, "%" PRIu64 " tensors, at most %d are supported", n,
                        LIMIT_GGUF_TENSORS);
    }
    return HEARTH_OK;
}

// `store` [n_kv] and `keys` may be NULL: then keys are only walked.
static hearth_status read_keys(part_layout *l, gguf_kv *store, map *keys, hearth_err *err)
{
    for (uint64_t i = 0; i < l->head.n_kv; i++) {
        gguf_kv kv;
        HEARTH_TRY(gguf_read_kv(&l->records, i, &kv, err));
        if (keys) HEARTH_TRY(index_key(keys, &kv, i, err));
        HEARTH_TRY(note_layout_key(l, &kv, err));
        if (store) store[i] = kv;
    }
    return check_tensor_count(l, err);
}

static hearth_status begin_part(const gguf_bytes *part, part_layout *l, hearth_err *err)
{
    *l = (part_layout){
        .records = {.data = part->data, .size = part->size},
        .alignment = 32, // where the key is absent
        .split_no = -1, .split_count = -1, .split_tensors = -1,
    };
    return gguf_read_head(&l->records, &l->head, err);
}

static hearth_status scan_first(const gguf_bytes *part, part_layout *l, gguf *g, hearth_err *err)
{
    HEARTH_TRY(begin_part(part, l, err));
    size_t n = (size_t)l->head.n_kv; // bounded by gguf_read_head()
    g->version = l->head.version;
    if (n > 0) {
        g->kv = mem_alloc_zero(MEM_MODEL, n, sizeof *g->kv);
        if (!g->kv) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu keys", n);
        hearth_status s = map_reserve(&g->key_map, n);
        if (s != HEARTH_OK) return err_fail(err, s, "no memory for the index of %zu keys", n);
    }
    HEARTH_TRY(read_keys(l, g->kv, &g->key_map, err));
    g->n_kv = n;
    return HEARTH_OK;
}

// The keys of a later part are proven like those of the first, but nothing of them is kept.
static hearth_status scan_later(const gguf_bytes *part, part_layout *l, hearth_err *err)
{
    HEARTH_TRY(begin_part(part, l, err));
    map keys;
    map_init(&keys, MEM_MODEL);
    hearth_status s = read_keys(l, NULL, &keys, err);
    map_release(&keys);
    return s;
}

// --- splits -------------------------------------------------------------------------------------

// Puts the part's name in front of what failed in it.
static hearth_status name_part(hearth_status s, const gguf_bytes *part, hearth_err *err)
{
    if (s != HEARTH_OK && part->name) err_prefix(err, "%s: ", part->name);
    return s;
}

static hearth_status check_split(const part_layout *l, int part, int n_parts, hearth_err *err)
{
    if (n_parts == 1 && l->split_count <= 1) return HEARTH_OK;
    if (l->split_count == n_parts && l->split_no == part) return HEARTH_OK;
    if (n_parts == 1) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "is part %" PRId64 " of %" PRId64 ", expected a whole model or all parts",
                        l->split_no + 1, l->split_count);
    }
    if (l->split_count < 1 || l->split_no < 0) {
        return err_fail(err, HEARTH_E_FORMAT, "not a part of a split model, expected part %d of %d",
                        part + 1, n_parts);
    }
    return err_fail(err, HEARTH_E_FORMAT,
                    "is part %" PRId64 " of %" PRId64 ", expected part %d of %d", l->split_no + 1,
                    l->split_count, part + 1, n_parts);
}

hearth_status gguf_split_count(const gguf_bytes *first, int *out, hearth_err *err)
{
    part_layout l;
    hearth_status s = begin_part(first, &l, err);
    if (s == HEARTH_OK) s = read_keys(&l, NULL, NULL, err);
    if (s == HEARTH_OK && l.split_count > LIMIT_GGUF_SPLITS) {
        s = err_fail(err, HEARTH_E_LIMIT, "key 'split.count': is %" PRId64 ", expected at most %d",
                     l.split_count, LIMIT_GGUF_SPLITS);
    }
    int n = s == HEARTH_OK && l.split_count > 1 ? (int)l.split_count : 1;
    if (s == HEARTH_OK && n > 1) s = check_split(&l, 0, n, err);
    if (s == HEARTH_OK) *out = n;
    return name_part(s, first, err);
}

bool gguf_split_name(const char *first_path, int part, int n_parts, buf *out)
{
    if (n_parts < 1 || n_parts > LIMIT_GGUF_SPLITS || part < 0 || part >= n_parts) return false;
    char tail[32];
    snprintf(tail, sizeof tail, "-00001-of-%05d.gguf", n_parts);
    str path = str_from(first_path);
    if (!str_ends(path, str_from(tail))) return false;
    str stem = {path.p, path.n - str_from(tail).n};
    return buf_append_str(out, stem) == HEARTH_OK &&
           buf_printf(out, "-%05d-of-%05d.gguf", part + 1, n_parts) == HEARTH_OK;
}

// --- second pass: tensors -----------------------------------------------------------------------

// Sizes in a message that say the same when rounded are given in bytes.
static hearth_status fail_place(const gguf_tensor *t, uint64_t at, size_t size, hearth_err *err)
{
    bool begins_outside = at >= size;
    uint64_t shown = begins_outside ? at : at + t->bytes;
    char a[32], b[32];
    format_bytes(shown, a);
    format_bytes(size, b);
    if (str_eq_z(str_from(a), b)) {
        snprintf(a, sizeof a, "%" PRIu64 " B", shown);
        snprintf(b, sizeof b, "%zu B", size);
    }
    return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': %s %s is past the end of the file (%s)",
                    STR_ARG(t->name), begins_outside ? "offset" : "its end at", a, b);
}

static hearth_status place_tensor(const part_layout *l, size_t data_start, uint64_t offset,
                                  gguf_tensor *t, hearth_err *err)
{
    size_t size = l->records.size;
    if (offset % l->alignment != 0) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "tensor '%.*s': offset %" PRIu64 " is no multiple of the alignment %zu",
                        STR_ARG(t->name), offset, l->alignment);
    }
    uint64_t at;
    if (!add_ok_u64(data_start, offset, &at)) at = UINT64_MAX;
    if (at >= size || t->bytes > size - at) return fail_place(t, at, size, err);
    t->data = l->records.data + (size_t)at;
    return HEARTH_OK;
}

static hearth_status check_overlap(const gguf *g, extent *e, size_t n, hearth_err *err)
{
    extent_sort(e, n);
    for (size_t i = 1; i < n; i++) {
        const gguf_tensor *a = &g->tensors[e[i - 1].tensor], *b = &g->tensors[e[i].tensor];
        ASSERT(e[i - 1].offset <= e[i].offset);
        if (e[i].offset - e[i - 1].offset < a->bytes) {
            return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': overlaps tensor '%.*s'",
                            STR_ARG(b->name), STR_ARG(a->name));
        }
    }
    return HEARTH_OK;
}

static hearth_status read_record(gguf *g, part_layout *l, int part, extent *e, uint64_t i,
                                 hearth_err *err)
{
    ASSERT(i < l->head.n_tensors && g->n_tensors < LIMIT_GGUF_TENSORS);
    gguf_tensor *t = &g->tensors[g->n_tensors];
    HEARTH_TRY(gguf_read_tensor(&l->records, i, t, &e->offset, err));
    t->part = part;
    e->tensor = g->n_tensors;
    bool exists = false;
    hearth_status s = map_put(&g->tensor_map, t->name, (uint32_t)g->n_tensors, &exists);
    if (s != HEARTH_OK) return err_fail(err, s, "no memory for the index of tensors");
    if (exists) {
        return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': is there twice", STR_ARG(t->name));
    }
    g->n_tensors++;
    return HEARTH_OK;
}

// Room for g->tensors and `e` [head.n_tensors] is there.
static hearth_status read_tensors(gguf *g, part_layout *l, int part, extent *e, hearth_err *err)
{
    size_t n = (size_t)l->head.n_tensors, first = g->n_tensors;
    for (size_t i = 0; i < n; i++) HEARTH_TRY(read_record(g, l, part, &e[i], i, err));
    for (size_t i = 0; i < n && l->places; i++) g->tensors[first + i].data = l->places[i];
    if (l->places) return HEARTH_OK;
    // No wrap: pos <= size, and no object ends within 64 KB of the end of the address space.
    size_t data_start = align_up(l->records.pos, l->alignment);
    for (size_t i = 0; i < n; i++) {
        HEARTH_TRY(place_tensor(l, data_start, e[i].offset, &g->tensors[first + i], err));
    }
    return check_overlap(g, e, n, err);
}

static hearth_status index_part(gguf *g, part_layout *l, int part, hearth_err *err)
{
    size_t n = (size_t)l->head.n_tensors;
    if (n == 0) return HEARTH_OK;
    extent *e = mem_alloc_zero(MEM_MODEL, n, sizeof *e);
    if (!e) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu tensors", n);
    hearth_status s = read_tensors(g, l, part, e, err);
    mem_free(e);
    return s;
}

// --- open and close -----------------------------------------------------------------------------

static hearth_status reserve_tensors(gguf *g, const part_layout *l, int n_parts, hearth_err *err)
{
    size_t n = 0; // no overflow: each count fits in its part, and all parts fit in memory
    for (int i = 0; i < n_parts; i++) n += (size_t)l[i].head.n_tensors;
    if (n > LIMIT_GGUF_TENSORS) {
        return err_fail(err, HEARTH_E_LIMIT, "%zu tensors, at most %d are supported", n,
                        LIMIT_GGUF_TENSORS);
    }
    if (l->split_tensors >= 0 && n_parts > 1 && (uint64_t)l->split_tensors != n) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "key 'split.tensors.count': is %" PRId64 ", but the parts hold %zu tensors",
                        l->split_tensors, n);
    }
    if (n == 0) return HEARTH_OK;
    g->tensors = mem_alloc_zero(MEM_MODEL, n, sizeof *g->tensors);
    if (!g->tensors) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu tensors", n);
    hearth_status s = map_reserve(&g->tensor_map, n);
    if (s != HEARTH_OK) return err_fail(err, s, "no memory for the index of %zu tensors", n);
    return HEARTH_OK;
}

static hearth_status open_parts(gguf *g, part_layout *l, const gguf_bytes *parts, int n_parts,
                                hearth_err *err)
{
    for (int i = 0; i < n_parts; i++) {
        hearth_status s = i == 0 ? scan_first(&parts[i], &l[i], g, err)
                                 : scan_later(&parts[i], &l[i], err);
        if (s == HEARTH_OK) s = check_split(&l[i], i, n_parts, err);
        HEARTH_TRY(name_part(s, &parts[i], err));
    }
    HEARTH_TRY(name_part(reserve_tensors(g, l, n_parts, err), &parts[0], err));
    for (int i = 0; i < n_parts; i++) {
        HEARTH_TRY(name_part(index_part(g, &l[i], i, err), &parts[i], err));
    }
    return HEARTH_OK;
}

static gguf *create_index(hearth_err *err)
{
    gguf *g = mem_alloc_zero(MEM_MODEL, 1, sizeof *g);
    if (g) {
        map_init(&g->key_map, MEM_MODEL);
        map_init(&g->tensor_map, MEM_MODEL);
    } else {
        err_fail(err, HEARTH_E_NOMEM, "no memory for a model index");
    }
    return g;
}

hearth_status gguf_open(const gguf_bytes *parts, int n_parts, gguf **out, hearth_err *err)
{
    *out = NULL;
    if (n_parts < 1 || n_parts > LIMIT_GGUF_SPLITS) {
        return err_fail(err, HEARTH_E_ARG, "%d parts, expected 1 to %d", n_parts,
                        LIMIT_GGUF_SPLITS);
    }
    gguf *g = create_index(err);
    if (!g) return HEARTH_E_NOMEM;
    part_layout *l = mem_alloc_zero(MEM_MODEL, (size_t)n_parts, sizeof *l);
    hearth_status s = l ? open_parts(g, l, parts, n_parts, err)
                        : err_fail(err, HEARTH_E_NOMEM, "no memory for a model index");
    if (s == HEARTH_OK) *out = g;
    else gguf_close(g);
    mem_free(l);
    return s;
}

static hearth_status index_placed(gguf *g, const gguf_bytes *bytes, const uint8_t *const *places,
                                  hearth_err *err)
{
    part_layout l;
    HEARTH_TRY(scan_first(bytes, &l, g, err));
    l.places = places;
    HEARTH_TRY(reserve_tensors(g, &l, 1, err));
    return index_part(g, &l, 0, err);
}

hearth_status gguf_open_placed(buf *header, const uint8_t *const *places, gguf **out,
                               hearth_err *err)
{
    *out = NULL;
    gguf *g = create_index(err);
    if (!g) return HEARTH_E_NOMEM;
    g->header = header->p;
    gguf_bytes bytes = {NULL, (const uint8_t *)header->p, header->n};
    *header = (buf){.tag = header->tag};
    hearth_status s = index_placed(g, &bytes, places, err);
    if (s == HEARTH_OK) *out = g;
    else gguf_close(g);
    return s;
}

void gguf_close(gguf *g)
{
    if (!g) return;
    map_release(&g->key_map);
    map_release(&g->tensor_map);
    mem_free(g->kv);
    mem_free(g->tensors);
    mem_free(g->header);
    mem_free(g);
}
