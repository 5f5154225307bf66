"""The signature `predict_row`: rows as cells, one named tensor per cell.

| cell | tensor | missing |
|---|---|---|
| number | f32[rows] | NaN |
| category | string[rows] | text that is not a category |
| image | string[rows], encoded as JPEG, PNG or GIF | the empty string |

A tensor is named after the cell's field: `input_names` has the rule. The answer of a classification is
`label` (string[rows]), `classes` and `scores` (both [rows, classes], as TensorFlow Serving's convention has
it), of a regression `prediction` (f32[rows]), of an extractor `features`, of a detector its arrays, with
`labels` (string[rows, n]).
"""

from __future__ import annotations

from typing import Any

from sensenet.backends.input_names import input_names
from sensenet.backends.tensorflow import Variables, emit_lowered, run_graph
from sensenet.ir.graph import Graph
from sensenet.ir.ops.image import Rescale
from sensenet.records import frozen
from sensenet.signature import (
    CLASSES,
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    CategoricalColumn,
    Column,
    ImageColumn,
    ImageInput,
    ModelKind,
    NumericColumn,
    RescaleType,
    Signature,
)

OPAQUE = 255.0
RGB = 3


@frozen
class RowInput:
    """A tensor of the signature: its name, its cell's position and field name, and its columns."""

    name: str
    cell: int
    label: str
    columns: tuple[Column, ...]

    @property
    def is_number(self) -> bool:
        return isinstance(self.columns[0], NumericColumn)


def row_inputs(signature: Signature) -> tuple[RowInput, ...]:
    """Return the inputs of a model's rows; a cell that columns of two types read becomes two inputs.

    `input_names` has the rule for their names.
    """
    cell_names = signature.cell_names
    cells: dict[tuple[int, type[Column]], list[Column]] = {}
    width = signature.row_width
    for column in signature.columns:
        cells.setdefault((column.index % width, type(column)), []).append(column)
    ordered = sorted(cells.items(), key=lambda item: item[0][0])
    labels = [cell_names[cell] if cell < len(cell_names) else "" for (cell, _), _ in ordered]
    names = input_names((label, cell) for label, ((cell, _), _) in zip(labels, ordered, strict=True))
    return tuple(
        RowInput(name, cell, label, tuple(columns))
        for name, label, ((cell, _), columns) in zip(names, labels, ordered, strict=True)
    )


def make_row_function(tf: Any, graph: Graph, variables: Variables) -> Any:
    """Return a `tf.Module` with the function `predict`, its lookup tables of categories, and `specs`.

    `specs` are the `tf.TensorSpec` of its keyword arguments.
    """
    signature = graph.signature
    inputs = row_inputs(signature)
    module = tf.Module()
    module.tables = [_make_table(tf, column) for column in signature.columns]
    module.specs = {
        each.name: tf.TensorSpec([None], tf.float32 if each.is_number else tf.string, each.name)
        for each in inputs
    }
    name_of = {id(column): each.name for each in inputs for column in each.columns}

    def predict(**cells: Any) -> dict[str, Any]:
        if signature.kind is ModelKind.DETECTOR:
            (name,) = cells
            return _label_boxes(tf, signature, _detect_each(tf, graph, variables, cells[name]))
        columns = zip(signature.columns, module.tables, strict=True)
        encoded = [
            (column, _encode(tf, column, table, cells[name_of[id(column)]])) for column, table in columns
        ]
        feeds: dict[str, Any] = {}
        declared = {node.name for node in graph.inputs}
        if NUMERIC_INPUT in declared:
            feeds[NUMERIC_INPUT] = tf.stack([numbers for _, numbers in encoded], axis=1)
        if PIXEL_INPUT in declared and signature.image is not None:
            encoded_images = [cells[name_of[id(column)]] for column in signature.image_columns]
            images = [_decode_all(tf, each, signature.image) for each in encoded_images]
            feeds[PIXEL_INPUT] = tf.stack(images, axis=1) if len(images) > 1 else images[0]
        return _label(tf, signature, run_graph(tf, graph, feeds, variables)[PREDICTIONS])

    module.predict = tf.function(predict, autograph=False)
    return module


