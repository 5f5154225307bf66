"""The columns that a model reads, and the size of its images."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import attrs

from sensenet.records import frozen
from sensenet.validators import FLOAT32_MAX, as_items, each, is_a, one_of, within

STATISTICS = ("mean", "stdev", "zero_value", "one_value")
"""The statistics that a document may have of a numeric column, by name."""

LARGEST_INTEGER = 2**31 - 1
"""The largest position or size."""

INDEX = [is_a(int), within(-LARGEST_INTEGER, LARGEST_INTEGER)]
"""The validators of a position, which may be negative to count from the end."""


class RescaleType(enum.Enum):
    """How an image of different proportions is rescaled to the network's size."""

    WARP = "warp"
    """Scale both axes independently."""
    PAD = "pad"
    """Scale by the smaller ratio, to the top left; fill the rest with the mean of the scaled image."""
    CROP = "crop"
    """Scale by the larger ratio; cut out the center."""


def _statistic() -> Any:
    return attrs.field(
        default=None, validator=[is_a(float, int, type(None)), within(-FLOAT32_MAX, FLOAT32_MAX)]
    )


@frozen(kw_only=True)
class NumericColumn:
    """A number. `index` is the position of the cell in the row; `missing` is the value that replaces None.

    The statistics are those of the document's column: `mean` and `stdev`, or `zero_value` and `one_value`.
    The graph computes with them; they are kept for callers. Files of earlier releases have none.
    """

    index: int = attrs.field(validator=INDEX)
    missing: float = attrs.field(default=0.0, validator=[is_a(float, int), within(-FLOAT32_MAX, FLOAT32_MAX)])
    mean: float | None = _statistic()
    stdev: float | None = _statistic()
    zero_value: float | None = _statistic()
    one_value: float | None = _statistic()

    @property
    def statistics(self) -> dict[str, float]:
        """The statistics that are known, by name."""
        values = {name: getattr(self, name) for name in STATISTICS}
        return {name: value for name, value in values.items() if value is not None}


def _as_values(values: Iterable[str | None]) -> tuple[str | None, ...]:
    return tuple(values)


@frozen(kw_only=True)
class CategoricalColumn:
    """A category, passed to the graph as its position in `values`, or -1 if it is not among them.

    A cell matches by `str(cell)`. None in `values` replaces an entry that was not a string in the document
    and so never matches.
    """

    index: int = attrs.field(validator=INDEX)
    values: tuple[str | None, ...] = attrs.field(converter=_as_values, validator=each(is_a(str, type(None))))

    @property
    def codes(self) -> dict[str, int]:
        """The position of each value, the first of equal ones."""
        codes: dict[str, int] = {}
        for code, value in enumerate(self.values):
            if value is not None:
                codes.setdefault(value, code)
        return codes


@frozen(kw_only=True)
class ImageColumn:
    """An image: path, encoded bytes or pixels."""

    index: int = attrs.field(validator=INDEX)


Column = NumericColumn | CategoricalColumn | ImageColumn


def describe_column(column: Column) -> dict[str, Any]:
    """Return a column in the form of a document's `preprocess`, as far as the signature has it."""
    match column:
        case CategoricalColumn():
            return {"type": "categorical", "index": column.index, "values": list(column.values)}
        case NumericColumn():
            return {"type": "numeric", "index": column.index, **column.statistics}
        case ImageColumn():
            return {"type": "image", "index": column.index}


_COLUMN_TYPES: dict[str, type[Any]] = {
    "numeric": NumericColumn,
    "categorical": CategoricalColumn,
    "image": ImageColumn,
}


@frozen(kw_only=True)
class ImageInput:
    """How images are passed to the graph: the network's size, and how others are rescaled to it.

    `rescale_type` is warp, pad or crop; `channels` is 3, or 4 if the color space has an alpha channel. Height
    and width are 0 if only the graph knows them, which then rescales every image itself.
    """

    height: int = attrs.field(validator=[is_a(int), within(0, LARGEST_INTEGER)])
    width: int = attrs.field(validator=[is_a(int), within(0, LARGEST_INTEGER)])
    channels: int = attrs.field(validator=[is_a(int), one_of(3, 4)])
    rescale_type: str = attrs.field(validator=[is_a(str), one_of(*(kind.value for kind in RescaleType))])

    @property
    def size_known(self) -> bool:
        """Whether images can be rescaled to the network's size before they are passed to the graph."""
        return self.height > 0 and self.width > 0


def column_record(column: Column) -> dict[str, Any]:
    """Return the column's type and attributes, without statistics that are unknown."""
    tags = {column_type: tag for tag, column_type in _COLUMN_TYPES.items()}
    unknown = {name for name in STATISTICS if getattr(column, name, None) is None}
    return {"type": tags[type(column)], **attrs.asdict(column, filter=lambda a, _: a.name not in unknown)}


def read_column(record: Any) -> Column:
    """Return the column of a `column_record`; raise TypeError, ValueError or KeyError for an invalid one."""
    parameters = {name: value for name, value in record.items() if name != "type"}
    if "values" in parameters:
        parameters["values"] = as_items(parameters["values"])
    column: Column = _COLUMN_TYPES[record["type"]](**parameters)
    return column
