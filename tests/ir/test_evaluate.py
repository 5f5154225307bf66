"""Running graphs: programs, their inputs, and the memory that they keep."""

from __future__ import annotations

import warnings
import weakref

import numpy as np
import pytest

from sensenet.errors import InputError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate, prepare
from sensenet.ir.graph import Graph, Node, apply, constant
from sensenet.ir.ops.arithmetic import Add, Divide, Multiply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, Dropout, DropoutKind
from sensenet.ir.ops.rearrangement import Concatenate, Lookup
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.signature import Signature

EXPONENTIAL = Activation(function=ActivationFunction.EXPONENTIAL)


@pytest.fixture
def a() -> Node:
    return apply(Input(type=f32(None, 2)), name="a")


@pytest.fixture
def b() -> Node:
    return apply(Input(type=f32(None, 3)), name="b")


@pytest.fixture
def joined(a, b) -> Graph:
    return Graph.create([a, b], {"y": apply(Concatenate(), a.value, b.value).value}, Signature())


ROWS_2 = np.zeros((4, 2), np.float32)
ROWS_3 = np.zeros((4, 3), np.float32)


def test_results_by_name(a, joined):
    total = apply(Add(), a.value, a.value)
    graph = Graph.create([a], {"sum": total.value, "same": a.value, "again": total.value}, Signature())
    results = evaluate(graph, {"a": np.float32([[1, 2]])})
    assert list(results) == ["sum", "same", "again"]
    assert results["sum"].tolist() == results["again"].tolist() == [[2, 4]]
    assert results["same"].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"a": ROWS_2}, "the input 'b' is missing; given: a"),
        ({}, "the input 'a' is missing; given: none"),
        ({"a": ROWS_2, "b": ROWS_2}, r"the input 'b' is float32\[4, 2\], expected f32\[\?,3\]"),
        ({"a": ROWS_2, "b": ROWS_3[0]}, r"the input 'b' is float32\[3\], expected f32\[\?,3\]"),
        ({"a": ROWS_2.astype(float), "b": ROWS_3}, r"the input 'a' is float64\[4, 2\], expected f32\[\?,2\]"),
        ({"a": [[1.0, 2.0]], "b": ROWS_3}, r"the input 'a' is of type list, expected an array f32\[\?,2\]"),
        ({"a": ROWS_2[:1], "b": ROWS_3}, r"do not match: a \[1, 2\], b \[4, 3\]"),
    ],
)
def test_inputs_that_are_refused(joined, inputs, message):
    with pytest.raises(InputError, match=message):
        evaluate(joined, inputs)


def test_codes_beyond_a_table():
    codes = apply(Input(type=TensorType(DType.INT32, (None,))), name="codes")
    graph = Graph.create(
        [codes], {"y": apply(Lookup(table=Tensor.float32([1, 2])), codes.value).value}, Signature()
    )
    with pytest.raises(InputError, match="out of bounds"):
        evaluate(graph, {"codes": np.int32([2])})


def test_no_rows(joined):
    assert evaluate(joined, {"a": ROWS_2[:0], "b": ROWS_3[:0]})["y"].shape == (0, 5)


def test_programs_can_be_called_again(joined):
    program = prepare(joined)
    first = program({"a": ROWS_2 + 1, "b": ROWS_3})["y"].copy()
    program({"a": ROWS_2, "b": ROWS_3})
    np.testing.assert_array_equal(program({"a": ROWS_2 + 1, "b": ROWS_3})["y"], first)


def test_overflow_is_silent(a):
    zero = constant(Tensor.float32([0, 0]))
    graph = Graph.create(
        [a], {"y": apply(Divide(), apply(EXPONENTIAL, a.value).value, zero).value}, Signature()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(evaluate(graph, {"a": np.float32([[1e3, 1]])})["y"]).all()


def test_inputs_and_constants_are_left_as_they_were(a):
    factor = constant(Tensor.float32([2, 3]))
    graph = Graph.create([a], {"y": apply(Multiply(), a.value, factor).value, "factor": factor}, Signature())
    given = np.float32([[1, 2]])
    results = evaluate(graph, {"a": given})
    assert given.tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="read-only"):
        results["factor"][0] = 1


def test_a_result_may_be_the_input_itself(a):
    same = apply(Dropout(kind=DropoutKind.ZERO, rate=0.5), a.value)
    given = np.float32([[1, 2]])
    assert evaluate(Graph.create([a], {"y": same.value}, Signature()), {"a": given})["y"] is given


class Watched(np.ndarray):
    """An array that can be referred to weakly."""


def test_intermediate_results_are_dropped_after_their_last_use(a, monkeypatch):
    """In a chain of any length at most two intermediate arrays are alive at a time."""
    alive: list[weakref.ref[Watched]] = []
    most = 0

    def add(_: Add, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        nonlocal most
        result = np.add(first, second).view(Watched)
        alive.append(weakref.ref(result))
        most = max(most, sum(reference() is not None for reference in alive))
        return result

    monkeypatch.setattr(Add, "evaluate", add)
    value = a.value
    for _ in range(20):
        value = apply(Add(), value, value).value
    evaluate(Graph.create([a], {"y": value}, Signature()), {"a": ROWS_2})
    assert len(alive) == 20
    assert most == 2
