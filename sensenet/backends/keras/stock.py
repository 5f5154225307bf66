"""Expresses ops as operations of Keras 3, so that Keras 3 can load the file without sensenet.

Keras saves its operations by their module and class. Constants are array arguments of operations, and are
saved as numbers in the configuration. A node always becomes one layer, a functional model of the operations,
because callers find layers by name and in `model.layers`, and h5 files are matched with layers by depth.
Keras 2 has no such operations.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from attrs import field

from sensenet.backends.keras.activation import is_formula
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, dense, elementwise, image, rearrangement, reduction, tabular
from sensenet.passes.lowering.activations import FORMULAS
from sensenet.records import frozen
from sensenet.signature import RescaleType

NUMPY = "keras.src.ops.numpy"

OPERATIONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "Add",
            "Concatenate",
            "Divide",
            "Equal",
            "Exp",
            "GetItem",
            "Greater",
            "Isnan",
            "LessEqual",
            "Matmul",
            "Maximum",
            "Mean",
            "Minimum",
            "Multiply",
            "Reshape",
            "Subtract",
            "Take",
            "Transpose",
            "Where",
        ),
        NUMPY,
    ),
    "Cast": "keras.src.ops.core",
    "LogSoftmax": "keras.src.ops.nn",
    "Relu6": "keras.src.ops.nn",
    "Resize": "keras.src.ops.image",
}
"""The classes of the operations that are used, with the modules that Keras saves them with."""


@frozen(eq=False)
class Call:
    """A call of an operation on tensors, arrays, results of other calls, or lists of these."""

    name: str
    operands: Sequence[Any]
    settings: Mapping[str, Any] = field(factory=dict)


def call(name: str, *operands: Any, **settings: Any) -> Call:
    """Return a call of the operation of that name."""
    return Call(name, operands, settings)


def express(op: Op, operands: Sequence[Any]) -> Call | None:
    """Return calls that compute the op on tensors and arrays; None if Keras has no equivalent."""
    expression = EXPRESSIONS.get(type(op))
    result = expression(op, *operands) if expression else None
    return result if isinstance(result, Call) else None


def make_stock_layer(keras: Any, root: Call, inputs: Sequence[Any], name: str) -> Any:
    """Return a model of the calls, to be one layer of another model; `inputs` are its symbolic tensors."""
    done: dict[int, Any] = {}

    def apply(operand: Any) -> Any:
        if isinstance(operand, np.ndarray):
            return np.atleast_1d(operand)  # Keras saves an array of rank 0 as a number without a dtype
        if isinstance(operand, list):
            return [apply(part) for part in operand]
        if not isinstance(operand, Call):
            return operand
        if id(operand) not in done:
            given = [apply(part) for part in operand.operands]
            operation = getattr(importlib.import_module(OPERATIONS[operand.name]), operand.name)
            own = f"{operand.name.lower()}_{len(done) + 1}"
            done[id(operand)] = operation(name=own, **operand.settings)(*given)
        return done[id(operand)]

    outputs = apply(root)
    return keras.Model(list(inputs) if len(inputs) > 1 else inputs[0], outputs, name=name)


def _number(value: float) -> Any:
    return np.array([value], np.float32)


def _divide(a: Any, b: Any) -> Call:
    """Return a / b, rounded like a division even if b is constant.

    TensorFlow's graph optimizer replaces division by a constant by a product with its reciprocal, which is
    another number in half of all cases. A divisor that depends on the dividend prevents this.
    """
    if isinstance(b, np.ndarray):
        b = call("Where", call("Isnan", a), a, b)
    return call("Divide", a, b)


def _sum(xs: Sequence[Any]) -> Any:
    return reduce(lambda a, b: call("Add", a, b), xs)


def _slice(op: Any, x: Any) -> Call:
    index = [slice(None)] * len(x.shape)
    index[op.axis] = slice(op.start, op.stop)
    return call("GetItem", x, index)


def _reshape(x: Any, shape: Sequence[int | None]) -> Call:
    return call("Reshape", x, newshape=[-1 if size is None else int(size) for size in shape])


def _flatten(_op: Any, x: Any) -> Call | None:
    sizes = x.shape[1:]
    return None if None in sizes else _reshape(x, [None, np.prod(sizes, dtype=int)])


def _rescale(op: Any, x: Any) -> Call | None:
    """Return the image warped to the nearest pixels; None for other methods, which differ in Keras."""
    if op.method is not RescaleType.WARP:
        return None
    size = [op.height, op.width]
    return call("Resize", x, size=size, interpolation="nearest", data_format="channels_last")


OPERATIONS_OF_FUNCTIONS: Mapping[ActivationFunction, Callable[[Any], Call]] = {
    ActivationFunction.RELU6: lambda x: call("Relu6", x),
    ActivationFunction.LOG_SOFTMAX: lambda x: call("LogSoftmax", x, axis=-1),
}
"""The operations of the activation functions that only Keras 3 has. For others, Keras 2 and 3 have layers."""


def _activation(op: Any, x: Any) -> Call | None:
    """Return Keras' operation, or the formula of a function that Keras lacks; None for other functions."""
    if op.function in OPERATIONS_OF_FUNCTIONS:
        return OPERATIONS_OF_FUNCTIONS[op.function](x)
    formula = FORMULAS.get(op.function) if is_formula(op.function) else None
    return formula(_express_part, x) if formula else None


