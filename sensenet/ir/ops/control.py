"""Ops that run graphs."""

from __future__ import annotations

from attrs import frozen

from sensenet.errors import InputError
from sensenet.ir.op import Op, require
from sensenet.ir.region import Region
from sensenet.ir.types import Array, DType, TensorType, matches

MOST_STEPS = 1 << 20
"""How often a loop runs at most: a file may have one that would not end."""


@frozen(kw_only=True)
class While(Op):
    """(x0, x1, …) = body(x0, x1, …) as long as condition(x0, x1, …), which returns one bool[], is true.

    Both take what the loop carries, in order; the body returns values of the same types, which are the
    results. What the loop only reads, it carries unchanged. Raises InputError after MOST_STEPS steps.
    """

    condition: Region
    body: Region

    def infer(self, *carried: TensorType) -> tuple[TensorType, ...]:
        types = self.body.input_types
        require(bool(types), "the loop carries nothing")
        require(self.condition.input_types == types, "condition and body take other types")
        require(
            self.condition.output_types == (TensorType(DType.BOOL, ()),), "the condition does not give bool[]"
        )
        found = ", ".join(map(str, self.body.output_types))
        require(
            len(self.body.output_types) == len(types) and all(map(_is_one_of, self.body.output_types, types)),
            f"the body takes {', '.join(map(str, types))} and gives {found}",
        )
        require(len(carried) == len(types), f"expected {len(types)} inputs, found {len(carried)}")
        for given, declared in zip(carried, types, strict=True):
            fits = given.dtype is declared.dtype and matches(given.shape, declared.shape)
            require(fits, f"the loop carries {declared}, found {given}")
        return types

    def evaluate(self, *carried: Array) -> Array | tuple[Array, ...]:
        for _ in range(MOST_STEPS + 1):
            if not self.condition.run(*carried)[0]:
                return carried if len(carried) > 1 else carried[0]
            carried = self.body.run(*carried)
        raise InputError(
            f"a loop of the graph has not ended after {MOST_STEPS:,} steps, the most that it may take"
        )


def _is_one_of(given: TensorType, declared: TensorType) -> bool:
    """Return whether every array of a type is one of another, whose unknown sizes may be any."""
    return given.dtype is declared.dtype and (
        given.rank == declared.rank
        and all(
            size is None or size == known for known, size in zip(given.shape, declared.shape, strict=True)
        )
    )
