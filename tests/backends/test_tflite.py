"""The target tflite: LiteRT answers as the interpreter does, with builtin operators only."""

from __future__ import annotations

import numpy as np
import pytest
from support.lowered import (
    CONVOLUTION,
    DENSE,
    activations_in_context,
    assert_agrees,
    build,
    every_activation,
    graph_of,
    graph_of_op,
    has_inputs,
    run,
)
from support.op_cases import ALL_CASES, CASES, case_name, floats, weights

from sensenet.backends.tflite import TARGET
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import apply
from sensenet.ir.ops import arithmetic, core, dense, detection, image, tabular
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.signature import RescaleType

pytest.importorskip("ai_edge_litert")


def schema():
    return pytest.importorskip("ai_edge_litert.schema_py_generated")


def operator_names(content: bytes) -> set[str]:
    """The ops of all subgraphs of a model."""
    tables = schema()
    names = {code: name for name, code in vars(tables.BuiltinOperator).items() if not name.startswith("_")}
    model = tables.Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    assert all(code.CustomCode() is None for code in codes)
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    return {
        names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        for graph in graphs
        for code in [codes[graph.Operators(index).OpcodeIndex()] for index in range(graph.OperatorsLength())]
    }


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_every_op_agrees_with_the_interpreter(case):
    artifact = build(case.graph(), "tflite")
    assert "CUSTOM" not in operator_names(bytes(artifact))
    assert_agrees(TARGET.load(artifact), case.graph(), case.feed)


@pytest.mark.parametrize(("layer", "shape"), [(CONVOLUTION, (6, 7, 3)), (DENSE, (3,))])
def test_activations_agree_wherever_they_stand(layer, shape):
    graph, feed = activations_in_context(layer, shape)
    assert_agrees(run(graph, "tflite"), graph, feed)


def test_activations_agree_over_their_range():
    graph = every_activation((8,))
    numbers = np.concatenate([np.linspace(-30, 30, 40_000), np.linspace(-3, 3, 40_000)])
    assert_agrees(run(graph, "tflite"), graph, {"x": numbers.astype(np.float32).reshape(-1, 8)})


def test_activations_agree_on_special_numbers():
    """Infinity, NaN, zeros, and numbers so large that e^x overflows."""
    graph = every_activation((1,))
    feed = {
        "x": np.asarray([[np.nan], [np.inf], [-np.inf], [0.0], [88.0], [-104.0], [1e20], [-1e20]], np.float32)
    }
    assert_agrees(run(graph, "tflite"), graph, feed)


def test_the_ops_of_activations_are_few():
    """What TFLite has one op for becomes that."""
    for function, name in [
        (ActivationFunction.GELU, "GELU"),
        (ActivationFunction.LEAKY_RELU, "LEAKY_RELU"),
        (ActivationFunction.ELU, "ELU"),
        (ActivationFunction.LOG_SOFTMAX, "LOG_SOFTMAX"),
    ]:
        graph = graph_of_op(dense.Activation(function=function), f32(None, 4))
        assert operator_names(bytes(build(graph, "tflite"))) == {name}


def test_standardizing_divides_exactly():
    """A product with the reciprocal would differ in half of these numbers."""
    generator = np.random.default_rng(0)
    mean, stdev = (Tensor.float32(generator.normal(size=8)) for _ in range(2))
    graph = graph_of_op(tabular.Standardize(mean=mean, stdev=stdev), f32(None, 8))
    x = generator.normal(size=(2000, 8)).astype(np.float32)
    assert np.any(x / stdev.array != x * (1 / stdev.array))
    assert_agrees(run(graph, "tflite"), graph, {"x0": x}, exactly=True)


def test_dividing_by_a_constant_is_exact():
    divisor = apply(core.Constant(value=Tensor.float32([3.0, 7.0, -0.3]))).value
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"y": apply(arithmetic.Divide(), x, divisor).value})
    assert_agrees(run(graph, "tflite"), graph, {"x": floats(500, 3)}, exactly=True)


def test_missing_features_go_right_in_trees():
    (case, _) = CASES[tabular.Forest]
    x = np.asarray(
        [[np.nan, 0, 0], [0, np.nan, 0], [0, 0, np.nan], [np.nan] * 3, [0.5, 0, -0.25]], np.float32
    )
    executable = run(case.graph(), "tflite")
    for number in range(len(x)):  # one row at a time: no NaN reaches another row
        assert_agrees(executable, case.graph(), {"x0": x[number : number + 1]})
    assert_agrees(executable, case.graph(), {"x0": x})


@pytest.mark.parametrize("method", RescaleType)
@pytest.mark.parametrize(("height", "width"), [(24, 18), (64, 41), (7, 90)])
def test_images_of_any_size_are_rescaled_exactly(method, height, width):
    graph = graph_of_op(image.Rescale(height=height, width=width, method=method), f32(None, None, None, 3))
    executable = run(graph, "tflite")
    generator = np.random.default_rng(height)
    sizes = [(112, 112), (64, 64), (30, 90), *generator.integers(12, 130, (20, 2))]
    for rows, columns in sizes:
        x = generator.integers(0, 256, (2, rows, columns, 3)).astype(np.float32)
        assert_agrees(executable, graph, {"x0": x}, exactly=method is not RescaleType.PAD)


@pytest.mark.parametrize(
    ("score_threshold", "iou_threshold", "max_objects"), [(0.1, 0.5, 5), (0.001, 0.3, 40), (0.4, 1.0, 3)]
)
def test_boxes_are_suppressed_exactly(score_threshold, iou_threshold, max_objects):
    op = detection.SuppressBoxes(
        score_threshold=score_threshold, iou_threshold=iou_threshold, max_objects=max_objects
    )
    graph = graph_of_op(op, f32(None, None, 4), f32(None, None), TensorType(DType.INT32, (None, None)))
    executable = run(graph, "tflite")
    generator = np.random.default_rng(max_objects)
    for batch, count in ((1, 1), (1, 60), (3, 90), (2, 200)):
        centers, sides = (
            generator.normal(40, 60, (batch, count, 2)),
            generator.exponential(25, (batch, count, 2)),
        )
        boxes = np.concatenate([centers - sides, centers + sides], axis=-1)
        scores = np.round(generator.random((batch, count)) ** 2, 2)  # with ties
        scores[:, 0] = np.nan
        feed = {
            "x0": np.round(boxes, -1).astype(np.float32),  # boxes without area too
            "x1": scores.astype(np.float32),
            "x2": generator.integers(0, 9, (batch, count), np.int32),
        }
        assert_agrees(executable, graph, feed, exactly=True)


def test_outputs_may_be_inputs_constants_or_the_same():
    constant = apply(core.Constant(value=weights(2, 2))).value
    graph = graph_of(
        {"a": f32(None, 3), "unused": f32(None, 2)},
        lambda a, _: {"z": a, "b": apply(DENSE, a).value, "again": a, "constant": constant},
    )
    executable = run(graph, "tflite")
    for rows in (2, 0):
        assert_agrees(executable, graph, {"a": floats(rows, 3), "unused": floats(rows, 2)})
