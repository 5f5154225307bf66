"""The tensors that a model reads and answers, by name.

| model | input | output |
|---|---|---|
| whose document names its fields | one for each field: its name, or its id if several have that name | |
| of one image, without names | `image` | |
| of rows, without names | `row`, [rows, cells] | |
| classification | | `probabilities` [rows, classes], `label` [rows] |
| regression, extractor | | `predictions` [rows, …] |
| detector | | `boxes` [images, objects, 4]; `scores`, `classes`, `labels` [images, objects]; `valid` |

A field's input is [rows] or [rows, 1]. A number is of any numeric datatype, or its text; a category, a text
or items are BYTES. An image is BYTES, in JSON in base64, or pixels [rows, height, width, channels]. So
nothing in a request can name a file. Fields that a request leaves out are missing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.onnx.names import LABEL, LABELS, PROBABILITIES
from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.records import frozen
from sensenet.runtime.layout import RowLayout, row_layout
from sensenet.serve.tensors import BYTES, Tensor, as_objects
from sensenet.signature import (
    BOXES,
    CLASSES,
    PREDICTIONS,
    SCORES,
    VALID,
    ModelKind,
    NumericColumn,
    Signature,
)

ROW = "row"
IMAGE = "image"

PIXEL_AXES = (3, 4)
"""The axes of pixels: gray images, or images with channels."""


@frozen
class Declared:
    """A tensor in a model's metadata; a size of -1 may be any."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    description: str

    def to_json(self) -> dict[str, Any]:
        """Return the tensor as the protocol has it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@frozen
class Interface:
    """What a model reads and answers; made by `make_interface`."""

    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    layout: RowLayout
    images: frozenset[int]
    """The fields, or for rows without names the cells, that are images."""

    def read_rows(self, tensors: Sequence[Tensor]) -> Array:
        """Return the rows in a request's tensors: records by field, or cells [rows, cells].

        Raises InputError for tensors that the model does not read.
        """
        if self.layout.refusal:
            return self._read_cells(tensors)
        found = self.layout.find(tensor.name for tensor in tensors)
        by_name = {tensor.name: tensor for tensor in tensors}
        columns = {}
        for position, names in found.items():
            if len(names) > 1:
                raise InputError(f"the field {names[1]!r} is given twice, also as {names[0]!r}")
            field = self.layout.fields[position]
            columns[field.id] = _read_column(by_name[names[0]], position in self.images)
        return _make_records(columns)

    def _read_cells(self, tensors: Sequence[Tensor]) -> Array:
        """Return the cells [rows, cells] of the only input."""
        (declared,) = self.inputs
        if [tensor.name for tensor in tensors] != [declared.name]:
            raise InputError(f"this model reads one input, {declared.name!r}")
        (tensor,) = tensors
        if declared.name == IMAGE:
            return _read_column(tensor, True)[:, None]
        cells, width = tensor.array, declared.shape[1]
        if cells.ndim != 2 or cells.shape[1] != width:
            raise InputError(f"input {ROW!r}: expected the shape [rows, {width}], found {list(cells.shape)}")
        _require_rows(len(cells))
        if tensor.datatype != BYTES and not self.images:
            return cells
        columns = [
            _read_column(Tensor(ROW, tensor.datatype, cells[:, cell]), cell in self.images)
            for cell in range(width)
        ]
        return np.stack(columns, axis=1)


def _read_column(tensor: Tensor, image: bool) -> Array:
    """Return the cells of a tensor, one for each row."""
    array, where = tensor.array, f"input {tensor.name!r}"
    if image and tensor.datatype != BYTES:
        if array.ndim not in PIXEL_AXES:
            raise InputError(f"{where}: expected pixels [rows, height, width, channels], or BYTES")
        return as_objects(list(array))
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"{where}: expected the shape [rows, 1] or [rows], found {list(array.shape)}")
    if tensor.datatype != BYTES:
        return array
    read = _read_image if image else _read_text
    return as_objects([read(cell, f"{where}, row {row}") for row, cell in enumerate(array)])


def _read_image(cell: str | bytes | None, where: str) -> bytes | None:
    """Return an encoded image; raise InputError for text that is not base64, such as a path."""
    if not isinstance(cell, str):
        return cell
    try:
        return base64.b64decode(cell, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{where}: expected the bytes of an image, in JSON in base64") from error


def _read_text(cell: str | bytes | None, where: str) -> str | None:
    if not isinstance(cell, bytes):
        return cell
    try:
        return cell.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: the text is not UTF-8") from error


def _make_records(columns: Mapping[str, Array]) -> Array:
    """Return records with a member for each column."""
    if not columns:
        raise InputError("the inputs have no field that the model reads")
    sizes = {len(column) for column in columns.values()}
    if len(sizes) > 1:
        raise InputError(f"the inputs have different numbers of rows: {sorted(sizes)}")
    (rows,) = sizes
    _require_rows(rows)
    records = np.empty(rows, np.dtype([(name, column.dtype) for name, column in columns.items()]))
    for name, column in columns.items():
        records[name] = column
    return records


def _require_rows(rows: int) -> None:
    if rows == 0:
        raise InputError("the inputs have no rows")


def make_interface(model: Deepnet | ObjectDetector) -> Interface:
    """Return the interface of a model."""
    signature = model.signature
    layout = row_layout(signature)
    cells = [column.index % signature.row_width for column in signature.image_columns]
    named = not layout.refusal
    return Interface(
        inputs=_field_inputs(signature, layout) if named else (_only_input(signature),),
        outputs=_outputs(signature),
        layout=layout,
        images=frozenset(layout.owners[cell][0] if named else cell for cell in cells),
    )


def _field_inputs(signature: Signature, layout: RowLayout) -> tuple[Declared, ...]:
    numeric = {
        layout.owners[column.index][0] for column in signature.columns if isinstance(column, NumericColumn)
    }
    return tuple(
        Declared(
            name=field.id if field.name in layout.ambiguous else field.name,
            datatype="FP32" if position in numeric and field.optype == "numeric" else BYTES,
            shape=(-1, 1),
            description=field.optype,
        )
        for position, field in enumerate(layout.fields)
    )


def _only_input(signature: Signature) -> Declared:
    """Return the input of a model whose cells have no names."""
    if signature.row_width == len(signature.image_columns) == 1:
        return Declared(IMAGE, BYTES, (-1, 1), "image")
    numeric = all(isinstance(column, NumericColumn) for column in signature.columns)
    shape = (-1, signature.row_width)
    return Declared(ROW, "FP32" if numeric else BYTES, shape, "the cells of a row, in their order")


def _outputs(signature: Signature) -> tuple[Declared, ...]:
    if signature.kind is ModelKind.DETECTOR:
        return (
            Declared(BOXES, "FP32", (-1, -1, 4), "corners in pixels: left, top, right, bottom"),
            Declared(SCORES, "FP32", (-1, -1), "from 0 to 1, best first"),
            Declared(CLASSES, "INT32", (-1, -1), "positions in the model's classes"),
            Declared(LABELS, BYTES, (-1, -1), "names of the classes"),
            Declared(VALID, "INT32", (-1,), "how many objects there are; zeros fill the rest"),
        )
    if signature.kind is ModelKind.DEEPNET and signature.classes:
        return (
            Declared(PROBABILITIES, "FP32", (-1, len(signature.classes)), "one for each class"),
            Declared(LABEL, BYTES, (-1,), "the most probable class"),
        )
    return (Declared(PREDICTIONS, "FP32", (-1, -1), "numbers"),)