def _make_table(tf: Any, column: Column) -> Any:
    """Return the lookup table from a categorical column's values to codes; None for other columns."""
    if not isinstance(column, CategoricalColumn):
        return None
    codes = column.codes
    if not codes:
        return None
    values = tf.lookup.KeyValueTensorInitializer(
        tf.constant(list(codes), tf.string), tf.constant(list(codes.values()), tf.int32)
    )
    return tf.lookup.StaticHashTable(values, default_value=-1)


def _encode(tf: Any, column: Column, table: Any, cells: Any) -> Any:
    """Return f32[rows]: the column of the tensor `numeric_inputs` for these cells."""
    match column:
        case NumericColumn():
            return tf.where(tf.math.is_nan(cells), column.missing, cells)
        case CategoricalColumn() if table is not None:
            return tf.cast(table.lookup(cells), tf.float32)
        case CategoricalColumn():
            return -tf.ones(tf.shape(cells), tf.float32)
        case ImageColumn():
            return tf.zeros(tf.shape(cells), tf.float32)


def _decode(tf: Any, encoded: Any, channels: int) -> Any:
    """Return f32[h, w, channels] of an encoded image; one black pixel for an empty string.

    A fourth channel, alpha, is opaque.
    """
    pixels = tf.cond(
        tf.equal(tf.strings.length(encoded), 0),
        lambda: tf.zeros([1, 1, RGB], tf.uint8),
        lambda: tf.io.decode_jpeg(encoded, channels=RGB, dct_method="INTEGER_ACCURATE"),  # PNG and GIF too
    )
    pixels = tf.cast(pixels, tf.float32)
    return pixels if channels == RGB else tf.pad(pixels, [[0, 0], [0, 0], [0, 1]], constant_values=OPAQUE)


def _decode_all(tf: Any, encoded: Any, image: ImageInput) -> Any:
    """Return f32[rows, height, width, channels]: images in the network's size."""
    op = Rescale(height=image.height, width=image.width, method=RescaleType(image.rescale_type))

    def decode(each: Any) -> Any:
        (scaled,) = emit_lowered(tf, op, _decode(tf, each, image.channels)[None])
        return tf.ensure_shape(scaled[0], [image.height, image.width, image.channels])

    spec = tf.TensorSpec([image.height, image.width, image.channels], tf.float32)
    return tf.map_fn(decode, encoded, fn_output_signature=spec)


def _detect_each(tf: Any, graph: Graph, variables: Variables, encoded: Any) -> dict[str, Any]:
    """Return a detector's outputs; images run one by one, because boxes depend on the size of the image."""
    channels = graph.inputs[0].types[0].shape[-1] or RGB

    def detect(each: Any) -> dict[str, Any]:
        outputs = run_graph(tf, graph, {PIXEL_INPUT: _decode(tf, each, channels)[None]}, variables)
        return {name: tensor[0] for name, tensor in outputs.items()}

    specs = {
        name: tf.TensorSpec(value.type.shape[1:], value.type.dtype.numpy)
        for name, value in graph.outputs.items()
    }
    return dict(tf.map_fn(detect, encoded, fn_output_signature=specs))


def _label_boxes(tf: Any, signature: Signature, outputs: dict[str, Any]) -> dict[str, Any]:
    labels = tf.gather(tf.constant(list(signature.classes), tf.string), outputs[CLASSES])
    return outputs | {"labels": labels}


def _label(tf: Any, signature: Signature, answer: Any) -> dict[str, Any]:
    if signature.kind is ModelKind.EXTRACTOR:
        return {"features": answer}
    if not signature.classes:
        return {"prediction": answer[:, 0] if answer.shape[1] == 1 else answer}
    classes = tf.constant(list(signature.classes), tf.string)
    rows = tf.shape(answer)[0]
    return {
        "label": tf.gather(classes, tf.argmax(answer, axis=1)),
        "classes": tf.tile(classes[None], [rows, 1]),
        "scores": answer,
    }
