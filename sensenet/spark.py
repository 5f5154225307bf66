"""Scores data frames of Spark: `score` streams them through a model as Arrow, `udf` is a function of columns.

The model travels in the code of the job, and each Python worker opens it once, for all of its tasks. Workers
need sensenet and pyarrow installed, and no file of the model.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sensenet.batches.arrow import ArrowArray, DataType, RecordBatch, Schema, import_arrow
from sensenet.batches.outputs import Model, OnError, Probabilities, output_schema, quote_name
from sensenet.batches.parts import Part
from sensenet.batches.row_names import name_row
from sensenet.batches.scoring import Scores, make_scorer
from sensenet.errors import InputError, InputTypeError
from sensenet.optional_packages import import_package
from sensenet.runtime.cells import describe

DataFrame = Any
"""A `pyspark.sql.DataFrame`."""

UserDefinedFunction = Any
"""A function of `pyspark.sql.functions.pandas_udf`: from columns to a column."""

Options = Mapping[str, Any]
"""Arguments of `make_scorer`."""

ROW = "row"
"""A struct of all columns: `mapInArrow` itself mistakes a dot in the name of a column for a member."""

PURPOSE = "scoring data frames of Spark"

MOST_MODELS = 4
"""The most models that a worker keeps open."""

_opened: dict[str, Model] = {}
"""The models that this worker keeps open, by the digest of their pickles; the oldest first."""


class Shipment:
    """A model on its way to workers, pickled once; unpickling it gives the model that the worker shares."""

    def __init__(self, model: Model) -> None:
        self._content = pickle.dumps(model)
        self._digest = hashlib.sha256(self._content).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return open_once, (self._digest, self._content)


def open_once(digest: str, content: bytes) -> Model:
    """Return the model of a pickle, which is opened at the first call with its digest."""
    if digest not in _opened:
        if len(_opened) >= MOST_MODELS:
            del _opened[next(iter(_opened))]
        _opened[digest] = pickle.loads(content)
    return _opened[digest]


def score(
    df: DataFrame,
    model: Model,
    outputs: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    *,
    probabilities: Probabilities = "struct",
    on_error: OnError = "raise",
) -> DataFrame:
    """Return a data frame of Spark with the answers for each row of another, by `mapInArrow`.

    The arguments, and the columns of the answers, are those of `sensenet.batches.score`. Since rows of Spark
    have no order, `keep` columns that identify them. Other columns than those, and the model's, are not read
    from the source.

    Raises InputError for a column that no field has, and that is not kept; SettingsError for an output that
    the model lacks; MissingPackageError without pyspark or pyarrow. A row that cannot be read fails the job
    when that runs, with an InputError that names the partition, the row, what is kept of it, and the column.
    With `on_error="null"` its answers are null instead, and the column `error` has the reason.
    """
    if not hasattr(df, "mapInArrow"):
        raise InputTypeError(f"expected a data frame of Spark, found {describe(df)}")
    functions, types = import_spark("sql.functions"), import_spark("sql.types")
    options: Options = {"outputs": outputs, "probabilities": probabilities, "on_error": on_error}
    scorer = make_scorer(model, keep=keep, **options)
    read = [df[quote_name(name)].alias(name) for name in scorer.reads(df.columns)]
    kept = [df.schema[name] for name in scorer.keep]
    answers = _answer_fields(model, [field.name for field in kept], options)
    shipment: Any = Shipment(model)  # a model in workers, which unpickle it
    run = functools.partial(_score_rows, shipment, {"keep": scorer.keep, **options})
    return df.select(functions.struct(*read).alias(ROW)).mapInArrow(run, types.StructType([*kept, *answers]))


def udf(
    model: Model,
    output: str | None = None,
    *,
    probabilities: Probabilities = "struct",
    on_error: OnError = "raise",
) -> UserDefinedFunction:
    """Return a function of a column that answers with one output of a model, by default its first.

    It is a pandas UDF, for ``df.withColumn("species", udf(model)(struct("petal length", "petal width")))``:
    of a struct with the fields by name, or of the field itself if the model has only one, such as an image.
    `score` is faster, and has all outputs.

    Raises what `score` raises. With `on_error="null"` the answer for a row that cannot be read is null, of a
    struct each member.
    """
    functions, pandas = import_spark("sql.functions"), import_package("pandas", "spark", PURPOSE)
    outputs = None if output is None else [output]
    options: Options = {"outputs": outputs, "probabilities": probabilities, "on_error": on_error}
    field = _answer_fields(model, (), options)[0]
    shipment: Any = Shipment(model)
    run = functools.partial(_score_frames, shipment, options, _only_field(model))

    def answer(frames: Any) -> Any:
        return run(frames)

    iterator: Any = Iterator
    answer.__annotations__ = {"frames": iterator[pandas.DataFrame], "return": iterator[pandas.Series]}
    return functions.pandas_udf(answer, field.dataType)


def import_spark(module: str) -> Any:
    """Return a module of pyspark; raise MissingPackageError if it is not installed."""
    return import_package(f"pyspark.{module}", "spark", PURPOSE)


def _answer_fields(model: Model, keep: Sequence[str], options: Options) -> list[Any]:
    """Return the fields of the answers, in types of Spark; raise SettingsError for two of one name.

    Spark reads Arrow's types without a session, and types in text only with one.
    """
    pa = import_arrow()
    schema = output_schema(model, kept=[pa.field(name, pa.null()) for name in keep], **options)
    answers = _spark_schema(list(schema)[len(keep) :])
    return list(import_spark("sql.pandas.types").from_arrow_schema(answers))


def _only_field(model: Model) -> str | None:
    """Return the name of a model's only field; None if it has several."""
    fields = model.signature.fields
    return fields[0].id if len(fields) == 1 else None


