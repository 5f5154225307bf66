"""The columns that answers become in Arrow.

| output | models | type |
|---|---|---|
| `prediction` | classifier | string: the best class; null if a probability is NaN |
| | regression | float, or a fixed-size list of floats if there are several |
| `probability` | classifier | struct of a float per class, by name; or a fixed-size list |
| `features` | extractor | fixed-size lists of floats, in the shape of the layer |
| `detections` | detector | list of structs: `box` (four integers), `label`, `score`; best first |

Floats have 32 bits, as the answers of models do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from sensenet.batches.arrow import ArrowArray, ArrowField, DataType, Schema, import_arrow
from sensenet.errors import InputError, InputTypeError, SettingsError
from sensenet.ir.types import Array
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.records import frozen
from sensenet.runtime.cells import describe, find_repeated
from sensenet.signature import ModelKind
from sensenet.suggestions import suggest

PREDICTION = "prediction"
PROBABILITY = "probability"
FEATURES = "features"
DETECTIONS = "detections"
ERROR = "error"
"""The column of reasons, with `on_error="null"`."""

Probabilities = Literal["struct", "list"]
ProbabilityForms: tuple[Probabilities, ...] = ("struct", "list")

OnError = Literal["raise", "null"]
ErrorPolicies: tuple[OnError, ...] = ("raise", "null")

Model = Deepnet | ObjectDetector


@frozen(kw_only=True)
class Output:
    """A column of answers.

    `make(answers, absent)` returns it as an array of `type`. The answers are f32[rows, …], or for a detector
    a list of lists of objects; `absent` bool[rows] marks the rows without one, which become null.
    """

    name: str
    type: DataType
    make: Callable[[Any, Array], ArrowArray]


def find_outputs(
    model: Model, names: Sequence[str] | None = None, probabilities: Probabilities = "struct"
) -> tuple[Output, ...]:
    """Return the outputs of those names, in that order; all of the model's if there are no names.

    Raises SettingsError for an output that the model lacks, InputError for a model whose answers fit no
    column.
    """
    require_one_of("probabilities", probabilities, ProbabilityForms)
    available = _list_outputs(model, probabilities)
    return tuple(available[name] for name in require_outputs(names, available))


def require_outputs(names: Sequence[str] | None, available: Collection[str]) -> Sequence[str]:
    """Return the names of outputs, all that are available by default.

    Raises SettingsError for one that is not available, or is there twice.
    """
    if names is None:
        return tuple(available)
    if isinstance(names, str) or not names:
        raise SettingsError(f"outputs: expected a list of names from {_join(available)}; found {names!r}")
    for name in names:
        if name not in available:
            raise SettingsError(
                f"unknown output {name!r}; {suggest(name, available)}this model has {_join(available)}"
            )
    repeated = find_repeated(names)
    if repeated is not None:
        raise SettingsError(f"outputs: {repeated!r} is there twice")
    return names


def require_one_of(what: str, value: object, allowed: Sequence[str]) -> None:
    """Raise SettingsError unless a value is one of those allowed."""
    if value not in allowed:
        raise SettingsError(f"{what}: expected {' or '.join(map(repr, allowed))}; found {value!r}")


def require_columns(what: str, names: object) -> None:
    """Raise InputTypeError unless a value is a collection of names of columns."""
    if isinstance(names, str) or not isinstance(names, Collection):
        kind = "the text " if isinstance(names, str) else ""
        raise InputTypeError(f"{what}: expected a list of column names, found {kind}{describe(names)}")
    for name in names:
        if not isinstance(name, str):
            raise InputTypeError(f"{what}: expected names of columns, found {describe(name)}")


def _join(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _list_outputs(model: Model, probabilities: Probabilities) -> dict[str, Output]:
    pa = import_arrow()
    if isinstance(model, ObjectDetector):
        return {DETECTIONS: _detections(pa, model)}
    shape = model.answer_shape()
    if model.signature.kind is ModelKind.EXTRACTOR:
        return {FEATURES: _numbers(pa, FEATURES, shape)}
    if not model.classes:
        return {PREDICTION: _numbers(pa, PREDICTION, () if shape == (1,) else shape)}
    if shape != (len(model.classes),):
        raise InputError(
            f"the model has {len(model.classes)} classes but returns numbers of shape {list(shape)}: "
            "call it in Python to get them"
        )
    return {
        PREDICTION: _best_class(pa, model.classes),
        PROBABILITY: _class_struct(pa, model.classes)
        if probabilities == "struct"
        else _numbers(pa, PROBABILITY, shape),
    }


def _best_class(pa: Any, classes: Sequence[str]) -> Output:
    names = pa.array(classes, pa.string())

    def make(answers: Array, absent: Array) -> ArrowArray:
        best = pa.array(answers.argmax(axis=1), pa.int64(), mask=absent | np.isnan(answers).any(axis=1))
        return names.take(best)

    return Output(name=PREDICTION, type=pa.string(), make=make)


def _class_struct(pa: Any, classes: Sequence[str]) -> Output:
    if len(set(classes)) < len(classes):
        raise SettingsError('two classes have the same name: choose probabilities="list"')
    type_ = pa.struct([pa.field(name, pa.float32()) for name in classes])

    def make(answers: Array, absent: Array) -> ArrowArray:
        columns = [pa.array(column) for column in answers.T]
        return pa.StructArray.from_arrays(columns, fields=list(type_), mask=pa.array(absent))

    return Output(name=PROBABILITY, type=type_, make=make)


def _numbers(pa: Any, name: str, shape: Sequence[int]) -> Output:
    """Return the output of numbers of a shape: a float, or fixed-size lists as deep as it has axes."""
    type_ = pa.float32()
    for size in reversed(shape):
        type_ = pa.list_(type_, size)

    def make(answers: Array, absent: Array) -> ArrowArray:
        flat = answers.reshape(-1)
        if not shape:
            return pa.array(flat, pa.float32(), mask=absent)
        array = pa.array(flat, pa.float32())
        for size in reversed(shape[1:]):
            array = pa.FixedSizeListArray.from_arrays(array, size)
        return pa.FixedSizeListArray.from_arrays(array, shape[0], mask=pa.array(absent))

    return Output(name=name, type=type_, make=make)


def _detections(pa: Any, model: ObjectDetector) -> Output:
    if model.answers_arrays:
        raise InputError("only filtered, unpadded boxes become a column: leave out the two settings")
    box = pa.list_(pa.int32(), 4)
    members = [pa.field("box", box), pa.field("label", pa.string()), pa.field("score", pa.float32())]
    type_ = pa.list_(pa.struct(members))

    def make(answers: Sequence[Any], absent: Array) -> ArrowArray:
        rows = [None if missing else answer for answer, missing in zip(answers, absent, strict=True)]
        return pa.array(rows, type_)

    return Output(name=DETECTIONS, type=type_, make=make)


def output_schema(
    model: Model,
    outputs: Sequence[str] | None = None,
    kept: Iterable[ArrowField] = (),
    *,
    probabilities: Probabilities = "struct",
    on_error: OnError = "raise",
) -> Schema:
    """Return the `pyarrow.Schema` of what `score` yields with these arguments.

    `kept` are the fields of the input's schema that `score` keeps by name. Raises what `score` raises.
    """
    require_one_of("on_error", on_error, ErrorPolicies)
    return join_schema(find_outputs(model, outputs, probabilities), kept, on_error)


def join_schema(outputs: Sequence[Output], kept: Iterable[ArrowField], on_error: OnError) -> Schema:
    """Return the schema: kept columns, outputs, reasons; raise SettingsError for two of one name."""
    pa = import_arrow()
    fields = [*kept, *(pa.field(output.name, output.type) for output in outputs)]
    if on_error == "null":
        fields.append(pa.field(ERROR, pa.string()))
    require_distinct(field.name for field in fields)
    return pa.schema(fields)


def require_distinct(names: Iterable[str]) -> None:
    """Raise SettingsError if two of the columns, kept ones and outputs, have the same name."""
    repeated = find_repeated(names)
    if repeated is not None:
        raise SettingsError(f"two columns would be named {repeated!r}: rename the one that is kept")


def spark_schema(schema: Schema) -> str:
    """Return a schema as Spark's SQL writes it, as `mapInArrow` takes it: ``prediction string, …``.

    Lists of a fixed size become arrays. Raises InputError for a type that Spark lacks.
    """
    return ", ".join(f"{quote_name(field.name)} {_spark_type(field.type, field.name)}" for field in schema)


def quote_name(name: str) -> str:
    """Return the name of a column as Spark's SQL writes it."""
    return "`" + name.replace("`", "``") + "`"


SPARK_TYPES: Mapping[str, str] = {
    **{"bool": "boolean", "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint"},
    **{"float": "float", "double": "double", "string": "string", "large_string": "string"},
    **{"binary": "binary", "large_binary": "binary", "date32[day]": "date"},
}
"""Types of Arrow as Spark's SQL names them."""


def _spark_type(type_: DataType, where: str) -> str:
    types = import_arrow().types
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return f"array<{_spark_type(type_.value_type, where)}>"
    if types.is_struct(type_):
        members = (f"{quote_name(field.name)}: {_spark_type(field.type, where)}" for field in type_)
        return f"struct<{', '.join(members)}>"
    if types.is_decimal128(type_):
        return f"decimal({type_.precision}, {type_.scale})"
    if types.is_timestamp(type_):
        return "timestamp" if type_.tz else "timestamp_ntz"
    if str(type_) not in SPARK_TYPES:
        raise InputError(f"the column {where!r} has the type {type_}, which Spark lacks: cast it")
    return SPARK_TYPES[str(type_)]
