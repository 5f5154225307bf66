"""The interface of `inputs="fields"`: rows as the fields of the document, one named input a field.

| field | input | missing |
|---|---|---|
| number | f32[rows,1] | NaN |
| text or items | f32[rows,n]: the count of each of its n terms | NaN or 0 |
| category | string[rows,1] | a missing token of the document, such as the empty string |
| image | u8[rows,h,w,channels] | one black pixel |

It counts as the same value given by name to a model (`sensenet.runtime.field_cells`): a missing number is
replaced, or flagged, as the field says; True and False may mean categories. So texts of numbers, prefixes,
and the words of a text are all that a caller has to read. An input is named after its field (`input_names`).

A classification answers `probabilities`, f32[rows,classes], and `label`, string[rows]; a detector also
`labels`, string[rows,n]. Anything else is as in the tensors form.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sensenet.backends.field_inputs import UNKNOWN, FieldInput, category_codes, find_field_inputs
from sensenet.backends.input_names import input_names
from sensenet.backends.onnx.interface import Interface
from sensenet.backends.onnx.names import INPUTS_KEY, LABEL, LABELS, PROBABILITIES
from sensenet.backends.onnx.operators import (
    BYTE,
    CODES,
    TEXT,
    Declared,
    Operand,
    Operator,
    cast,
    declare,
    integers,
    look_up,
    number,
    operator,
)
from sensenet.errors import SettingsError
from sensenet.ir.graph import Graph
from sensenet.ir.types import DType
from sensenet.records import frozen
from sensenet.signature import (
    CLASSES,
    DETECTOR_OUTPUTS,
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    CategoricalColumn,
    Column,
    ImageColumn,
    ModelKind,
    Number,
    NumericColumn,
    Signature,
)

FLOAT32 = DType.FLOAT32.numpy

RESERVED = (NUMERIC_INPUT, PIXEL_INPUT, PREDICTIONS, *DETECTOR_OUTPUTS, PROBABILITIES, LABEL, LABELS)
"""Names of tensors that no field's input may have."""


def field_inputs(signature: Signature) -> tuple[FieldInput, ...]:
    """Return the inputs of a model's fields; none has the name of another tensor."""
    return find_field_inputs(signature, partial(input_names, reserved=RESERVED))


def fields_interface(graph: Graph) -> Interface:
    """Return the interface of a graph's fields.

    Raises SettingsError for a graph without columns, or with other outputs than it has classes.
    """
    signature = graph.signature
    if not signature.columns:
        raise SettingsError(
            "inputs='fields' needs the columns of a document, which this graph lacks: use inputs='tensors'"
        )
    inputs = field_inputs(signature)
    name_of = {column: each.name for each in inputs for column in each.columns}
    shapes = {node.name: node.types[0].shape for node in graph.inputs}
    rows, *pixels = shapes.get(PIXEL_INPUT) or shapes[NUMERIC_INPUT]
    encoded = {}
    if NUMERIC_INPUT in shapes:
        encoded[NUMERIC_INPUT] = _encode_columns(signature, inputs)
    if PIXEL_INPUT in shapes:
        encoded[PIXEL_INPUT] = _encode_images([name_of[column] for column in signature.image_columns])
    answers, outputs = _answers(graph)
    return Interface(
        inputs={each.name: _declare_input(each, rows, pixels) for each in inputs},
        outputs=outputs,
        encoded=encoded,
        answers=answers,
        metadata={INPUTS_KEY: json.dumps([*map(_describe, inputs)], ensure_ascii=False)},
    )


def _declare_input(each: FieldInput, rows: int | None, pixels: Sequence[int | None]) -> Declared:
    match each.columns[0]:
        case ImageColumn():
            return BYTE, (rows, *pixels[-3:])
        case CategoricalColumn():
            return TEXT, (rows, 1)
    return CODES[FLOAT32], (rows, 1 if each.number else each.width)


def _describe(each: FieldInput) -> dict[str, Any]:
    """Return what the metadata says of an input: its name, its first cell, and the names in the document."""
    label, cells = (each.field.name, each.field.cell_names) if each.field else ("", ())
    return {"name": each.name, "cell": each.cell, "label": label, "cells": list(cells)}


