"""What a caller must know about a graph and a tensor program can't say.

A `Signature` tells how to encode a row and read an answer: columns, categories, classes, field names,
picture size, and the settings that shape the interface. Exported files carry its JSON form.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
from attrs import frozen

from sensenet.errors import ArtifactError

NUMERIC_INPUT = "numeric_inputs"
PIXEL_INPUT = "image_pixel_inputs"
PREDICTIONS = "predictions"
"""The graph's tensor names: the row's numbers and category codes, its pictures, and the answer."""

FORMAT_VERSION = 1
"""Of the JSON form; a reader refuses a newer one."""


class ModelKind(enum.Enum):
    """What a model answers with."""

    DEEPNET = "deepnet"
    """Probabilities or numbers, `[rows, outputs]`."""
    DETECTOR = "detector"
    """Labelled boxes on one picture."""
    EXTRACTOR = "extractor"
    """The image network's features, for one picture a row."""


@frozen(kw_only=True)
class NumericColumn:
    """A number. `index` says which cell of the row; `missing` is what None stands for."""

    index: int
    missing: float = 0.0


@frozen(kw_only=True)
class CategoricalColumn:
    """A category, given to the graph as its position in `values`, or -1 where it is none of them.

    A cell matches by `str(cell)`. None in `values` stands for an entry that was no string in the document
    and so never matches.
    """

    index: int
    values: tuple[str | None, ...] = attrs.field(converter=tuple)


@frozen(kw_only=True)
class ImageColumn:
    """A picture: path, encoded bytes or pixels."""

    index: int


Column = NumericColumn | CategoricalColumn | ImageColumn

_COLUMN_TYPES: dict[str, type[Any]] = {
    "numeric": NumericColumn,
    "categorical": CategoricalColumn,
    "image": ImageColumn,
}


@frozen(kw_only=True)
class Field:
    """A field of the resource: its id (`000001`), the name people know, and its type there."""

    id: str
    name: str
    optype: str


@frozen(kw_only=True)
class ImageInput:
    """How pictures reach the graph: the network's size, and how others are brought to it.

    `rescale_type` is warp, pad or crop; `channels` is 3, or 4 where the colour space has an alpha channel.
    """

    height: int
    width: int
    channels: int
    rescale_type: str


@frozen(kw_only=True)
class Signature:
    """See the module. `columns` are in feature order; `fields` in the order of a row's cells, where known.

    `classes` is empty for a regression. `settings` holds those given when the graph was made, by name.
    """

    kind: ModelKind = ModelKind.DEEPNET
    columns: tuple[Column, ...] = attrs.field(default=(), converter=tuple)
    classes: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    fields: tuple[Field, ...] = attrs.field(default=(), converter=tuple)
    objective: Field | None = None
    image: ImageInput | None = None
    name: str = ""
    description: str = ""
    settings: Mapping[str, str | int | float | bool] = attrs.field(factory=dict, converter=dict)

    @property
    def image_columns(self) -> tuple[ImageColumn, ...]:
        return tuple(column for column in self.columns if isinstance(column, ImageColumn))

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `from_json` gives the signature back."""
        tags = {column_type: tag for tag, column_type in _COLUMN_TYPES.items()}
        tagged = [{"type": tags[type(column)], **attrs.asdict(column)} for column in self.columns]
        record = attrs.asdict(self) | {"kind": self.kind.value, "columns": tagged}
        return {"format_version": FORMAT_VERSION, **record}

    @classmethod
    def from_json(cls, record: Any) -> Signature:
        """The signature of a JSON object; raises ArtifactError where it is not one of ours."""
        try:
            return _parse(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"this is no signature of a sensenet model ({type(error).__name__}: {error})"
            ) from error


def _parse(record: Any) -> Signature:
    version = record["format_version"]
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"the signature has format version {version}; this release reads up to {FORMAT_VERSION}: "
            "upgrade sensenet"
        )
    names = {field.name for field in attrs.fields(Signature)}
    given = {name: value for name, value in record.items() if name in names}
    given["kind"] = ModelKind(record["kind"])
    given["columns"] = [_parse_column(column) for column in record["columns"]]
    given["fields"] = [_construct(Field, field) for field in record["fields"]]
    for name, part in (("objective", Field), ("image", ImageInput)):
        given[name] = _construct(part, record[name]) if record[name] is not None else None
    return Signature(**given)


def _parse_column(record: Any) -> Column:
    parameters = {name: value for name, value in record.items() if name != "type"}
    column: Column = _construct(_COLUMN_TYPES[record["type"]], parameters)
    if not isinstance(column.index, int):
        raise TypeError(f"column index {column.index!r}")
    return column


Part = TypeVar("Part")


def _construct(part: type[Part], record: Any) -> Part:
    return part(**record)
