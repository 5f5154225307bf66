"""An example of an op, and the numbers that examples are made of."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen

from sensenet.ir.graph import Graph, apply
from sensenet.ir.op import Op
from sensenet.ir.ops import core
from sensenet.ir.types import Array, DType, Tensor, TensorType
from sensenet.signature import Signature


@frozen
class OpCase:
    """An op and arrays that it takes. `batch` says whether their first axis may be of unknown size."""

    op: Op
    inputs: tuple[Array, ...] = ()
    batch: bool = field(default=True, kw_only=True)

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The exact types of the inputs."""
        return tuple(TensorType(DType.of(x), x.shape) for x in self.inputs)

    @property
    def batch_types(self) -> tuple[TensorType, ...]:
        """The types of the inputs, with a first axis of unknown size where the op allows it."""
        if not self.batch:
            return self.types
        return tuple(t.with_shape((None, *t.shape[1:])) if t.rank else t for t in self.types)

    @property
    def feed(self) -> dict[str, Array]:
        """The inputs by the names that they have in `graph`."""
        return {f"x{index}": x for index, x in enumerate(self.inputs)}

    def graph(self) -> Graph:
        """A graph of the op alone: inputs x0, x1, …, outputs y0, y1, …."""
        inputs = [apply(core.Input(type=t), name=f"x{index}") for index, t in enumerate(self.batch_types)]
        node = apply(self.op, *(node.value for node in inputs), name="node")
        outputs = {f"y{index}": value for index, value in enumerate(node.values)}
        return Graph.create(inputs, outputs, Signature())


def floats(*shape: int, scale: float = 2.0) -> Array:
    """Irregular numbers between -scale and scale, the same every time."""
    count = int(np.prod(shape))
    return (scale * np.sin(np.arange(count) * 1.7 + 0.3)).astype(np.float32).reshape(shape)


def ints(values: object) -> Array:
    return np.asarray(values, np.int32)


def bools(values: object) -> Array:
    return np.asarray(values, np.bool_)


def weights(*shape: int, scale: float = 1.0) -> Tensor:
    return Tensor.owning(np.ascontiguousarray(floats(*shape, scale=scale)[::-1]))