def _score_rows(model: Model, options: Options, batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
    """Yield the answers for a partition of structs ROW; runs in a worker."""
    pa = import_arrow()
    yield from _score(
        model, options, (pa.RecordBatch.from_struct_array(batch.column(0)) for batch in batches)
    )


def _score_frames(model: Model, options: Options, field: str | None, frames: Iterator[Any]) -> Iterator[Any]:
    """Yield the first output for a partition of data frames, or of series of one field; runs in a worker."""
    for scored in _score(model, options, (_from_pandas(frame, field) for frame in frames)):
        yield _to_pandas(scored.column(0))


def _score(model: Model, options: Options, batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
    """Yield the answers for batches of a partition, in types that Spark has."""
    scorer = make_scorer(model, **options)
    for scored in Scores(scorer, _name_rows(batches, scorer.keep)):
        yield scored.cast(_spark_schema(scored.schema))


def _name_rows(batches: Iterator[RecordBatch], keep: Sequence[str]) -> Iterator[Part]:
    """Yield batches with places that name the partition, the row in it, and what is kept of the row."""
    partition = import_spark("taskcontext").TaskContext.get().partitionId()
    start = 0
    for batch in batches:

        def where(row: int, batch: RecordBatch = batch, start: int = start) -> str:
            return f"partition {partition}, row {start + row}{name_row(batch, row, keep)}"

        yield Part(batch, where)
        start += batch.num_rows


def _from_pandas(frame: Any, field: str | None) -> RecordBatch:
    """Return a data frame, or the column of a model's only field, as a batch."""
    if frame.ndim == 1:
        if field is None:
            raise InputError('expected a struct of the columns that the model reads: udf(model)(struct("*"))')
        frame = frame.to_frame(field)
    return import_arrow().RecordBatch.from_pandas(frame, preserve_index=False)


def _to_pandas(column: ArrowArray) -> Any:
    """Return a column as a series, or a struct as a data frame of its members."""
    pa = import_arrow()
    if pa.types.is_struct(column.type):
        names = [member.name for member in column.type]
        return pa.RecordBatch.from_arrays(column.flatten(), names=names).to_pandas()
    return column.to_pandas()


def _spark_schema(fields: Iterable[Any]) -> Schema:
    """Return the schema of fields with lists of any size for those of a fixed size, which Spark lacks."""
    return import_arrow().schema([field.with_type(_without_sizes(field.type)) for field in fields])


def _without_sizes(type_: DataType) -> DataType:
    pa = import_arrow()
    if pa.types.is_fixed_size_list(type_) or pa.types.is_list(type_):
        return pa.list_(_without_sizes(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([member.with_type(_without_sizes(member.type)) for member in type_])
    return type_
