"""The steps in which a value is kept, and which of them an op of whole numbers may have.

There are two kinds, as TensorFlow Lite has them: of 8 bits with any zero point, and of 16 bits without one. A
layer's kernel is of 8 bits in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Add, Subtract
from sensenet.ir.ops.convolution import Upsample2D, UpsampleMethod
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.ops.shape import Resize2D
from sensenet.ir.types import Tensor
from sensenet.passes.quantization.kernels import kernel_scale
from sensenet.passes.quantization.selection import LAYERS, MOVES, is_smooth
from sensenet.records import frozen

COARSEST_TERM = {8: 2.0**18, 16: 2.0**13}
"""How many times coarser than a sum its terms may be; from twice as many on, kernels end the process."""

COARSEST_PRODUCT = 2.0**7
"""The same of a layer's result, and the product of the scales of its input and of its kernel."""


@frozen(kw_only=True)
class Steps:
    """A value is (q - zero_point) · scale, with a whole number q of `bits` bits; the scale is a float32."""

    scale: float
    zero_point: int
    bits: int = 8

    @classmethod
    def of(cls, op: Quantize) -> Steps:
        """Return the steps of an op with one scale."""
        return cls(scale=float(op.scale.array), zero_point=int(op.zero_point.array), bits=op.bits)

    def quantize(self) -> Quantize:
        """Return the op from a value to its whole numbers."""
        zero_point = Tensor.int32(self.zero_point)
        return Quantize(scale=Tensor.float32(self.scale), zero_point=zero_point, bits=self.bits)

    def dequantize(self) -> Dequantize:
        """Return the op from whole numbers to their value."""
        return Dequantize(scale=Tensor.float32(self.scale), zero_point=Tensor.int32(self.zero_point))


FIXED: Mapping[tuple[ActivationFunction, int], Steps] = {
    (ActivationFunction.SIGMOID, 8): Steps(scale=1 / 256, zero_point=-128),
    (ActivationFunction.TANH, 8): Steps(scale=1 / 128, zero_point=0),
    (ActivationFunction.SIGMOID, 16): Steps(scale=1 / 32768, zero_point=0, bits=16),
    (ActivationFunction.TANH, 16): Steps(scale=1 / 32768, zero_point=0, bits=16),
}
"""The steps of functions' results of so many bits, which kernels require."""


def fixed_steps(op: Op, bits: int) -> Steps | None:
    """Return the steps of an op's results, if they are fixed."""
    return FIXED.get((op.function, bits)) if isinstance(op, Activation) else None


def may_be_whole(op: Op, read: Sequence[Steps], given: Steps) -> bool:
    """Return whether kernels of whole numbers take an op with inputs and a result in these steps."""
    if any(each.bits != given.bits for each in read) or (given.bits == 16 and _interpolates(op)):
        return False
    if isinstance(op, LAYERS):
        (x,) = read
        return x.scale * kernel_scale(op, x.scale).largest / given.scale <= COARSEST_PRODUCT
    if isinstance(op, Add | Subtract):
        return max(each.scale for each in read) / given.scale <= COARSEST_TERM[given.bits]
    if isinstance(op, MOVES):
        return all(each == given for each in read)
    return is_smooth(op) and (fixed_steps(op, given.bits) or given) == given


def _interpolates(op: Op) -> bool:
    """Return whether an op weights neighbors: kernels of 16 bits round the weights to 10."""
    return isinstance(op, Upsample2D | Resize2D) and op.method is UpsampleMethod.BILINEAR
