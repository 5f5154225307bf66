"""What a caller must know about a graph and a tensor program can't say.

A `Signature` tells how to encode a row and read an answer: columns, categories, classes, field names,
picture size, and the settings that shape the interface. Exported files carry its JSON form.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs
from attrs import frozen

from sensenet.errors import ArtifactError
from sensenet.ir.fields import Field, read_field
from sensenet.ir.ops.image import RescaleType
from sensenet.ir.types import FLOAT32_MAX
from sensenet.ir.validators import as_items, each, is_a, one_of, within

NUMERIC_INPUT = "numeric_inputs"
PIXEL_INPUT = "image_pixel_inputs"
PREDICTIONS = "predictions"
"""The graph's tensor names: the row's numbers and category codes, its pictures, and the answer."""

BOXES = "boxes"
SCORES = "scores"
CLASSES = "classes"
VALID = "valid"
"""A detector's outputs instead of the answer; `valid`, the number of boxes that count, only if suppressed."""

DETECTOR_OUTPUTS = (BOXES, SCORES, CLASSES, VALID)
"""Their order, if they are a tuple."""

STATISTICS = ("mean", "stdev", "zero_value", "one_value")
"""What a document may say of a numeric column, by name."""

FORMAT_VERSION = 1
"""Of the JSON form; a reader refuses a newer one."""

LARGEST_INTEGER = 2**31 - 1
"""Of positions and sizes."""

INDEX = [is_a(int), within(-LARGEST_INTEGER, LARGEST_INTEGER)]
"""The validators of a position, which may count from the end."""


class ModelKind(enum.Enum):
    """What a model answers with."""

    DEEPNET = "deepnet"
    """Probabilities or numbers, `[rows, outputs]`."""
    DETECTOR = "detector"
    """Labelled boxes on one picture."""
    EXTRACTOR = "extractor"
    """The image network's features, for one picture a row."""


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
    """A picture: path, encoded bytes or pixels."""

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
    """How pictures reach the graph: the network's size, and how others are brought to it.

    `rescale_type` is warp, pad or crop; `channels` is 3, or 4 where the colour space has an alpha channel.
    Height and width are 0 where nobody knows them but the graph, which then scales every picture itself.
    """

    height: int = attrs.field(validator=[is_a(int), within(0, LARGEST_INTEGER)])
    width: int = attrs.field(validator=[is_a(int), within(0, LARGEST_INTEGER)])
    channels: int = attrs.field(validator=[is_a(int), one_of(3, 4)])
    rescale_type: str = attrs.field(validator=[is_a(str), one_of(*(kind.value for kind in RescaleType))])

    @property
    def size_known(self) -> bool:
        """Whether pictures can be brought to the network's size before the graph sees them."""
        return self.height > 0 and self.width > 0


Scalar = str | int | float | bool


def _as_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(columns)


def _as_fields(fields: Iterable[Field]) -> tuple[Field, ...]:
    return tuple(fields)


def _as_texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


def _as_settings(settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return dict(settings)


@frozen(kw_only=True)
class Signature:
    """How to encode a row and read an answer.

    `columns` are in feature order; `fields` in the order of a row's cells, where known. `classes` is empty
    for a regression. `image` tells the size of pictures, if there are any. `settings` holds those given when
    the graph was made, by name. A value given by its field's name counts as missing where it is one of
    `missing_tokens`.
    """

    kind: ModelKind = ModelKind.DEEPNET
    columns: tuple[Column, ...] = attrs.field(default=(), converter=_as_columns)
    classes: tuple[str, ...] = attrs.field(default=(), converter=_as_texts, validator=each(is_a(str)))
    fields: tuple[Field, ...] = attrs.field(default=(), converter=_as_fields)
    objective: Field | None = None
    image: ImageInput | None = None
    name: str = attrs.field(default="", validator=is_a(str))
    description: str = attrs.field(default="", validator=is_a(str))
    settings: Mapping[str, Scalar] = attrs.field(factory=dict, converter=_as_settings)
    missing_tokens: tuple[str, ...] = attrs.field(default=(), converter=_as_texts, validator=each(is_a(str)))

    @property
    def image_columns(self) -> tuple[ImageColumn, ...]:
        """The columns that are pictures, in feature order."""
        return tuple(column for column in self.columns if isinstance(column, ImageColumn))

    @property
    def cell_names(self) -> tuple[str, ...]:
        """Names of a row's cells, in order, where the fields are known."""
        return tuple(name for field in self.fields for name in field.cell_names)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `from_json` gives the signature back."""
        columns = [_column_record(column) for column in self.columns]
        record = attrs.asdict(self) | {"kind": self.kind.value, "columns": columns}
        record["fields"] = [field.to_json() for field in self.fields]
        record["objective"] = self.objective.to_json() if self.objective else None
        return {"format_version": FORMAT_VERSION, **record}

    @classmethod
    def from_json(cls, record: Any) -> Signature:
        """The signature of a JSON object; raises ArtifactError where it is not one of ours."""
        try:
            return _read(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"this is no signature of a sensenet model ({type(error).__name__}: {error})"
            ) from error


def _read(record: Any) -> Signature:
    version = record["format_version"]
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"the signature has format version {version}; this release reads up to {FORMAT_VERSION}: "
            "upgrade sensenet"
        )
    settings = record["settings"]
    for name, value in settings.items():
        if not isinstance(value, Scalar):
            raise TypeError(f"the setting {name} is {value!r}")
    return Signature(
        kind=ModelKind(record["kind"]),
        columns=tuple(_read_column(column) for column in as_items(record["columns"])),
        classes=as_items(record["classes"]),
        fields=tuple(map(read_field, as_items(record["fields"]))),
        objective=_optional(read_field, record["objective"]),
        image=_optional(lambda image: ImageInput(**image), record["image"]),
        name=record["name"],
        description=record["description"],
        settings=settings,
        missing_tokens=as_items(record.get("missing_tokens", ())),  # younger than the first files
    )


def _column_record(column: Column) -> dict[str, Any]:
    """The column's type and attributes, without statistics that are unknown."""
    tags = {column_type: tag for tag, column_type in _COLUMN_TYPES.items()}
    unknown = {name for name in STATISTICS if getattr(column, name, None) is None}
    return {"type": tags[type(column)], **attrs.asdict(column, filter=lambda a, _: a.name not in unknown)}


def _read_column(record: Any) -> Column:
    parameters = {name: value for name, value in record.items() if name != "type"}
    if "values" in parameters:
        parameters["values"] = as_items(parameters["values"])
    column: Column = _COLUMN_TYPES[record["type"]](**parameters)
    return column


Part = TypeVar("Part")


def _optional(read: Callable[[Any], Part], record: Any) -> Part | None:
    return None if record is None else read(record)
