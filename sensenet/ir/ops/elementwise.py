"""Functions of one number, and logical ops, to which activations and loops are lowered.

Arithmetic and comparison of two tensors are in `arithmetic`.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.op import Op, require
from sensenet.ir.types import Array, DType, TensorType, broadcast
from sensenet.records import frozen


class Unary(Op):
    """The base of functions of one float32 number; y has the type of x."""

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is DType.FLOAT32, f"expected f32, found {x}")
        return x


@frozen(kw_only=True)
class Negate(Unary):
    """y = -x."""

    def evaluate(self, x: Array) -> Array:
        return np.negative(x)


@frozen(kw_only=True)
class Absolute(Unary):
    """y = |x|."""

    def evaluate(self, x: Array) -> Array:
        return np.abs(x)


@frozen(kw_only=True)
class Exp(Unary):
    """y = e^x; infinite if it overflows."""

    def evaluate(self, x: Array) -> Array:
        return np.exp(x)


@frozen(kw_only=True)
class Log(Unary):
    """y = ln x; -inf for 0, NaN below."""

    def evaluate(self, x: Array) -> Array:
        return np.log(x)


@frozen(kw_only=True)
class Floor(Unary):
    """y = ⌊x⌋."""

    def evaluate(self, x: Array) -> Array:
        return np.floor(x)


@frozen(kw_only=True)
class Round(Unary):
    """y is the integer nearest to x; halves are rounded to even."""

    def evaluate(self, x: Array) -> Array:
        return np.rint(x)


@frozen(kw_only=True)
class And(Op):
    """y = a and b, both bool; shapes broadcast."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require(a.dtype is b.dtype is DType.BOOL, f"expected bool, found {a} and {b}")
        shape = broadcast(a.shape, b.shape)
        require(shape is not None, f"shapes do not broadcast: {a}, {b}")
        assert shape is not None
        return a.with_shape(shape)

    def evaluate(self, a: Array, b: Array) -> Array:
        return np.logical_and(a, b)
