"""Checks that a signature fits the inputs and outputs of a graph, or of a file without a graph.

| kind | inputs | outputs |
|---|---|---|
| deepnet | numbers, unless all columns are images; pixels, if any is | predictions |
| extractor | pixels | predictions |
| detector | pixels | boxes, scores, classes; valid unless all boxes are wanted |

Numbers are f32[?,columns]; pixels f32[?,h,w,channels], or f32[?,images,h,w,channels] if a row has several
images; predictions f32[?,…], with one probability per class; boxes f32[?,n,4], scores f32[?,n], classes
i32[?,n], valid i32[?]. The number of rows is unknown, or the same in all of them (`static_shapes`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sensenet.errors import VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Value
from sensenet.ir.op import require
from sensenet.ir.ops.arithmetic import Average
from sensenet.ir.ops.reduction import Mean
from sensenet.ir.types import DType, TensorType, f32, matches
from sensenet.signature import (
    BOXES,
    CLASSES,
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    SCORES,
    VALID,
    ModelKind,
    Signature,
)

Types = Mapping[str, TensorType]

UNFILTERED = "output_unfiltered_boxes"
"""The setting with which a detector returns all boxes."""


def check_graph(graph: Graph) -> None:
    """Raise VerifyError unless a graph's signature, if it has one, fits it."""
    if graph.signature == Signature():
        return
    inputs = {node.name: node.types[0] for node in graph.inputs}
    check_interface(graph.signature, inputs, {name: value.type for name, value in graph.outputs.items()})
    if graph.signature.classes and graph.signature.kind is ModelKind.DEEPNET:
        _check_probabilities(graph)
    if graph.signature.kind is ModelKind.DETECTOR:
        _check_labels(graph)


def _check_labels(graph: Graph) -> None:
    """Raise VerifyError if a detector finds classes that its signature does not name."""
    from sensenet.ir.ops.detection import DecodeBoxes  # which no other model has

    for node in graph.nodes:
        if isinstance(node.op, DecodeBoxes):
            named = len(graph.signature.classes)
            require(
                node.op.classes <= named,
                f"node {node.name!r} has {node.op.classes} classes, but the signature names {named}",
            )


def check_interface(signature: Signature, inputs: Types, outputs: Types) -> None:
    """Raise VerifyError unless a signature fits tensors of these names and types."""
    check_signature(signature)
    for name, expected in expected_inputs(signature).items():
        _check(name, inputs, expected)
    unknown = inputs.keys() - expected_inputs(signature).keys()
    require(not unknown, f"the signature does not describe the input {min(unknown, default='')!r}")
    for name, expected in expected_outputs(signature).items():
        _check(name, outputs, expected)
    if signature.kind is not ModelKind.DETECTOR:
        _check_predictions(outputs)
    answered = expected_outputs(signature) or (PREDICTIONS,)
    _check_batches({**inputs, **{name: outputs[name] for name in answered}})


def check_signature(signature: Signature) -> None:
    """Raise VerifyError for a signature that fits no model."""
    images = len(signature.image_columns)
    require(bool(signature.columns), "the signature has no columns")
    require(
        (signature.image is None) is not bool(images),
        "the signature has image columns, but no size of images"
        if images
        else "the signature has a size of images, but no image column",
    )
    if signature.kind is not ModelKind.DEEPNET:
        alone = images == len(signature.columns) == 1
        require(alone, f"expected one column, an image, for a model of the kind {signature.kind.value}")
    try:
        json.dumps(signature.to_json(), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise VerifyError(f"the signature has a lone surrogate, {error.object[error.start]!a}") from error


def expected_inputs(signature: Signature) -> Types:
    """Return the names and types of a model's inputs."""
    columns, images, image = len(signature.columns), len(signature.image_columns), signature.image
    types = {NUMERIC_INPUT: f32(None, columns)} if images < columns else {}
    if image is None:
        return types
    several = (images,) if images > 1 else ()
    return types | {PIXEL_INPUT: f32(None, *several, None, None, image.channels)}


def expected_outputs(signature: Signature) -> Types:
    """Return the names and types of a model's outputs, as far as the signature determines their ranks."""
    if signature.kind is not ModelKind.DETECTOR:
        return {}
    numbers = TensorType(DType.INT32, (None, None))
    types = {BOXES: f32(None, None, 4), SCORES: f32(None, None), CLASSES: numbers}
    if signature.settings.get(UNFILTERED):
        return types
    return types | {VALID: numbers.with_shape((None,))}


def _check(name: str, found: Types, expected: TensorType) -> None:
    """Raise VerifyError unless there is a tensor of that name, and it fits."""
    require(name in found, f"the signature requires {name!r} {expected}; found {_list(found)}")
    actual = found[name]
    fits = actual.dtype is expected.dtype and matches(actual.shape, expected.shape)
    require(fits, f"the signature requires {name!r} {expected}, found {actual}")


def _check_batches(found: Types) -> None:
    """Raise VerifyError unless all tensors have the same number of rows, which may be unknown."""
    (first, expected), *others = found.items()
    require(expected.shape[0] != 0, f"{first!r} {expected} has no rows")
    for name, actual in others:
        same = actual.shape[0] == expected.shape[0]
        require(same, f"{name!r} {actual} has another number of rows than {first!r} {expected}")


def _check_predictions(outputs: Types) -> None:
    require(PREDICTIONS in outputs, f"the signature requires {PREDICTIONS!r}; found {_list(outputs)}")
    found = outputs[PREDICTIONS]
    require(
        found.dtype is DType.FLOAT32 and found.rank > 1,
        f"the signature requires {PREDICTIONS!r} f32[?,…], found {found}",
    )


def _check_probabilities(graph: Graph) -> None:
    """Raise VerifyError if there are probabilities, but not one per class; other numbers may differ."""
    answer, classes = graph.outputs[PREDICTIONS], graph.signature.classes
    width = answer.type.shape[-1]
    fits = width in (None, len(classes)) or answer.type.rank != 2 or not _are_probabilities(answer)
    require(fits, f"the signature names {len(classes)} classes, but {PREDICTIONS!r} is {answer.type}")


def _are_probabilities(value: Value) -> bool:
    """Return whether a value is the result of a softmax, or the average of several."""
    functions = {getattr(value.op, name, None) for name in ("activation", "function")}
    averaged = isinstance(value.op, Average | Mean)
    return ActivationFunction.SOFTMAX in functions or (averaged and _are_probabilities(value.node.inputs[0]))


def _list(types: Types) -> str:
    return ", ".join(f"{name!r} {found}" for name, found in types.items())[:200] or "none"
