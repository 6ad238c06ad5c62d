// See onnx_make.h.
#include "support/onnx_make.h"

static void put_varint(buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) buf_append_char(b, (char)(v | 0x80));
    buf_append_char(b, (char)v);
}

void pb_put_int(buf *b, unsigned number, uint64_t v)
{
    put_varint(b, (uint64_t)number << 3);
    put_varint(b, v);
}

void pb_put_bytes(buf *b, unsigned number, const void *p, size_t n)
{
    put_varint(b, (uint64_t)number << 3 | 2);
    put_varint(b, n);
    buf_append(b, p, n);
}

void pb_put_text(buf *b, unsigned number, const char *z)
{
    str s = str_from(z);
    pb_put_bytes(b, number, s.p, s.n);
}

static void put_message(buf *b, unsigned number, buf *message)
{
    pb_put_bytes(b, number, message->p, message->n);
    buf_release(message);
}

static buf fresh(void)
{
    buf b;
    buf_init(&b, MEM_TEST, 1 << 20);
    return b;
}

// ValueInfoProto of a tensor; n_dims < 0: no shape.
static void put_value(buf *graph, unsigned number, const char *name, int type, int n_dims,
                      const int64_t *dim)
{
    buf value = fresh(), outer = fresh(), tensor = fresh(), shape = fresh();
    for (int d = 0; d < n_dims; d++) {
        buf one = fresh();
        pb_put_int(&one, 1, (uint64_t)dim[d]);
        put_message(&shape, 1, &one);
    }
    pb_put_int(&tensor, 1, (uint64_t)type);
    if (n_dims >= 0) pb_put_bytes(&tensor, 2, shape.p, shape.n);
    buf_release(&shape);
    put_message(&outer, 1, &tensor);
    pb_put_text(&value, 1, name);
    put_message(&value, 2, &outer);
    put_message(graph, number, &value);
}

static void put_node(buf *graph, const char *op, const char *in0, const char *in1, const char *out,
                     const buf *attr)
{
    buf node = fresh();
    pb_put_text(&node, 1, in0);
    if (in1) pb_put_text(&node, 1, in1);
    pb_put_text(&node, 2, out);
    pb_put_text(&node, 3, "a node");
    pb_put_text(&node, 4, op);
    if (attr) pb_put_bytes(&node, 5, attr->p, attr->n);
    put_message(graph, 1, &node);
}

static void put_model(buf *out, buf *graph, int64_t opset)
{
    buf version = fresh();
    buf_init(out, MEM_TEST, 1 << 20);
    pb_put_int(out, 1, 8);
    pb_put_int(&version, 2, (uint64_t)opset);
    put_message(out, 8, &version);
    put_message(out, 7, graph);
}

static void put_names(buf *node, unsigned number, const char *const *names)
{
    for (; *names; names++) pb_put_text(node, number, *names);
}

static void put_loop(buf *graph, buf *body)
{
    static const char *const in[] = {"m", "", "x", NULL}, *const out[] = {"acc", "rows", NULL};
    buf node = fresh(), attr = fresh();
    pb_put_text(&attr, 1, "body");
    pb_put_int(&attr, 20, 5);
    put_message(&attr, 6, body);
    put_names(&node, 1, in);
    put_names(&node, 2, out);
    pb_put_text(&node, 4, "Loop");
    put_message(&node, 5, &attr);
    put_message(graph, 1, &node);
}

void onnx_make_loop(buf *out)
{
    enum { F32 = 1, I64 = 7, BOOL = 9 };
    static const int64_t two[1] = {2};
    buf graph = fresh(), body = fresh();
    put_node(&body, "Add", "was", "x", "is", NULL);
    put_node(&body, "Identity", "go", NULL, "go_on", NULL);
    put_node(&body, "Identity", "is", NULL, "row", NULL);
    put_value(&body, 11, "i", I64, 0, NULL);
    put_value(&body, 11, "go", BOOL, 0, NULL);
    put_value(&body, 11, "was", F32, 1, two);
    put_value(&body, 12, "go_on", BOOL, 0, NULL);
    put_value(&body, 12, "is", F32, 1, two);
    put_value(&body, 12, "row", F32, 1, two);
    put_loop(&graph, &body);
    put_value(&graph, 11, "m", I64, 0, NULL);
    put_value(&graph, 11, "x", F32, 1, two);
    put_value(&graph, 12, "acc", F32, -1, NULL);
    put_value(&graph, 12, "rows", F32, -1, NULL);
    put_model(out, &graph, 17);
}

void onnx_make_small(buf *out)
{
    static const float w[3] = {1, 2, -30};
    static const int64_t dim[2] = {2, 3};
    buf graph = fresh(), tensor = fresh();
    put_node(&graph, "Add", "x", "w", "sum", NULL);
    put_node(&graph, "Relu", "sum", NULL, "y", NULL);
    pb_put_int(&tensor, 1, 3);
    pb_put_int(&tensor, 2, 1);
    pb_put_text(&tensor, 8, "w");
    pb_put_bytes(&tensor, 9, w, sizeof w);
    put_message(&graph, 5, &tensor);
    put_value(&graph, 11, "x", 1, 2, dim);
    put_value(&graph, 12, "y", 1, 2, dim);
    put_model(out, &graph, 17);
}

void onnx_make_node(buf *out, const char *op, int64_t opset, int x_type, int i_type,
                    const buf *attr)
{
    buf graph = fresh();
    put_node(&graph, op, "x", i_type ? "i" : NULL, "y", attr);
    put_value(&graph, 11, "x", x_type, -1, NULL);
    if (i_type) put_value(&graph, 11, "i", i_type, -1, NULL);
    put_value(&graph, 12, "y", x_type, -1, NULL);
    put_model(out, &graph, opset);
}
