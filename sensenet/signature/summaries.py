"""What a document says of the training rows, field by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from sensenet.records import frozen
from sensenet.validators import FLOAT32_MAX, as_items, is_a, within

Count = tuple[str | float, int]
"""A value, and the number of training rows that had it."""

MOST_ROWS = 2**53
"""The largest count."""


def _number() -> Any:
    return attrs.field(
        default=None, validator=[is_a(float, int, type(None)), within(-FLOAT32_MAX, FLOAT32_MAX)]
    )


def _as_counts(counts: Iterable[Any]) -> tuple[Count, ...]:
    return tuple((value, count) for value, count in counts)


def _are_counts(_: object, attribute: attrs.Attribute[Any], counts: tuple[Count, ...]) -> None:
    for value, count in counts:
        is_a(str, float, int)(None, attribute, value)
        is_a(int)(None, attribute, count)
        within(0, MOST_ROWS)(None, attribute, count)
        if not isinstance(value, str):
            within(-FLOAT32_MAX, FLOAT32_MAX)(None, attribute, value)


@frozen(kw_only=True)
class Summary:
    """What the training rows had in a field; None or nothing if the document does not say.

    `counts` has the number of rows with each category; of a number, with each value, or in each bin around
    its mean. `missing` is the number of rows without a value.
    """

    minimum: float | None = _number()
    maximum: float | None = _number()
    mean: float | None = _number()
    median: float | None = _number()
    standard_deviation: float | None = _number()
    counts: tuple[Count, ...] = attrs.field(default=(), converter=_as_counts, validator=_are_counts)
    missing: int = attrs.field(default=0, validator=[is_a(int), within(0, MOST_ROWS)])

    def to_json(self) -> dict[str, Any]:
        """Return what is known as a JSON object, the inverse of `read_summary`."""
        unknown = Summary()
        return {name: value for name, value in attrs.asdict(self).items() if value != getattr(unknown, name)}


def read_summary(record: Any) -> Summary:
    """Return the summary of a JSON object; raise TypeError or ValueError for an invalid one."""
    counts = tuple(map(as_items, as_items(record.get("counts", ()))))
    return Summary(**{**record, "counts": counts})
