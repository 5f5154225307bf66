"""Arithmetic and comparison of tensors, the choice between two, and casts; element by element.

Every backend has these ops, and more complex ones are lowered to them. `elementwise` has functions of one
number.
"""

from __future__ import annotations

import numpy as np

from sensenet.errors import VerifyError
from sensenet.ir.op import Op, require
from sensenet.ir.types import Array, DType, TensorType, broadcast
from sensenet.records import frozen


def require_same_dtype(*types: TensorType) -> None:
    """Raise VerifyError unless all have one dtype."""
    if len({t.dtype for t in types}) > 1:
        raise VerifyError(f"dtypes differ: {', '.join(map(str, types))}")


def _broadcast(*types: TensorType) -> TensorType:
    require_same_dtype(*types)
    shape = broadcast(*(t.shape for t in types))
    if shape is None:
        raise VerifyError(f"shapes do not broadcast: {', '.join(map(str, types))}")
    return types[0].with_shape(shape)


def _require_numbers(*types: TensorType) -> None:
    require(all(t.dtype is not DType.BOOL for t in types), f"expected numbers, found {types[0]}")


class Arithmetic(Op):
    """The base of binary ops on numbers, element by element with NumPy's broadcasting."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        _require_numbers(a, b)
        return _broadcast(a, b)


@frozen(kw_only=True)
class Add(Op):
    """y = x0 + x1 + …, summed from the left; shapes broadcast."""

    def infer(self, *xs: TensorType) -> TensorType:
        require(len(xs) >= 2, "add takes two or more inputs")
        _require_numbers(*xs)
        return _broadcast(*xs)

    def evaluate(self, *xs: Array) -> Array:
        total = xs[0]
        for x in xs[1:]:
            total = total + x
        return total


@frozen(kw_only=True)
class Average(Op):
    """y = (x0 + x1 + …) / n, summed from the left; all of one shape. The result of an ensemble."""

    def infer(self, *xs: TensorType) -> TensorType:
        require(len(xs) >= 1, "average takes one or more inputs")
        _require_numbers(*xs)
        require_same_dtype(*xs)
        require(len({x.shape for x in xs}) == 1, f"shapes differ: {', '.join(map(str, xs))}")
        return xs[0]

    def evaluate(self, *xs: Array) -> Array:
        total = xs[0]
        for x in xs[1:]:
            total = total + x
        result: Array = total / np.float32(len(xs))
        return result


@frozen(kw_only=True)
class Subtract(Arithmetic):
    """y = a - b."""

    def evaluate(self, a: Array, b: Array) -> Array:
        result: Array = a - b
        return result


@frozen(kw_only=True)
class Multiply(Arithmetic):
    """y = a · b."""

    def evaluate(self, a: Array, b: Array) -> Array:
        result: Array = a * b
        return result


@frozen(kw_only=True)
class Divide(Arithmetic):
    """y = a / b, for float32."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require(a.dtype is DType.FLOAT32, f"expected f32, found {a}")
        return super().infer(a, b)

    def evaluate(self, a: Array, b: Array) -> Array:
        result: Array = a / b
        return result


@frozen(kw_only=True)
class Maximum(Arithmetic):
    """y = max(a, b)."""

    def evaluate(self, a: Array, b: Array) -> Array:
        result: Array = np.maximum(a, b)
        return result


@frozen(kw_only=True)
class Minimum(Arithmetic):
    """y = min(a, b)."""

    def evaluate(self, a: Array, b: Array) -> Array:
        result: Array = np.minimum(a, b)
        return result


class Comparison(Op):
    """The base of comparisons: two inputs of one dtype, which broadcast; the result is bool."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        return _broadcast(a, b).with_dtype(DType.BOOL)


@frozen(kw_only=True)
class Equal(Comparison):
    """y = (a == b); false for NaN."""

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.equal(a, b)


@frozen(kw_only=True)
class LessEqual(Comparison):
    """y = (a <= b); false for NaN."""

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.less_equal(a, b)


@frozen(kw_only=True)
class Greater(Comparison):
    """y = (a > b); false for NaN."""

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.greater(a, b)


@frozen(kw_only=True)
class Select(Op):
    """y = a if condition else b, element by element; all three broadcast."""

    def infer(self, condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
        require(condition.dtype is DType.BOOL, f"the condition is {condition}, expected bool")
        result = _broadcast(a, b)
        return result.with_shape(_broadcast(condition.with_dtype(result.dtype), result).shape)

    def evaluate(self, condition: Array, a: Array, b: Array) -> Array:
        return np.where(condition, a, b)


@frozen(kw_only=True)
class Cast(Op):
    """The same numbers in another dtype; true is 1, floats are truncated towards zero."""

    dtype: DType

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def evaluate(self, x: Array) -> Array:
        return x.astype(self.dtype.numpy)