def _express_part(op: Op, *operands: Any) -> Call | None:
    """Return an op of a formula, applied to calls and numbers; None if Keras lacks it or an operand."""
    if any(operand is None for operand in operands):
        return None
    return express(op, [_number(each) if isinstance(each, float) else each for each in operands])


def _elementwise(name: str) -> Callable[..., Call]:
    return lambda _op, *operands: call(name, *operands)


EXPRESSIONS: Mapping[type[Op], Callable[..., Any]] = {
    tabular.Standardize: lambda op, x: _divide(call("Subtract", x, op.mean.array), op.stdev.array),
    tabular.Destandardize: lambda op, x: call("Add", call("Multiply", x, op.stdev.array), op.mean.array),
    dense.Activation: _activation,
    arithmetic.Add: lambda _op, *xs: _sum(xs),
    arithmetic.Average: lambda _op, *xs: _divide(_sum(xs), _number(len(xs))),
    reduction.Mean: lambda op, x: call("Mean", x, axis=[op.axis]),
    arithmetic.Subtract: _elementwise("Subtract"),
    arithmetic.Multiply: _elementwise("Multiply"),
    arithmetic.Divide: lambda _op, a, b: _divide(a, b),
    arithmetic.Maximum: _elementwise("Maximum"),
    arithmetic.Minimum: _elementwise("Minimum"),
    arithmetic.Equal: _elementwise("Equal"),
    elementwise.Exp: _elementwise("Exp"),
    arithmetic.LessEqual: _elementwise("LessEqual"),
    arithmetic.Greater: _elementwise("Greater"),
    arithmetic.Select: _elementwise("Where"),
    arithmetic.Cast: lambda op, x: call("Cast", x, dtype=op.dtype.numpy.name),
    rearrangement.Concatenate: lambda op, *xs: call("Concatenate", list(xs), axis=op.axis),
    rearrangement.Slice: _slice,
    rearrangement.Gather: lambda op, x: call("Take", x, op.indices.array, axis=op.axis),
    rearrangement.Lookup: lambda op, x: call("Take", op.table.array, x, axis=0),
    dense.MatMul: _elementwise("Matmul"),
    rearrangement.Reshape: lambda op, x: _reshape(x, op.shape),
    rearrangement.Flatten: _flatten,
    rearrangement.Transpose: lambda op, x: call("Transpose", x, axes=list(op.permutation)),
    image.Index: lambda op, x: call("GetItem", x, [*[slice(None)] * op.axis, op.index]),
    image.Rescale: _rescale,
}
"""Functions from an op and its operands, tensors or arrays, to calls. Other ops become op layers."""
