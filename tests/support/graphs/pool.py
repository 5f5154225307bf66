"""The values of a random graph of any ops, and how a node of an op joins them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from hypothesis import strategies as st

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.op import Op
from sensenet.ir.types import Tensor, TensorType
from support.graphs.growing import Choices, is_image, is_rows, width_of
from support.seeds import SEEDS, seeded

NEWEST = 3
"""A node reads one of so many values that fit."""


@define
class Pool(Choices):
    """The values of a graph that is being made."""

    values: list[Value] = field(factory=list)

    def pick(self, accept: Callable[[TensorType], bool]) -> Value | None:
        """Return one of the newest values of an accepted type: graphs shall be deep rather than wide."""
        candidates = [value for value in reversed(self.values) if accept(value.type)][:NEWEST]
        return self.draw(st.sampled_from(candidates)) if candidates else None

    def rows(self) -> Value:
        """Return f32[?,n], which there always is."""
        value = self.pick(is_rows)
        assert value is not None
        return value

    def like(self, value: Value) -> Value:
        """Return another value of the same type, or the same."""
        other = self.pick(lambda t: t == value.type)
        assert other is not None
        return other

    def weight(self, *shape: int, scale: float = 1.0) -> Tensor:
        return Tensor.float32(seeded(self.draw(SEEDS), *shape, scale=scale))

    def activation(self) -> ActivationFunction:
        return self.draw(st.sampled_from(ActivationFunction))


Builder = Callable[[Pool], Node | None]
"""A node on values of the pool, or None if they do not allow one."""


def on_rows(make: Callable[[Pool, int], Op]) -> Builder:
    """A node of one input f32[?,n]; the op is made for n."""

    def build(pool: Pool) -> Node:
        x = pool.rows()
        return apply(make(pool, width_of(x)), x)

    return build


def on_images(make: Callable[[Pool, tuple[int, ...]], Op]) -> Builder:
    """A node of one input f32[?,h,w,c]; the op is made for (h, w, c)."""

    def build(pool: Pool) -> Node | None:
        x = pool.pick(is_image)
        return x and apply(make(pool, x.type.shape[1:]), x)

    return build
