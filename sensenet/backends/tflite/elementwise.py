"""Recorded arithmetic, element by element, under TensorFlow's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensenet.backends.tflite.operators import Value
from sensenet.backends.tflite.tape import Tape
from sensenet.backends.tflite.tensors import Tensor
from sensenet.ir.types import Array, Shape, broadcast

FLOAT32, INT32, BOOL = (np.dtype(kind) for kind in (np.float32, np.int32, np.bool_))

ACTIVATED = frozenset({"ADD", "SUB", "MUL", "DIV"})
"""The kinds of arithmetic that may be followed by an activation in the same operator."""


class Elementwise:
    """Operators of one, two or three tensors that broadcast. Those of constants are computed at once."""

    float32, int32 = FLOAT32, INT32

    def __init__(self, tape: Tape) -> None:
        self.tape = tape

    def constant(self, content: Any, dtype: npt.DTypeLike = None) -> Tensor:
        """A tensor of numbers, in float32, int32 or bool; a tensor as it is."""
        if isinstance(content, Tensor):
            return content
        array = np.asarray(content, dtype)
        if dtype is None and array.dtype not in (FLOAT32, INT32, BOOL):
            array = array.astype(FLOAT32 if array.dtype.kind == "f" else INT32)
        return Tensor(self, self.tape.constant(array))

    convert_to_tensor = constant

    def negative(self, x: Any) -> Tensor:
        return self._unary("NEG", x, np.negative)

    def abs(self, x: Any) -> Tensor:
        return self._unary("ABS", x, np.abs)

    def floor(self, x: Any) -> Tensor:
        return self._unary("FLOOR", x, np.floor)

    def round(self, x: Any) -> Tensor:
        return self._unary("ROUND", x, np.rint)

    def exp(self, x: Any) -> Tensor:
        return self._unary("EXP", x)

    def log(self, x: Any) -> Tensor:
        return self._unary("LOG", x)

    def tanh(self, x: Any) -> Tensor:
        return self._unary("TANH", x)

    def sigmoid(self, x: Any) -> Tensor:
        return self._unary("LOGISTIC", x)

    def relu(self, x: Any) -> Tensor:
        return self._unary("RELU", x)

    def relu6(self, x: Any) -> Tensor:
        return self._unary("RELU6", x)

    def elu(self, x: Any) -> Tensor:
        return self._unary("ELU", x)

    def gelu(self, x: Any, approximate: bool) -> Tensor:
        return self._unary("GELU", x, approximate=approximate)

    def softmax(self, x: Any) -> Tensor:
        return self._unary("SOFTMAX", x, beta=1.0)

    def log_softmax(self, x: Any) -> Tensor:
        return self._unary("LOG_SOFTMAX", x)

    def is_nan(self, x: Any) -> Tensor:
        return self.not_equal(x, x)

    def cast(self, x: Any, dtype: npt.DTypeLike) -> Tensor:
        given, wanted = self.constant(x).value, np.dtype(dtype)
        if given.dtype == wanted:
            return Tensor(self, given)
        if given.constant is not None:
            with np.errstate(invalid="ignore"):
                return self.constant(given.constant.astype(wanted))
        before, after = _type_name(given.dtype), _type_name(wanted)
        return self._tensor("CAST", [given], wanted, given.shape, inDataType=before, outDataType=after)

    def add(self, a: Any, b: Any) -> Tensor:
        return self._binary("ADD", a, b, np.add)

    def subtract(self, a: Any, b: Any) -> Tensor:
        return self._binary("SUB", a, b, np.subtract)

    def multiply(self, a: Any, b: Any) -> Tensor:
        """The product; that with 1, which a hidden constant is made by, is the other factor."""
        x, factor = self._operands(a, b)
        if factor.constant is not None and factor.shape == () and factor.constant == 1:
            return Tensor(self, x)
        return self._binary("MUL", a, b, np.multiply)

    def divide(self, a: Any, b: Any) -> Tensor:
        return self._binary("DIV", a, b, np.divide)

    def minimum(self, a: Any, b: Any) -> Tensor:
        """The lesser of each; of a size and 0 it is 0, so that what hides a constant costs nothing."""
        given, bound = self._operands(a, b)
        constant = bound.constant
        known = constant is not None and constant.shape == given.shape and np.all(constant <= 0)
        if known and given.sizes is not None:
            return Tensor(self, bound)
        return self._binary("MINIMUM", a, b, np.minimum)

    def maximum(self, a: Any, b: Any) -> Tensor:
        """The greater of each; max(x · slope, x) is a leaky relu."""
        scaled, x = self._operands(a, b)
        product = self.tape.producer(scaled)
        if product is not None and product.kind == "MUL" and product.inputs[0] is x:
            slope = product.inputs[1]
            if slope is not None and slope.constant is not None and slope.shape == ():
                alpha = float(slope.constant)
                if 0 <= alpha <= 1:
                    return self._tensor("LEAKY_RELU", [x], x.dtype, x.shape, alpha=alpha)
        return self._binary("MAXIMUM", a, b, np.maximum)

    def equal(self, a: Any, b: Any) -> Tensor:
        return self._binary("EQUAL", a, b, np.equal, BOOL)

    def not_equal(self, a: Any, b: Any) -> Tensor:
        return self._binary("NOT_EQUAL", a, b, np.not_equal, BOOL)

    def less(self, a: Any, b: Any) -> Tensor:
        return self._binary("LESS", a, b, np.less, BOOL)

    def less_equal(self, a: Any, b: Any) -> Tensor:
        return self._binary("LESS_EQUAL", a, b, np.less_equal, BOOL)

    def greater(self, a: Any, b: Any) -> Tensor:
        return self._binary("GREATER", a, b, np.greater, BOOL)

    def logical_and(self, a: Any, b: Any) -> Tensor:
        return self._binary("LOGICAL_AND", a, b, np.logical_and, BOOL)

    def where(self, condition: Any, a: Any, b: Any) -> Tensor:
        chooser, (left, right) = self.constant(condition).value, self._operands(a, b)
        shape = broadcast(chooser.shape, left.shape, right.shape)
        assert shape is not None
        return self._tensor("SELECT_V2", [chooser, left, right], left.dtype, shape)

    def _unary(
        self, kind: str, x: Any, function: Callable[[Array], Array] | None = None, **options: Any
    ) -> Tensor:
        given = self.constant(x).value
        if given.constant is not None and function is not None:
            return self.constant(function(given.constant))
        return self._tensor(kind, [given], given.dtype, given.shape, **options)

    def _binary(
        self,
        kind: str,
        a: Any,
        b: Any,
        function: Callable[[Array, Array], Array],
        dtype: np.dtype[Any] | None = None,
    ) -> Tensor:
        left, right = self._operands(a, b)
        if left.constant is not None and right.constant is not None:
            with np.errstate(all="ignore"):
                return self.constant(function(left.constant, right.constant))
        shape = broadcast(left.shape, right.shape)
        assert shape is not None
        options: dict[str, Any] = {"fusedActivationFunction": "NONE"} if kind in ACTIVATED else {}
        return self._tensor(kind, [left, right], dtype or left.dtype, shape, **options)

    def _tensor(
        self,
        kind: str,
        inputs: Sequence[Value | None],
        dtype: np.dtype[Any],
        shape: Shape,
        *,
        sizes: Shape | None = None,
        **options: Any,
    ) -> Tensor:
        """The only result of an operator."""
        result = Value(dtype, shape, self.tape.scope, sizes=sizes)
        (value,) = self.tape.record(kind, inputs, [result], options)
        return Tensor(self, value)

    def _operands(self, a: Any, b: Any) -> tuple[Value, Value]:
        """Two operands as values of one type: a number takes that of the tensor beside it."""
        known = a.dtype if isinstance(a, Tensor) else b.dtype if isinstance(b, Tensor) else None
        left, right = (self.constant(x, None if isinstance(x, Tensor) else known).value for x in (a, b))
        return left, right


def _type_name(dtype: np.dtype[Any]) -> str:
    return "BOOL" if dtype == BOOL else str(dtype).upper()
