"""Operators of 8 bits: what LiteRT answers is what the graph says, up to one step of the result."""

from __future__ import annotations

import numpy as np
import pytest
from support.lowered import build, graph_of
from support.op_case import floats
from support.op_cases import weights

from sensenet.artifact import Artifact, Report
from sensenet.backends import get_target
from sensenet.backends.tflite import FILE_NAME
from sensenet.backends.tflite.convert import convert
from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of, pack, unpack
from sensenet.backends.tflite.metadata import write_file
from sensenet.backends.tflite.verify import verify
from sensenet.backends.tflite.versions import declare_versions
from sensenet.errors import ArtifactError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.ops import arithmetic, convolution, dense, image, pooling, rearrangement, reduction
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Tensor, f32
from sensenet.passes.quantization.kernels import round_layer
from sensenet.passes.quantization.scales import steps_of
from sensenet.passes.quantization.selection import LAYERS, MOVES
from sensenet.passes.quantization.steps import Steps, fixed_steps

pytest.importorskip("ai_edge_litert.interpreter")

STEPS = Steps(scale=1 / 32, zero_point=-7)
FINE = Steps(scale=1 / 8191, zero_point=0, bits=16)
ROWS, IMAGES = (50, 6), (3, 6, 7, 4)
UPSAMPLING = convolution.UpsampleMethod


def in_steps(value: Value, steps: Steps) -> Value:
    return apply(steps.dequantize(), apply(steps.quantize(), value).value).value


def activation(name):
    return dense.Activation(function=ActivationFunction(name))


def pool(op_class, padding):
    return op_class(pool_size=(3, 2), strides=(2, 2), padding=padding)


LAYER_OPS = (
    (dense.Dense(kernel=weights(6, 5), bias=weights(5)), ROWS),
    (dense.Dense(kernel=weights(6, 5), activation=ActivationFunction.RELU), ROWS),
    (dense.Dense(kernel=weights(4, 5), bias=weights(5), activation=ActivationFunction.RELU6), IMAGES),
    (convolution.Convolution2D(kernel=weights(3, 2, 4, 5), bias=weights(5)), IMAGES),
    (
        convolution.Convolution2D(
            kernel=weights(3, 3, 4, 5),
            strides=(2, 2),
            padding=Padding.SAME,
            activation=ActivationFunction.RELU,
        ),
        IMAGES,
    ),
    (
        convolution.DepthwiseConvolution2D(kernel=weights(3, 3, 4, 2), bias=weights(8), padding=Padding.SAME),
        IMAGES,
    ),
    (
        convolution.DepthwiseConvolution2D(
            kernel=weights(2, 3, 4, 1), strides=(2, 2), activation=ActivationFunction.RELU6
        ),
        IMAGES,
    ),
)
OTHER_OPS = (
    *((activation(name), ROWS) for name in ("relu", "relu6", "leaky_relu", "tanh", "sigmoid")),
    *((op(), ROWS, ROWS) for op in (arithmetic.Add, arithmetic.Subtract, arithmetic.Multiply)),
    (arithmetic.Add(), IMAGES, (3, 1, 1, 4)),
    *((op(), ROWS, ROWS) for op in (arithmetic.Maximum, arithmetic.Minimum)),
    *((pool(op, p), IMAGES) for op in (pooling.MaxPool2D, pooling.AveragePool2D) for p in Padding),
    (pooling.GlobalAveragePool2D(), IMAGES),
    (pooling.GlobalMaxPool2D(), IMAGES),
    (convolution.Pad2D(padding=((1, 0), (2, 3))), IMAGES),
    *((convolution.Upsample2D(size=(2, 3), method=method), IMAGES) for method in UPSAMPLING),
    (reduction.Mean(axis=1), IMAGES),
    (rearrangement.Concatenate(), ROWS, (50, 2), (50, 3)),
    (rearrangement.Slice(start=1, stop=4), ROWS),
    (rearrangement.Gather(indices=Tensor.int32([2, 0, 0])), ROWS),
    (rearrangement.Reshape(shape=(None, 3, 2)), ROWS),
    (rearrangement.Transpose(permutation=(0, 2, 1, 3)), IMAGES),
    (image.Index(axis=1, index=2), IMAGES),
    (reduction.ReduceMax(axes=(1,)), ROWS),
)


IN_SIXTEEN = [
    case for case in (*LAYER_OPS, *OTHER_OPS) if getattr(case[0], "method", None) is not UPSAMPLING.BILINEAR
]


