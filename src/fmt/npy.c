// NumPy .npy: a magic, a version, and a Python dict literal that describes the bytes after it.
//
//   \x93 "NUMPY" | u8 major | u8 minor | header length (1.x: u16, 2.x, 3.x: u32) | header | data
//   header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } spaces \n
//
// The header is read by a small scanner for exactly the three keys (any order, either quote): NumPy
// itself evaluates it with ast.literal_eval, but nothing richer than strings, booleans and a tuple
// of numbers is written for plain arrays. Structured types, big-endian data and Fortran order of
// more than one dimension are refused by name. The data must fill the file exactly.
#include "fmt/npy.h"

#include <inttypes.h>
#include <string.h>

typedef struct type_row { const char *descr; uint8_t bytes; } type_row;

static const type_row types[] = {
    [NPY_F32] = {"<f4", 4}, [NPY_F16] = {"<f2", 2}, [NPY_F64] = {"<f8", 8}, [NPY_I8] = {"|i1", 1},
    [NPY_U8] = {"|u1", 1},  [NPY_I32] = {"<i4", 4}, [NPY_I64] = {"<i8", 8}, [NPY_BOOL] = {"|b1", 1},
};

size_t npy_item_bytes(npy_type t)
{
    ASSERT((unsigned)t < COUNTOF(types));
    return types[t].bytes;
}

// --- the scanner --------------------------------------------------------------------------------

typedef struct header { bool has_descr, has_order, has_shape, fortran; } header;

static void skip_space(str *s)
{
    while (s->n > 0 && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) {
        s->p++;
        s->n--;
    }
}

// Takes `c` after any white space.
static bool take_char(str *s, char c)
{
    skip_space(s);
    if (s->n == 0 || *s->p != c) return false;
    s->p++;
    s->n--;
    return true;
}

static bool take_word(str *s, str word)
{
    skip_space(s);
    if (!str_starts(*s, word)) return false;
    s->p += word.n;
    s->n -= word.n;
    return true;
}

// A quoted string without escapes.
static bool take_quoted(str *s, str *out)
{
    skip_space(s);
    if (s->n == 0 || (*s->p != '\'' && *s->p != '"')) return false;
    char quote = *s->p;
    str rest = {s->p + 1, s->n - 1};
    const char *end = memchr(rest.p, quote, rest.n);
    if (!end) return false;
    *out = (str){rest.p, (size_t)(end - rest.p)};
    *s = (str){end + 1, rest.n - out->n - 1};
    return true;
}

static bool take_number(str *s, int64_t *out)
{
    skip_space(s);
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') n++;
    if (n == 0 || !str_parse_i64((str){s->p, n}, out)) return false;
    s->p += n;
    s->n -= n;
    return true;
}

// --- the three values ---------------------------------------------------------------------------

static hearth_status read_descr(str *s, npy *out, hearth_err *err)
{
    str descr;
    if (!take_quoted(s, &descr)) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "npy: structured types are not supported");
    }
    for (size_t i = 0; i < COUNTOF(types); i++) {
        if (!str_eq_z(descr, types[i].descr)) continue;
        out->type = (npy_type)i;
        return HEARTH_OK;
    }
    return err_fail(err, HEARTH_E_UNSUPPORTED, "npy: type '%.*s' is not supported", STR_ARG(descr));
}

static hearth_status read_order(str *s, bool *fortran, hearth_err *err)
{
    *fortran = take_word(s, STR("True"));
    if (*fortran || take_word(s, STR("False"))) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "npy: 'fortran_order' is neither True nor False");
}

// (), (3,), (3, 4) or (3, 4,)
static hearth_status read_shape(str *s, npy *out, hearth_err *err)
{
    bool ok = take_char(s, '(');
    out->n_dims = 0;
    while (ok && !take_char(s, ')')) {
        int64_t dim;
        if (!take_number(s, &dim)) {
            ok = false;
        } else if (out->n_dims == NPY_MAX_DIMS) {
            return err_fail(err, HEARTH_E_LIMIT, "npy: more than %d dimensions", NPY_MAX_DIMS);
        } else {
            out->dim[out->n_dims++] = dim;
            ok = take_char(s, ',') || (out->n_dims > 1 && s->n > 0 && *s->p == ')');
        }
    }
    return ok ? HEARTH_OK : err_fail(err, HEARTH_E_FORMAT, "npy: 'shape' is no tuple of sizes");
}

static hearth_status read_entry(str *s, npy *out, header *h, hearth_err *err)
{
    str key;
    if (!take_quoted(s, &key) || !take_char(s, ':')) {
        return err_fail(err, HEARTH_E_FORMAT, "npy: header is no dictionary");
    }
    bool *seen = str_eq_z(key, "descr") ? &h->has_descr
               : str_eq_z(key, "fortran_order") ? &h->has_order
               : str_eq_z(key, "shape") ? &h->has_shape : NULL;
    if (!seen || *seen) {
        return err_fail(err, HEARTH_E_FORMAT, "npy: header key '%.*s' is %s", STR_ARG(key),
                        seen ? "there twice" : "unknown");
    }
    *seen = true;
    if (seen == &h->has_descr) return read_descr(s, out, err);
    if (seen == &h->has_order) return read_order(s, &h->fortran, err);
    return read_shape(s, out, err);
}

