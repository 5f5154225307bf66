"""Ops that run graphs: loops."""

from __future__ import annotations

from sensenet.errors import InputError
from sensenet.ir.op import Op, require
from sensenet.ir.region import Region
from sensenet.ir.types import Array, DType, TensorType, matches
from sensenet.records import frozen

MOST_STEPS = 1 << 20
"""The most steps of a loop: a hostile file may have one that does not end."""


@frozen(kw_only=True)
class While(Op):
    """(x0, x1, …) = body(x0, x1, …) as long as condition(x0, x1, …), a bool[], is true.

    Condition and body take the loop's values, in order; the body returns values of the same types, which are
    the results. Values that the loop only reads are carried unchanged. `evaluate` raises InputError after
    MOST_STEPS steps.
    """

    condition: Region
    body: Region

    def infer(self, *carried: TensorType) -> tuple[TensorType, ...]:
        types = self.body.input_types
        require(bool(types), "the loop carries no values")
        require(self.condition.input_types == types, "condition and body take different types")
        require(
            self.condition.output_types == (TensorType(DType.BOOL, ()),),
            "the condition does not return bool[]",
        )
        found = ", ".join(map(str, self.body.output_types))
        require(
            len(self.body.output_types) == len(types) and all(map(_is_one_of, self.body.output_types, types)),
            f"the body takes {', '.join(map(str, types))}, but returns {found}",
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
    """Return whether every array of the given type is one of the declared type."""
    return given.dtype is declared.dtype and (
        given.rank == declared.rank
        and all(
            size is None or size == known for known, size in zip(given.shape, declared.shape, strict=True)
        )
    )