def graph_in_steps(op, *shapes, steps=STEPS):
    """The graph of an op of whole numbers, what to feed it, and the steps of its result."""
    arrays = [floats(*sizes, scale=1.5) * (-1) ** number for number, sizes in enumerate(shapes)]
    rounded = [steps.dequantize().evaluate(steps.quantize().evaluate(x)) for x in arrays]
    if isinstance(op, LAYERS):
        op = round_layer(op, steps.scale)
    exact = op.evaluate(*rounded)
    free = steps_of((min(0.0, float(exact.min())), max(0.0, float(exact.max()))), steps.bits)
    given = steps if isinstance(op, MOVES) else fixed_steps(op, steps.bits) or free
    graph = graph_of(
        {f"x{number}": f32(None, *sizes[1:]) for number, sizes in enumerate(shapes)},
        lambda *xs: {"y": in_steps(apply(op, *(in_steps(x, steps) for x in xs)).value, given)},
    )
    return graph, {f"x{number}": x for number, x in enumerate(arrays)}, given


def file_of(graph):
    """The graph as a .tflite file, without lowering."""
    return write_file(declare_versions(convert(graph)), graph)


def run(graph, feed):
    content = file_of(graph)
    verify(content, "the file")
    artifact = Artifact(
        target="tflite",
        graph=graph,
        report=Report(target="tflite", level=0),
        produce=lambda: {FILE_NAME: content},
    )
    return get_target("tflite").load(artifact).run(feed)["y"]


def operators(graph):
    """The kinds of operators of a graph's file, and the types of their results."""
    tree = unpack(bytes(file_of(graph)))
    kinds, types = names_of(import_schema().BuiltinOperator), names_of(import_schema().TensorType)
    main = tree.subgraphs[0]
    return [(kinds[kind_of(tree, op)], types[main.tensors[op.outputs[0]].type]) for op in main.operators]


@pytest.mark.parametrize(
    "case", [*LAYER_OPS, *OTHER_OPS], ids=lambda case: f"{case[0].mnemonic()}-{len(case)}"
)
def test_litert_answers_as_the_interpreter_but_for_one_step(case):
    graph, feed, given = graph_in_steps(*case)
    *conversions, (_, result), last = operators(graph)
    assert {kind for kind, _ in conversions} == {"QUANTIZE"}
    assert len(conversions) == len(case) - 1
    assert (result, last) == ("INT8", ("DEQUANTIZE", "FLOAT32"))
    got, want = run(graph, feed), evaluate(graph, feed)["y"]
    steps = np.rint((got - want) / given.scale)
    assert np.abs(steps).max() <= 1
    assert np.mean(steps == 0) > 0.85  # halves of a step go another way in some kernels


@pytest.mark.parametrize("case", IN_SIXTEEN, ids=lambda case: f"{case[0].mnemonic()}-{len(case)}")
def test_litert_answers_as_the_interpreter_in_sixteen_bits(case):
    """But for one step, or two of tanh, which LiteRT interpolates in a table."""
    graph, feed, given = graph_in_steps(*case, steps=FINE)
    *conversions, (_, result), last = operators(graph)
    assert {kind for kind, _ in conversions} == {"QUANTIZE"}
    assert len(conversions) == len(case) - 1
    assert (result, last) == ("INT16", ("DEQUANTIZE", "FLOAT32"))
    got, want = run(graph, feed), evaluate(graph, feed)["y"]
    steps = np.rint((got - want) / given.scale)
    is_tanh = case[0] == activation("tanh")
    assert np.abs(steps).max() <= (2 if is_tanh else 1)
    assert np.mean(steps == 0) > (0.5 if is_tanh else 0.8)  # kernels have 16 bits of the rescaling factor


def test_a_layer_of_sixteen_bits_has_a_bias_of_64():
    graph, _, _ = graph_in_steps(*LAYER_OPS[3], steps=FINE)
    tree = unpack(bytes(file_of(graph)))
    types = names_of(import_schema().TensorType)
    main = tree.subgraphs[0]
    (layer,) = (op for op in main.operators if len(op.inputs) == 3)
    x, kernel, bias = (main.tensors[index] for index in layer.inputs)
    assert [types[each.type] for each in (x, kernel, bias)] == ["INT16", "INT8", "INT64"]
    assert x.quantization.zeroPoint.tolist() == [0]
    np.testing.assert_allclose(
        bias.quantization.scale, x.quantization.scale[0] * kernel.quantization.scale, rtol=1e-6
    )


def declare_powers_of_two(sum_, tensors):
    sum_.builtinOptions.potScaleInt16 = True


def move_zero(sum_, tensors):
    tensors[sum_.outputs[0]].quantization.zeroPoint = np.int64([1])


def refine_the_result(sum_, tensors):
    tensors[sum_.outputs[0]].quantization.scale = np.float32([FINE.scale / 2**14])


@pytest.mark.parametrize("damage", [declare_powers_of_two, move_zero, refine_the_result])
def test_sums_of_sixteen_bits_that_would_end_the_process_are_refused(damage):
    graph, _, _ = graph_in_steps(arithmetic.Add(), ROWS, ROWS, steps=FINE)
    tree = unpack(bytes(file_of(graph)))
    verify(bytes(pack(tree)), "the file")
    main = tree.subgraphs[0]
    (sum_,) = (op for op in main.operators if len(op.inputs) == 2)
    damage(sum_, main.tensors)
    with pytest.raises(ArtifactError, match=r"scales of ADD|a zero point"):
        verify(bytes(pack(tree)), "the file")


