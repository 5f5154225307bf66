"""The steps of 8 bits in which a value is kept, and which of them an op of whole numbers may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops.basic import Add, Subtract
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.types import Tensor
from sensenet.passes.quantization.kernels import kernel_scale
from sensenet.passes.quantization.selection import LAYERS, MOVES, is_smooth

LEVELS = 256
LOWEST = -128

COARSEST_TERM = 2.0**18
"""How many times coarser than a sum its terms may be; from twice as many on, kernels end the process."""

COARSEST_PRODUCT = 2.0**7
"""The same of a layer's result, and the product of the scales of its input and of its kernel."""


@frozen(kw_only=True)
class Steps:
    """A value is (q - zero_point) · scale, with q from -128 to 127; the scale is a float32."""

    scale: float
    zero_point: int

    @classmethod
    def of(cls, op: Quantize | Dequantize) -> Steps:
        """Return the steps of an op with one scale."""
        return cls(scale=float(op.scale.array), zero_point=int(op.zero_point.array))

    def quantize(self) -> Quantize:
        """Return the op from a value to its whole numbers."""
        return Quantize(scale=Tensor.float32(self.scale), zero_point=Tensor.int32(self.zero_point))

    def dequantize(self) -> Dequantize:
        """Return the op from whole numbers to their value."""
        return Dequantize(scale=Tensor.float32(self.scale), zero_point=Tensor.int32(self.zero_point))


FIXED: Mapping[ActivationFunction, Steps] = {
    ActivationFunction.SIGMOID: Steps(scale=1 / 256, zero_point=-128),
    ActivationFunction.TANH: Steps(scale=1 / 128, zero_point=0),
}
"""The steps of functions' results, which kernels require."""


def fixed_steps(op: Op) -> Steps | None:
    """Return the steps of an op's results, if they are fixed."""
    return FIXED.get(op.function) if isinstance(op, Activation) else None


def may_be_whole(op: Op, read: Sequence[Steps], given: Steps) -> bool:
    """Return whether kernels of whole numbers take an op with inputs and a result in these steps."""
    if isinstance(op, LAYERS):
        (x,) = read
        return x.scale * kernel_scale(op, x.scale).largest / given.scale <= COARSEST_PRODUCT
    if isinstance(op, Add | Subtract):
        return max(each.scale for each in read) / given.scale <= COARSEST_TERM
    if isinstance(op, MOVES):
        return all(each == given for each in read)
    return is_smooth(op) and (fixed_steps(op) or given) == given
