"""Every op: its types, its values against an independent reference, its text form."""

from __future__ import annotations

import importlib
import pkgutil

import attrs
import numpy as np
import pytest
from support.op_cases import ALL_CASES, CASES, OpCase, bools, case_name, floats, ints, weights
from support.op_references import REFERENCES

import sensenet.ir.ops
from sensenet.errors import VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import apply, infer_types, same_graph
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, control, convolution, core, dense, rearrangement, shape, tabular
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph
from sensenet.ir.printer import weights as text_weights
from sensenet.ir.types import Array, DType, Tensor, TensorType, f32, matches
from sensenet.ir.verify import verify


def values_of(case: OpCase) -> list[Array]:
    """What `evaluate` gives, from inputs that it cannot write to."""
    inputs = [x.copy() for x in case.inputs]
    for x in inputs:
        x.flags.writeable = False
    with np.errstate(all="ignore"):
        results = case.op.evaluate(*inputs)
    return list(results) if isinstance(results, tuple) else [results]


COMPUTED_SIZES = {shape.Range, shape.Fill, shape.DynamicReshape, shape.Resize2D, control.While}
"""The ops of whose results sizes are not known from the types of the inputs."""


def test_every_op_class_is_in_the_table():
    for info in pkgutil.iter_modules(sensenet.ir.ops.__path__, f"{sensenet.ir.ops.__name__}."):
        module = importlib.import_module(info.name)
        ops = {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Op)}
        declared = {op for op in ops if attrs.has(op) and "evaluate" in vars(op)}
        missing = sorted(op.__name__ for op in declared - {*OP_CLASSES, Op})
        assert not missing, f"op, step 2: list {missing} in OP_CLASSES of sensenet/ir/ops/table.py"


