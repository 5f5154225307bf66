"""Ops of fully connected networks, and the product of matrices."""

from __future__ import annotations

import enum
import math

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op, require
from sensenet.ir.types import Array, DType, Tensor, TensorType, broadcast
from sensenet.records import frozen


def require_float(*operands: TensorType) -> None:
    """Raise VerifyError unless all inputs and parameters are float32."""
    for operand in operands:
        require(operand.dtype is DType.FLOAT32, f"expected f32, found {operand}")


def require_channels(x: TensorType, channels: int, what: str) -> None:
    """Raise VerifyError unless x is float32 and its last axis has the size of a parameter."""
    require_float(x)
    require(
        x.rank > 0 and x.shape[-1] in (None, channels),
        f"{what} has {channels} channels, the input is {x}",
    )


@frozen(kw_only=True)
class Dense(Op):
    """y = activation(x @ kernel + bias); x: f32[..., in], kernel: f32[in, units], bias: f32[units] or none.

    The result is f32[..., units].
    """

    trainable = True

    kernel: Tensor
    bias: Tensor | None = None
    activation: ActivationFunction = ActivationFunction.LINEAR

    @property
    def units(self) -> int:
        return self.kernel.shape[1]

    def infer(self, x: TensorType) -> TensorType:
        require_float(self.kernel.type)
        require(len(self.kernel.shape) == 2, f"the kernel is {self.kernel.type}, expected rank 2")
        require(x.rank >= 2, f"expected rank 2 or more, found {x}")
        require_channels(x, self.kernel.shape[0], "the kernel")
        if self.bias is not None:
            require_float(self.bias.type)
            require(self.bias.shape == (self.units,), f"bias {self.bias.type} for {self.units} units")
        return x.with_last(self.units)

    def evaluate(self, x: Array) -> Array:
        # Contiguous, because NumPy's result differs in the last bit for other layouts.
        rows = np.ascontiguousarray(x)
        if rows.ndim > 2:  # one product, because many small ones take several times as long
            y = self._multiply(rows.reshape(math.prod(x.shape[:-1]), x.shape[-1]))
            return self.activation(y).reshape(*x.shape[:-1], self.units)
        return self.activation(self._multiply(rows))

    def _multiply(self, rows: Array) -> Array:
        y: Array = np.matmul(rows, self.kernel.array)
        if self.bias is not None:
            y += self.bias.array
        return y


@frozen(kw_only=True)
class BatchedDense(Op):
    """y[i] = activation(x[i] @ kernel[i] + bias[i]): one layer of n networks of one shape.

    kernel: f32[n, in, units], bias: f32[n, units] or none; x: f32[n, b, in], or f32[b, in] for all networks.
    The result is f32[n, b, units], with networks before rows, as in batched matrix products.
    """

    kernel: Tensor
    bias: Tensor | None = None
    activation: ActivationFunction = ActivationFunction.LINEAR

    @property
    def networks(self) -> int:
        return self.kernel.shape[0]

    @property
    def units(self) -> int:
        return self.kernel.shape[2]

    def infer(self, x: TensorType) -> TensorType:
        require_float(self.kernel.type)
        require(len(self.kernel.shape) == 3, f"the kernel is {self.kernel.type}, expected rank 3")
        require(x.rank in (2, 3), f"expected rank 2 or 3, found {x}")
        require_channels(x, self.kernel.shape[1], "the kernel")
        require(
            x.rank == 2 or x.shape[0] == self.networks,
            f"the kernel is of {self.networks} networks, the input is {x}",
        )
        if self.bias is not None:
            require_float(self.bias.type)
            require(
                self.bias.shape == (self.networks, self.units),
                f"bias {self.bias.type} for {self.networks} networks of {self.units} units",
            )
        return x.with_shape((self.networks, x.shape[-2], self.units))

    def evaluate(self, x: Array) -> Array:
        y = np.matmul(np.ascontiguousarray(x), self.kernel.array)
        return self.activation(y if self.bias is None else y + self.bias.array[:, None])


@frozen(kw_only=True)
class MatMul(Op):
    """y = a @ b on the last two axes; the other axes broadcast. f32[..., n, k] @ f32[..., k, m]."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require(a.rank >= 2 and b.rank >= 2, f"expected rank 2 or more, found {a} and {b}")
        require(a.dtype is b.dtype is DType.FLOAT32, f"expected f32, found {a} and {b}")
        require(
            a.shape[-1] is None or b.shape[-2] is None or a.shape[-1] == b.shape[-2],
            f"inner sizes differ: {a} @ {b}",
        )
        outer = broadcast(a.shape[:-2], b.shape[:-2]) if a.rank > 2 or b.rank > 2 else ()
        require(outer is not None, f"outer shapes do not broadcast: {a} @ {b}")
        assert outer is not None
        return a.with_shape((*outer, a.shape[-2], b.shape[-1]))

    def evaluate(self, a: Array, b: Array) -> Array:
        result: Array = np.matmul(a, b)
        return result


@frozen(kw_only=True)
class BatchNormalization(Op):
    """y = gamma · (x - mean) / √(variance + epsilon) + beta, along the last axis; x: f32[..., n].

    Evaluated as x · scale + shift, with scale and shift computed in float64 and rounded to float32.
    """

    trainable = True

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    epsilon: float = 1e-3

    def infer(self, x: TensorType) -> TensorType:
        parameters = {t.type for t in (self.gamma, self.beta, self.mean, self.variance)}
        require_float(*parameters)
        require(len(parameters) == 1, "the four parameters differ in shape")
        require(len(self.gamma.shape) == 1, f"the parameters are {self.gamma.type}, expected rank 1")
        require_channels(x, self.gamma.shape[0], "the normalization")
        return x

    def evaluate(self, x: Array) -> Array:
        scale, shift = self.scale_and_shift()
        result: Array = x * scale.astype(np.float32) + shift.astype(np.float32)
        return result

    def scale_and_shift(self) -> tuple[Array, Array]:
        """Return scale and shift, float64[n] each: the normalization is x · scale + shift."""
        with np.errstate(all="ignore"):
            scale = self.gamma.float64 / np.sqrt(self.variance.float64 + self.epsilon)
            return scale, self.beta.float64 - self.mean.float64 * scale


@frozen(kw_only=True)
class Activation(Op):
    """y = function(x), element by element, or along the last axis for softmax and log_softmax."""

    function: ActivationFunction

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        require(self.function.elementwise or x.rank > 0, f"{self.function.value} needs an axis, found {x}")
        return x

    def evaluate(self, x: Array) -> Array:
        return self.function(x)


class DropoutKind(enum.Enum):
    """What training drops: entries, to 0; entries, to the value that selu requires; or square patches."""

    ZERO = "zero"
    ALPHA = "alpha"
    BLOCK = "block"


@frozen(kw_only=True)
class Dropout(Op):
    """y = x: dropout has an effect only in training.

    It is kept at -O0, so that a Keras model can be trained further.
    `rate` is the share dropped; `block_size` is the side of the patches of block dropout, in pixels.
    """

    kind: DropoutKind
    rate: float
    block_size: int = 1

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        return x

    def evaluate(self, x: Array) -> Array:
        return x
