"""The parts of a model's interface that tensors alone do not describe.

A `Signature` describes how to encode a row and decode an answer: columns, categories, classes, field names,
image size, and the settings that determine the interface. Exported files contain its JSON form.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from sensenet.errors import ArtifactError
from sensenet.records import frozen
from sensenet.signature.columns import Column, ImageColumn, ImageInput, column_record, read_column
from sensenet.signature.fields import Field, read_field
from sensenet.validators import as_items, each, is_a

NUMERIC_INPUT = "numeric_inputs"
PIXEL_INPUT = "image_pixel_inputs"
PREDICTIONS = "predictions"
"""The graph's tensor names: the row's numbers and category codes, its images, and the answer."""

BOXES = "boxes"
SCORES = "scores"
CLASSES = "classes"
VALID = "valid"
"""The outputs of a detector instead; `valid`, the number of valid boxes, only with suppression."""

DETECTOR_OUTPUTS = (BOXES, SCORES, CLASSES, VALID)
"""The order of these outputs in a tuple."""

FORMAT_VERSION = 1
"""The version of the JSON form; a reader rejects a newer one."""


class ModelKind(enum.Enum):
    """The kind of a model's answers."""

    DEEPNET = "deepnet"
    """Probabilities or numbers, `[rows, outputs]`."""
    DETECTOR = "detector"
    """Labeled boxes in one image."""
    EXTRACTOR = "extractor"
    """The image network's features, for one image per row."""


Scalar = str | int | float | bool


def _as_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(columns)


def _as_fields(fields: Iterable[Field]) -> tuple[Field, ...]:
    return tuple(fields)


def _as_texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


def _as_settings(settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return dict(settings)


def _same_as_classes(signature: Signature, _: object, categories: tuple[str, ...]) -> None:
    if categories and sorted(categories) != sorted(signature.classes):
        raise ValueError("the categories of the objective are not the classes")


@frozen(kw_only=True)
class Signature:
    """How to encode a row and decode an answer.

    `columns` are in feature order; `fields` in the order of a row's cells, if known. `classes` is empty for a
    regression. `image` has the size of images, if there are any. `settings` are those with which the graph
    was made, by name. A value given by field name counts as missing if it is one of `missing_tokens`.
    `categories` are the classes in the order of the objective field, if known: of equally probable ones,
    BigML predicts the first.
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
    categories: tuple[str, ...] = attrs.field(
        default=(), converter=_as_texts, validator=[each(is_a(str)), _same_as_classes]
    )

    @property
    def image_columns(self) -> tuple[ImageColumn, ...]:
        """The columns that are images, in feature order."""
        return tuple(column for column in self.columns if isinstance(column, ImageColumn))

    @property
    def cell_names(self) -> tuple[str, ...]:
        """The names of a row's cells, in order, if the fields are known."""
        return tuple(name for field in self.fields for name in field.cell_names)

    @property
    def field_keys(self) -> tuple[str, ...]:
        """The names of the fields, or the ids of those that share a name."""
        count = Counter(field.name for field in self.fields)
        return tuple(field.id if count[field.name] > 1 else field.name for field in self.fields)

    @property
    def row_width(self) -> int:
        """The number of cells of a row, from whose end negative indices of columns count."""
        least = (column.index + 1 if column.index >= 0 else -column.index for column in self.columns)
        return len(self.cell_names) or max(least, default=1)

    def to_json(self) -> dict[str, Any]:
        """Return the signature as a JSON object, the inverse of `from_json`."""
        columns = [column_record(column) for column in self.columns]
        record = attrs.asdict(self) | {"kind": self.kind.value, "columns": columns}
        record["fields"] = [field.to_json() for field in self.fields]
        record["objective"] = self.objective.to_json() if self.objective else None
        return {"format_version": FORMAT_VERSION, **record}

    @classmethod
    def from_json(cls, record: Any) -> Signature:
        """Return the signature of a JSON object; raise ArtifactError for an invalid one."""
        try:
            return _read(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"not a signature of a sensenet model ({type(error).__name__}: {error})"
            ) from error


def _read(record: Any) -> Signature:
    version = record["format_version"]
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"the signature has format version {version}, this release reads up to {FORMAT_VERSION}: "
            "upgrade sensenet"
        )
    settings = record["settings"]
    for name, value in settings.items():
        if not isinstance(value, Scalar):
            raise TypeError(f"the setting {name} is {value!r}")
    return Signature(
        kind=ModelKind(record["kind"]),
        columns=tuple(read_column(column) for column in as_items(record["columns"])),
        classes=as_items(record["classes"]),
        fields=tuple(map(read_field, as_items(record["fields"]))),
        objective=_optional(read_field, record["objective"]),
        image=_optional(lambda image: ImageInput(**image), record["image"]),
        name=record["name"],
        description=record["description"],
        settings=settings,
        missing_tokens=as_items(record.get("missing_tokens", ())),  # missing in files of the first releases
        categories=as_items(record.get("categories", ())),  # missing in those, too
    )


Part = TypeVar("Part")


def _optional(read: Callable[[Any], Part], record: Any) -> Part | None:
    return None if record is None else read(record)