@frozen
class Part:
    """Some numbers of a row, f32[rows,width], and where in them columns are."""

    numbers: Operand
    width: int
    positions: Mapping[Column, int]


def _encode_columns(signature: Signature, inputs: Sequence[FieldInput]) -> Operator:
    """Return f32[rows,columns]: the cells of columns, in their order, without missing numbers."""
    parts = [part for each in inputs for part in _parts(signature, each)]
    starts = itertools.accumulate((part.width for part in parts), initial=0)
    places = {
        column: start + position
        for start, part in zip(starts, parts, strict=False)
        for column, position in part.positions.items()
    }
    order = [places[column] for column in signature.columns]
    numbers = operator("Concat", *(part.numbers for part in parts), axis=1)
    if order != [*range(sum(part.width for part in parts))]:
        numbers = operator("Gather", numbers, integers(order), axis=1)
    missing = [[getattr(column, "missing", 0.0) for column in signature.columns]]
    return _replace_missing(numbers, np.asarray(missing, FLOAT32))


def _replace_missing(numbers: Operand, by: Operand) -> Operator:
    return operator("Where", operator("IsNaN", numbers), by, numbers)


def _parts(signature: Signature, each: FieldInput) -> Iterator[Part]:
    """Yield the numbers that an input becomes."""
    width = signature.row_width
    positions = {column: column.index % width - each.cell for column in each.columns}
    match each.columns[0]:
        case ImageColumn():
            yield Part(_zeros(each.name), 1, dict.fromkeys(each.columns, 0))
        case CategoricalColumn():
            for column in each.columns:
                codes = category_codes(signature, each.field, column)  # type: ignore[arg-type]
                yield Part(look_up(each.name, codes, UNKNOWN), 1, {column: 0})
        case NumericColumn():
            encoding = each.number
            numbers = each.name if encoding is None else _encode_number(encoding, each.name)
            yield Part(numbers, each.width, positions)


def _zeros(name: str) -> Operator:
    """Return f32[rows,1], for the rows of an input."""
    rows = operator("Shape", name, start=0, end=1)
    return operator("Expand", number(0), operator("Concat", rows, integers([1]), axis=0))


def _encode_number(encoding: Number, name: str) -> Operand:
    """Return the cells of a number that may be missing."""
    numbers: Operand = name
    if encoding.default is not None:
        numbers = _replace_missing(name, number(encoding.default))
    if not encoding.flags_missing:
        return numbers
    flags = cast(operator("IsNaN", numbers), FLOAT32)
    return operator("Concat", _replace_missing(numbers, number(0)), flags, axis=1)


def _encode_images(names: Sequence[str]) -> Operator:
    """Return f32[rows,h,w,channels], or f32[rows,images,h,w,channels] of several images."""
    images = [cast(name, FLOAT32) for name in names]
    if len(images) == 1:
        return images[0]
    return operator("Concat", *(operator("Unsqueeze", x, integers([1])) for x in images), axis=1)


def _answers(graph: Graph) -> tuple[dict[str, Operator], dict[str, Declared]]:
    """Return the outputs that are computed from the graph's, and the types of all."""
    signature = graph.signature
    outputs = {name: declare(value.type) for name, value in graph.outputs.items()}
    if signature.kind is ModelKind.DETECTOR:
        labels = operator("Gather", signature.classes, CLASSES, axis=0)
        return {LABELS: labels}, outputs | {LABELS: (TEXT, outputs[CLASSES][1])}
    if signature.kind is ModelKind.EXTRACTOR or not signature.classes:
        return {}, outputs
    shape = graph.outputs[PREDICTIONS].type.shape
    if len(shape) != 2 or shape[1] != len(signature.classes):
        raise SettingsError(
            f"inputs='fields' names the best of {len(signature.classes)} classes, and the network answers "
            f"{graph.outputs[PREDICTIONS].type}: use inputs='tensors'"
        )
    best = operator("ArgMax", PREDICTIONS, axis=1, keepdims=0)
    answers = {
        PROBABILITIES: operator("Identity", PREDICTIONS),
        LABEL: operator("Gather", signature.classes, best, axis=0),
    }
    return answers, {PROBABILITIES: outputs[PREDICTIONS], LABEL: (TEXT, shape[:1])}