static hearth_status read_dict(str s, npy *out, header *h, hearth_err *err)
{
    bool ok = take_char(&s, '{');
    bool more = ok && !take_char(&s, '}');
    while (more) {
        HEARTH_TRY(read_entry(&s, out, h, err));
        bool comma = take_char(&s, ',');
        more = !take_char(&s, '}');
        if (more && !comma) return err_fail(err, HEARTH_E_FORMAT, "npy: header is no dictionary");
    }
    skip_space(&s);
    if (!ok || s.n > 0 || !h->has_descr || !h->has_order || !h->has_shape) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "npy: header lacks 'descr', 'fortran_order' or 'shape', or has more");
    }
    if (h->fortran && out->n_dims > 1) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "npy: Fortran order is not supported");
    }
    return HEARTH_OK;
}

// --- the file -----------------------------------------------------------------------------------

// Where the header text lies. p has at least 10 bytes.
static hearth_status find_header(const uint8_t *p, size_t n, size_t *start, size_t *len,
                                 hearth_err *err)
{
    if (n < 10 || memcmp(p, "\x93NUMPY", 6) != 0) {
        return err_fail(err, HEARTH_E_FORMAT, "npy: not a NumPy array file");
    }
    if (p[6] < 1 || p[6] > 3) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "npy: version %d, expected 1 to 3", p[6]);
    }
    bool is_long = p[6] > 1;
    *start = is_long ? 12 : 10;
    if (n < *start) return err_fail(err, HEARTH_E_FORMAT, "npy: file ends inside its header");
    *len = (size_t)p[8] | (size_t)p[9] << 8;
    if (is_long) *len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (*len <= n - *start) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "npy: header of %zu bytes in a file of %zu", *len, n);
}

static bool count_bytes(npy_type type, int n_dims, const int64_t *dim, size_t *bytes)
{
    *bytes = types[type].bytes;
    bool is_empty = false; // a 0 behind an overflow still means no bytes
    for (int i = 0; i < n_dims; i++) is_empty |= dim[i] == 0;
    for (int i = 0; i < n_dims && !is_empty; i++) {
        if ((uint64_t)dim[i] > SIZE_MAX || !mul_ok(*bytes, (size_t)dim[i], bytes)) return false;
    }
    if (is_empty) *bytes = 0;
    return true;
}

hearth_status npy_parse(const void *p, size_t n, npy *out, hearth_err *err)
{
    const uint8_t *bytes = p;
    size_t start = 0, len = 0;
    npy a = {0};
    header h = {0};
    HEARTH_TRY(find_header(bytes, n, &start, &len, err));
    HEARTH_TRY(read_dict((str){(const char *)bytes + start, len}, &a, &h, err));
    size_t found = n - start - len;
    if (!count_bytes(a.type, a.n_dims, a.dim, &a.bytes)) {
        return err_fail(err, HEARTH_E_FORMAT, "npy: shape overflows");
    }
    if (a.bytes != found) {
        return err_fail(err, HEARTH_E_FORMAT, "npy: %zu bytes of data, expected %zu", found,
                        a.bytes);
    }
    a.data = bytes + start + len;
    *out = a;
    return HEARTH_OK;
}

hearth_status npy_header(npy_type type, int n_dims, const int64_t *dim, buf *out, hearth_err *err)
{
    ASSERT((unsigned)type < COUNTOF(types) && n_dims >= 0 && n_dims <= NPY_MAX_DIMS);
    static const uint8_t magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};
    size_t first = out->n;
    buf_append(out, magic, sizeof magic);
    buf_printf(out, "{'descr': '%s', 'fortran_order': False, 'shape': (", types[type].descr);
    for (int i = 0; i < n_dims; i++) {
        ASSERT(dim[i] >= 0);
        buf_printf(out, i + 1 < n_dims ? "%" PRId64 ", " : "%" PRId64, dim[i]);
    }
    buf_append_str(out, n_dims == 1 ? STR(",), }") : STR("), }"));
    while (out->failed == HEARTH_OK && (out->n - first + 1) % 64 != 0) buf_append_char(out, ' ');
    buf_append_char(out, '\n');
    if (out->failed != HEARTH_OK) {
        return err_fail(err, out->failed, "npy: header cannot be written");
    }
    size_t len = out->n - first - sizeof magic; // 8 dimensions of 19 digits: below 65536
    out->p[first + 8] = (char)(len & 0xFF);
    out->p[first + 9] = (char)(len >> 8);
    return HEARTH_OK;
}
