"""How random graphs of every style grow: by one step at a time, on the values that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import define
from hypothesis import strategies as st

from sensenet.ir.graph import Graph, Value
from sensenet.ir.types import DType, TensorType

Step = TypeVar("Step")

Style = Callable[[st.DrawFn], Graph]
"""Draws a graph."""


@define
class Choices:
    """What is drawn for a graph."""

    draw: st.DrawFn

    def flip(self) -> bool:
        return self.draw(st.booleans())

    def count(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def grow(
        self,
        values: list[Value],
        steps: Sequence[Step],
        sizes: tuple[int, int],
        build: Callable[[Step, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """Return the values and those of some drawn steps, of which each may read all that are before it."""
        grown, (least, most) = list(values), sizes
        for step in self.draw(st.lists(st.sampled_from(steps), min_size=least, max_size=most)):
            grown += build(step, grown)
        return grown


def is_float(t: TensorType) -> bool:
    return t.dtype is DType.FLOAT32


def is_rows(t: TensorType) -> bool:
    return is_float(t) and t.rank == 2 and t.shape[0] is None and bool(t.shape[1])


def is_image(t: TensorType) -> bool:
    return is_float(t) and t.rank == 4 and None not in t.shape[1:] and min(t.shape[1:]) > 0


def is_stack(t: TensorType) -> bool:
    """Whether these are rows of some networks each."""
    return is_float(t) and t.rank == 3 and t.shape[1] is None


def width_of(value: Value) -> int:
    width = value.type.shape[-1]
    assert width is not None
    return width