def test_a_sum_absorbs_the_activation_behind_it():
    graph = graph_of(
        {"x": f32(None, 3)},
        lambda x: {
            "y": in_steps(
                apply(
                    activation("relu"), apply(arithmetic.Add(), in_steps(x, STEPS), in_steps(x, STEPS)).value
                ).value,
                STEPS,
            )
        },
    )
    assert [kind for kind, _ in operators(graph)][-2:] == ["ADD", "DEQUANTIZE"]
    feed = {"x": floats(40, 3)}
    np.testing.assert_allclose(run(graph, feed), evaluate(graph, feed)["y"], atol=STEPS.scale)


def test_constants_are_stored_in_steps():
    number = constant(Tensor.float32([0.5, -0.25, 99.0]))
    graph = graph_of(
        {"x": f32(None, 3)},
        lambda x: {
            "y": in_steps(
                apply(arithmetic.Minimum(), in_steps(x, STEPS), in_steps(number, STEPS)).value, STEPS
            )
        },
    )
    assert operators(graph)[1:] == [("MINIMUM", "INT8"), ("DEQUANTIZE", "FLOAT32")]
    feed = {"x": floats(40, 3, scale=3.0)}
    np.testing.assert_array_equal(run(graph, feed), evaluate(graph, feed)["y"])


OTHER_STEPS = Steps(scale=1 / 16, zero_point=3)
LAYER = dense.Dense(kernel=weights(3, 4), bias=weights(4))
IN_FLOAT = {
    "an op that has no kernel of 8 bits": (activation("elu"), STEPS),
    "a pool of two scales": (rearrangement.Slice(start=0, stop=2), OTHER_STEPS),
    "a sigmoid of another scale": (activation("sigmoid"), OTHER_STEPS),
    "a layer whose weights are not in steps": (LAYER, STEPS),
    "steps of eight bits read and of sixteen given": (activation("relu"), FINE),
    "a layer with too fine a result": (round_layer(LAYER, STEPS.scale), Steps(scale=1e-9, zero_point=0)),
}


@pytest.mark.parametrize(("op", "given"), IN_FLOAT.values(), ids=IN_FLOAT.keys())
def test_what_no_kernel_takes_is_computed_in_float(op, given):
    graph = graph_of(
        {"x": f32(None, 3)}, lambda x: {"y": in_steps(apply(op, in_steps(x, STEPS)).value, given)}
    )
    found = operators(graph)
    assert [kind for kind, _ in found if "QUANTIZE" in kind] == ["QUANTIZE", "DEQUANTIZE"] * 2
    assert found[2][1] == "FLOAT32"
    feed = {"x": floats(40, 3)}
    np.testing.assert_allclose(run(graph, feed), evaluate(graph, feed)["y"], atol=given.scale)


def test_neighbors_are_weighted_in_float_if_they_have_sixteen_bits():
    op = convolution.Upsample2D(size=(2, 3), method=UPSAMPLING.BILINEAR)
    graph, feed, _ = graph_in_steps(op, IMAGES, steps=FINE)
    assert ("RESIZE_BILINEAR", "FLOAT32") in operators(graph)
    np.testing.assert_allclose(run(graph, feed), evaluate(graph, feed)["y"], atol=FINE.scale)


def test_a_value_that_others_read_exactly_is_computed_in_float():
    def outputs(x):
        y = apply(activation("relu"), in_steps(x, STEPS)).value
        return {"y": in_steps(y, STEPS), "exact": y}

    found = operators(graph_of({"x": f32(None, 3)}, outputs))
    assert ("RELU", "FLOAT32") in found


def test_other_steps_of_a_value_are_one_operator():
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"y": in_steps(in_steps(x, STEPS), OTHER_STEPS)})
    assert [kind for kind, _ in operators(graph)] == ["QUANTIZE", "QUANTIZE", "DEQUANTIZE"]
    feed = {"x": floats(40, 3)}
    steps = (run(graph, feed) - evaluate(graph, feed)["y"]) / OTHER_STEPS.scale
    assert np.abs(np.rint(steps)).max() <= 1


def test_quantize_and_dequantize_alone_are_lowered():
    """A graph in steps may be compiled again, and answers the same."""
    graph, feed, _ = graph_in_steps(*LAYER_OPS[0])
    artifact = build(graph, "tflite")
    assert not artifact.graph.ops & {Quantize, Dequantize}
    got = get_target("tflite").load(artifact).run(feed)["y"]
    np.testing.assert_allclose(got, evaluate(graph, feed)["y"], atol=1e-6)
