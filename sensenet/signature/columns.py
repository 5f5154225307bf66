"""The columns that a model reads, and the size of its images."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import attrs
from attrs import frozen

from sensenet.validators import FLOAT32_MAX, as_items, each, is_a, one_of, within

STATISTICS = ("mean", "stdev", "zero_value", "one_value")
"""What a document may say of a numeric column, by name."""

LARGEST_INTEGER = 2**31 - 1
"""Of positions and sizes."""

INDEX = [is_a(int), within(-LARGEST_INTEGER, LARGEST_INTEGER)]
"""The validators of a position, which may count from the end."""


class RescaleType(enum.Enum):
    """How an image of other proportions is brought to the network's size."""

    WARP = "warp"
    """Both axes independently."""
    PAD = "pad"
    """By the smaller ratio, to the top left; the rest is filled with the mean of the scaled image."""
    CROP = "crop"
    """By the larger ratio; the centre is cut out."""


def _statistic() -> Any:
    return attrs.field(
        default=None, validator=[is_a(float, int, type(None)), within(-FLOAT32_MAX, FLOAT32_MAX)]
    )


@frozen(kw_only=True)
class NumericColumn:
    """A number. `index` says which cell of the row; `missing` is the value that replaces None.

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
    """A category, given to the graph as its position in `values`, or -1 where it is none of them.

    A cell matches by `str(cell)`. None in `values` stands for an entry that was no string in the document
    and so never matches.
    """

    index: int = attrs.field(validator=INDEX)
    values: tuple[str | None, ...] = attrs.field(converter=_as_values, validator=each(is_a(str, type(None))))


@frozen(kw_only=True)
class ImageColumn:
    """An image: path, encoded bytes or pixels."""

    index: int = attrs.field(validator=INDEX)


Column = NumericColumn | CategoricalColumn | ImageColumn


def describe_column(column: Column) -> dict[str, Any]:
    """A column in the words of a document's `preprocess`, as far as a signature knows them."""
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
    """How images reach the graph: the network's size, and how others are brought to it.

    `rescale_type` is warp, pad or crop; `channels` is 3, or 4 where the colour space has an alpha channel.
    Height and width are 0 where nobody knows them but the graph, which then scales every image itself.
    """

    height: int = attrs.field(validator=[is_a(int), within(0, LARGEST_INTEGER)])
    width: int = attrs.field(validator=[is_a(int), within(0, LARGEST_INTEGER)])
    channels: int = attrs.field(validator=[is_a(int), one_of(3, 4)])
    rescale_type: str = attrs.field(validator=[is_a(str), one_of(*(kind.value for kind in RescaleType))])

    @property
    def size_known(self) -> bool:
        """Whether images can be brought to the network's size before the graph sees them."""
        return self.height > 0 and self.width > 0


def column_record(column: Column) -> dict[str, Any]:
    """The column's type and attributes, without statistics that are unknown."""
    tags = {column_type: tag for tag, column_type in _COLUMN_TYPES.items()}
    unknown = {name for name in STATISTICS if getattr(column, name, None) is None}
    return {"type": tags[type(column)], **attrs.asdict(column, filter=lambda a, _: a.name not in unknown)}


def read_column(record: Any) -> Column:
    """Return the column of such a record; raises TypeError, ValueError or KeyError for another."""
    parameters = {name: value for name, value in record.items() if name != "type"}
    if "values" in parameters:
        parameters["values"] = as_items(parameters["values"])
    column: Column = _COLUMN_TYPES[record["type"]](**parameters)
    return column
