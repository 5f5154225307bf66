"""The two ops without inputs: a graph's input and a constant."""

from __future__ import annotations

from sensenet.ir.op import Op
from sensenet.ir.types import Array, Tensor, TensorType
from sensenet.records import frozen


@frozen(kw_only=True)
class Input(Op):
    """A tensor from the caller; the node has the name of the input."""

    type: TensorType

    def infer(self) -> TensorType:
        return self.type

    def evaluate(self) -> Array:
        raise TypeError("an input has no value of its own")


@frozen(kw_only=True)
class Constant(Op):
    """The same tensor at every call."""

    value: Tensor

    def infer(self) -> TensorType:
        return self.value.type

    def evaluate(self) -> Array:
        return self.value.array
