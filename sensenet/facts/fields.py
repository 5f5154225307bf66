"""The fields of a model for people: type, units, categories, range, and what stands for a missing value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from sensenet.records import frozen
from sensenet.signature import (
    CategoricalColumn,
    Column,
    Field,
    Items,
    ModelKind,
    Number,
    NumericColumn,
    Signature,
    Summary,
    Terms,
)

KINDS = {ModelKind.DETECTOR: "object detection", ModelKind.EXTRACTOR: "image features"}


@frozen(kw_only=True)
class FieldFacts:
    """A field: `type` and `description` are the document's.

    `prefix` and `suffix` are around its numbers, such as a unit. `categories` are the values of a categorical
    field, or the terms or items that are counted. `missing` says what stands for a missing value. `minimum`,
    `maximum`, `mean` and `missing_count` describe the training rows; `importance` is BigML's. What is unknown
    is None.
    """

    id: str
    name: str
    type: str
    description: str = ""
    prefix: str = ""
    suffix: str = ""
    categories: tuple[str, ...] = ()
    missing: str = ""
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    missing_count: int | None = None
    importance: float | None = None


def name_kind(signature: Signature) -> str:
    """Return what a model does: classification, regression, object detection or image features."""
    kind = KINDS.get(signature.kind)
    return kind or ("classification" if signature.classes else "regression")


def describe_fields(
    signature: Signature, importance: Mapping[str, float] | None = None
) -> tuple[FieldFacts, ...]:
    """Return the fields of a row, in order; without fields, its columns as `column 1`, ….

    `importance` is by id.
    """
    if not signature.fields:
        return tuple(_describe_column(column) for column in signature.columns)
    return tuple(
        _describe_field(field, column, (importance or {}).get(field.id))
        for field, column in zip(signature.fields, first_columns(signature), strict=True)
    )


def first_columns(signature: Signature) -> Iterator[Column | None]:
    """Yield the column that reads the first cell of each field; None if the network does not read it."""
    columns = {column.index: column for column in signature.columns}
    cell = 0
    for field in signature.fields:
        yield columns.get(cell)
        cell += len(field.cell_names)


def describe_objective(signature: Signature) -> FieldFacts | None:
    """Return the field that is predicted, if it is known."""
    if signature.objective is None:
        return None
    return attrs.evolve(_describe_field(signature.objective, None, None), missing="")


def _describe_field(field: Field, column: Column | None, importance: float | None) -> FieldFacts:
    number = field.encoding if isinstance(field.encoding, Number) else Number()
    summary = field.summary or Summary()
    return FieldFacts(
        id=field.id,
        name=field.name,
        type=field.optype,
        description=field.description,
        prefix=number.prefix,
        suffix=number.suffix,
        categories=_categories(field, column),
        missing=_describe_missing(field, column),
        minimum=summary.minimum,
        maximum=summary.maximum,
        mean=summary.mean,
        missing_count=summary.missing if field.summary else None,
        importance=importance,
    )


def _describe_column(column: Column) -> FieldFacts:
    field = Field(id="", name=f"column {column.index + 1}", optype=_type_of(column))
    return _describe_field(field, column, None)


def _type_of(column: Column) -> str:
    match column:
        case NumericColumn():
            return "numeric"
        case CategoricalColumn():
            return "categorical"
    return "image"


def _categories(field: Field, column: Column | None) -> tuple[str, ...]:
    match field.encoding, column:
        case Terms(terms=terms), _:
            return terms
        case Items(items=items), _:
            return items
        case _, CategoricalColumn(values=values):
            return tuple(value for value in values if value is not None)
    return ()


def _describe_missing(field: Field, column: Column | None) -> str:
    """Return what stands for a missing value, in a few words; nothing if a value is required."""
    match field.encoding, column:
        case Terms() | Items(), _:
            return "counts are 0"
        case Number(flags_missing=True), _:
            return "flagged"
        case Number(default=float() | int() as default), _:
            return f"{default:.6g}"
        case _, NumericColumn(missing=missing):
            return f"{missing:.6g}"
        case _, CategoricalColumn():
            return "no category"
    return ""
