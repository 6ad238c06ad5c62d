#!/usr/bin/env python3
"""Makes the seeds in corpus/fuzz_onnx. Needs the onnx package (1.23.2 made the ones in the tree)."""
import pathlib

from onnx import TensorProto as T, helper as h

OUT = pathlib.Path(__file__).parent / "corpus/fuzz_onnx"


def save(name, nodes, inputs, initializers=(), opset=17, out_type=T.FLOAT):
    graph = h.make_graph(nodes, "g", [h.make_tensor_value_info(*i) for i in inputs],
                         [h.make_tensor_value_info("y", out_type, None)], list(initializers))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8)
    (OUT / name).write_bytes(model.SerializeToString())


OUT.mkdir(parents=True, exist_ok=True)
save("add_relu", [h.make_node("Add", ["x", "w"], ["s"]), h.make_node("Relu", ["s"], ["y"])],
     [("x", T.FLOAT, [2, 3])], [h.make_tensor("w", T.FLOAT, [3], [1, 2, -30])])
save("conv_pool", [h.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
                   h.make_node("MaxPool", ["c"], ["y"], kernel_shape=[2, 2])],
     [("x", T.FLOAT, [1, 1, 6, 6])], [h.make_tensor("w", T.FLOAT, [2, 1, 3, 3], range(18))])
save("pool_in_padding", [h.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2],
                                     pads=[5, 5, 5, 5])],
     [("x", T.UINT8, [1, 1, 3, 3])], out_type=T.UINT8)
save("gather_reshape", [h.make_node("Gather", ["x", "i"], ["g"], axis=1),
                        h.make_node("Shape", ["g"], ["s"]),
                        h.make_node("Reshape", ["g", "r"], ["y"])],
     [("x", T.FLOAT, [3, 4]), ("i", T.INT64, [2]), ("r", T.INT64, [1])])
save("half_gemm", [h.make_node("Gemm", ["x", "x"], ["y"], transB=1)],
     [("x", T.FLOAT16, [3, 4])], out_type=T.FLOAT16)
save("slice_pad", [h.make_node("Slice", ["x", "b", "e"], ["s"]),
                   h.make_node("Pad", ["s", "p"], ["y"], mode="reflect")],
     [("x", T.FLOAT, [5]), ("b", T.INT64, [1]), ("e", T.INT64, [1]), ("p", T.INT64, [2])])
then = h.make_graph([h.make_node("Relu", ["x"], ["t"])], "then", [],
                    [h.make_tensor_value_info("t", T.FLOAT, None)])
other = h.make_graph([h.make_node("Resize", ["x", "", "scales"], ["r"], mode="linear")], "else", [],
                     [h.make_tensor_value_info("r", T.FLOAT, None)])
save("if_resize", [h.make_node("If", ["b"], ["y"], then_branch=then, else_branch=other)],
     [("b", T.BOOL, []), ("x", T.FLOAT, [2, 3])], [h.make_tensor("scales", T.FLOAT, [2], [2, .5])])
body = h.make_graph([h.make_node("Add", ["s", "v"], ["n"]), h.make_node("Mul", ["n", "v"], ["o"])],
                    "body", [h.make_tensor_value_info(n, T.FLOAT, [2]) for n in ("s", "v")],
                    [h.make_tensor_value_info(n, T.FLOAT, [2]) for n in ("n", "o")])
save("scan", [h.make_node("Scan", ["a", "x"], ["z", "y"], body=body, num_scan_inputs=1)],
     [("a", T.FLOAT, [2]), ("x", T.FLOAT, [3, 2])])
save("lstm", [h.make_node("LSTM", ["x", "w", "r", "", "n"], ["y"], hidden_size=2)],
     [("x", T.FLOAT, [3, 1, 2]), ("w", T.FLOAT, [1, 8, 2]), ("r", T.FLOAT, [1, 8, 2]),
      ("n", T.INT32, [1])])
save("codes", [h.make_node("QLinearMatMul", ["x", "s", "z", "x", "s", "z", "s", "z"], ["y"])],
     [("x", T.UINT8, [2, 2])], [h.make_tensor("s", T.FLOAT, [], [0.5]),
                                h.make_tensor("z", T.UINT8, [], [3])], out_type=T.UINT8)
save("quantize", [h.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                  h.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])],
     [("x", T.FLOAT, [2, 2])], [h.make_tensor("s", T.FLOAT, [], [0.1]),
                                h.make_tensor("z", T.INT8, [], [3])])