def test_every_op_has_a_case_and_a_reference():
    for table, place in (
        (CASES, "CASES of op_cases.py, or TENSOR_CASES of tensor_op_cases.py"),
        (
            REFERENCES,
            "REFERENCES of op_references.py, IMAGE_REFERENCES of image_op_references.py, "
            "or TENSOR_REFERENCES of tensor_references.py",
        ),
    ):
        missing = sorted(op.__name__ for op in set(OP_CLASSES) - {core.Input} - set(table))
        assert not missing, f"op, step 5: give {missing} an entry in tests/support/: {place}"
        assert set(table) <= set(OP_CLASSES)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_infer_gives_the_types_of_the_results(case):
    operands = [apply(core.Input(type=t)).value for t in case.types]
    inferred = infer_types(case.op, operands)
    found = [TensorType(DType.of(value), value.shape) for value in values_of(case)]
    if type(case.op) not in COMPUTED_SIZES:
        assert list(inferred) == found
    for declared, actual in zip(inferred, found, strict=True):
        assert declared.dtype is actual.dtype
        assert matches(actual.shape, declared.shape)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_infer_takes_a_batch_of_unknown_size(case):
    graph = case.graph()
    verify(graph)
    for output, value in zip(graph.outputs.values(), values_of(case), strict=True):
        assert output.type.dtype is DType.of(value)
        assert matches(value.shape, output.type.shape)
        unknown = [size is None for size in output.type.shape]
        assert sum(unknown) <= 1 or type(case.op) in COMPUTED_SIZES, "only the batch is unknown"


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_evaluate_agrees_with_the_reference(case):
    wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in case.inputs]
    with np.errstate(all="ignore"):
        expected = REFERENCES[type(case.op)](case.op, *wide)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for value, reference in zip(values_of(case), expected, strict=True):
        assert value.shape == np.shape(reference)
        if value.dtype == np.float32:
            np.testing.assert_allclose(value, reference, rtol=2e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(value, reference)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_text_form_round_trips(case):
    graph = case.graph()
    text = print_graph(graph)
    parsed = parse_graph(text, text_weights(graph))
    assert same_graph(parsed, graph)
    assert print_graph(parsed) == text


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_ops_are_equal_and_hash_by_content(case):
    graph = case.graph()
    parsed = parse_graph(print_graph(graph), text_weights(graph))
    twin = parsed.node("node").op
    assert twin is not case.op
    assert twin == case.op
    assert hash(twin) == hash(case.op)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_program_gives_what_evaluate_gives(case):
    for value, result in zip(values_of(case), evaluate(case.graph(), case.feed).values(), strict=True):
        np.testing.assert_array_equal(value, result)


@pytest.mark.parametrize("case", [cases[0] for cases in CASES.values()], ids=case_name)
def test_other_numbers_of_inputs_are_refused(case):
    operands = [apply(core.Input(type=t)).value for t in case.types]
    variadic = isinstance(
        case.op, arithmetic.Add | arithmetic.Average | rearrangement.Concatenate | shape.Stack
    )
    wrong = [] if variadic else [*operands, apply(core.Input(type=f32(2))).value]
    with pytest.raises(VerifyError, match=r"inputs|or more inputs"):
        infer_types(case.op, wrong)


def test_dense_without_units_or_inputs():
    empty = dense.Dense(kernel=Tensor.float32(np.zeros((3, 0))), activation=ActivationFunction.SOFTMAX)
    assert empty.evaluate(floats(2, 3)).shape == (2, 0)
    constant = dense.Dense(kernel=Tensor.float32(np.zeros((0, 2))), bias=weights(2))
    np.testing.assert_array_equal(constant.evaluate(floats(3, 0)), [constant.bias.array] * 3)


def test_dense_on_images_is_dense_on_their_pixels():
    op = dense.Dense(kernel=weights(3, 4), bias=weights(4), activation=ActivationFunction.TANH)
    images = floats(2, 5, 6, 3)
    by_pixel = op.evaluate(images.reshape(-1, 3)).reshape(2, 5, 6, 4)
    np.testing.assert_array_equal(op.evaluate(images), by_pixel, strict=True)
    np.testing.assert_allclose(by_pixel, dense_by_einsum(op, images), rtol=1e-5, atol=1e-6)
    assert op.evaluate(images[:0]).shape == (0, 5, 6, 4)


@pytest.mark.parametrize(
    "op",
    [
        dense.Dense(kernel=Tensor.float32(np.sin(np.arange(20)[:, None]))),
        convolution.Convolution2D(kernel=Tensor.float32(np.sin(np.arange(20).reshape(1, 1, 20, 1)))),
        convolution.Convolution2D(kernel=Tensor.float32(np.sin(np.arange(60).reshape(1, 3, 20, 1)))),
    ],
)
def test_results_do_not_depend_on_how_inputs_lie_in_memory(op):
    x = floats(4, 1, 3, 25)
    for part in (x[..., 2:22], x[..., 20:0:-1], np.ascontiguousarray(x.T).T[..., :20]):
        np.testing.assert_array_equal(op.evaluate(part), op.evaluate(part.copy()), strict=True)


def dense_by_einsum(op: dense.Dense, x: Array) -> Array:
    return np.tanh(np.einsum("bhwc,cu->bhwu", x.astype(np.float64), op.kernel.float64) + op.bias.float64)


def test_batch_normalization_is_folded_in_float64():
    variance = np.float32(1e-5) - np.float32(1e-3)  # a legacy layer's small stdev² less the epsilon
    op = dense.BatchNormalization(
        gamma=Tensor.float32([1]),
        beta=Tensor.float32([0.1]),
        mean=Tensor.float32([3]),
        variance=Tensor.float32([variance]),
    )
    scale, shift = op.scale_and_shift()
    expected = 1 / np.sqrt(float(variance) + 1e-3)
    np.testing.assert_allclose(scale, expected, rtol=1e-15)
    np.testing.assert_allclose(shift, float(np.float32(0.1)) - 3 * expected, rtol=1e-15)


def test_one_hot_says_which_column_is_which():
    op = tabular.OneHot(depths=(2, 0, 3))
    assert op.groups.tolist() == [0, 0, 2, 2, 2]
    assert op.codes.tolist() == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("rows", [0, 1, 3000])
def test_embedding_sum_is_one_hot_times_the_table(rows):
    depths = (5, 1, 40)
    op = tabular.EmbeddingSum(table=weights(46, 9), depths=depths)
    x = np.random.default_rng(0).integers(-1, 41, (rows, 3)).astype(np.float32)
    product = tabular.OneHot(depths=depths).evaluate(x) @ op.table.array
    np.testing.assert_allclose(op.evaluate(x), product, rtol=1e-6, atol=1e-6, strict=True)


def test_lookup_of_ints_stays_int():
    op = rearrangement.Lookup(table=Tensor.int32([5, 6]))
    assert op.evaluate(ints([[1], [0]])).tolist() == [[6], [5]]
    assert op.infer(TensorType(DType.INT32, (None, 1))) == TensorType(DType.INT32, (None, 1))


def test_select_takes_either_side_untouched():
    chosen = arithmetic.Select().evaluate(
        bools([True, False]), np.float32([np.nan, 1]), np.float32([2, np.inf])
    )
    np.testing.assert_array_equal(chosen, [np.nan, np.inf])
