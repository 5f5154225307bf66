"""Builds a detector's outputs from the branches of its image network (SPEC §7)."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.errors import SettingsError
from sensenet.frontend.emit import emit_node
from sensenet.frontend.images import ImageNetwork
from sensenet.frontend.json.cursor import Cursor
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.detection import DecodeBoxes, ScaleBoxes, SuppressBoxes
from sensenet.ir.ops.rearrangement import Concatenate
from sensenet.ir.types import Tensor
from sensenet.settings import DEFAULT_MAX_OBJECTS, DEFAULT_THRESHOLD, Settings
from sensenet.signature import BOXES, CLASSES, SCORES, VALID

BOX_NUMBERS = 5
"""The numbers of a box before its classes: center, size and confidence."""


def build_detector_outputs(images: ImageNetwork, pixels: Value, classes: int) -> dict[str, Value]:
    """Return the graph's outputs: boxes, scores, classes, and the number of valid boxes if suppressed.

    Raises DocumentError with the JSON path of the fault, SettingsError for contradictory settings.
    """
    boxes, scores, numbers = _find_boxes(images, pixels, classes)
    boxes = apply(ScaleBoxes(), boxes, pixels, name="scale_boxes").value
    if images.settings.output_unfiltered_boxes:
        if images.settings.pad_bounding_box_output:
            raise SettingsError("output_unfiltered_boxes and pad_bounding_box_output exclude each other")
        return {BOXES: boxes, SCORES: scores, CLASSES: numbers}
    best = apply(_suppression(images.settings), boxes, scores, numbers, name="suppress_boxes")
    return dict(zip((BOXES, SCORES, CLASSES, VALID), best.values, strict=True))


def _find_boxes(images: ImageNetwork, pixels: Value, classes: int) -> Sequence[Value]:
    """Return the boxes of all branches in order, in units of the input's side, their scores and classes."""
    size = images.describe_input()
    if size.height != size.width:
        raise images.metadata["input_image_shape"].expected("a square image shape for a detector")
    entries = images.metadata.require("outputs")
    if not entries.items():
        raise entries.error("a detector needs at least one branch")
    layers = images.build_outputs(pixels)
    branches = [
        _decode(entry, layers, classes, size.width, f"branch_{index}")
        for index, entry in enumerate(entries.items())
    ]
    if len(branches) == 1:
        return branches[0].values
    parts = zip(
        (BOXES, SCORES, CLASSES), zip(*(branch.values for branch in branches), strict=True), strict=True
    )
    return [apply(Concatenate(axis=1), *values, name=f"all_{name}").value for name, values in parts]


def _decode(branch: Cursor, layers: Sequence[Value], classes: int, side: int, name: str) -> Node:
    index = branch.require("input").integer()
    if not -len(layers) <= index < len(layers):
        raise branch["input"].error(f"there is no layer {index}; the image network has {len(layers)}")
    stride = branch.require("strides").positive()
    raw = layers[index]
    cells = side // stride
    if raw.type.rank != 4 or raw.type.shape[1:3] != (cells, cells):
        found = f"layer {index} is {raw.type}"
        raise branch.error(f"{found}, expected {cells} × {cells} cells of {stride} pixels")
    anchors = Tensor(branch.require("anchors").array(2))
    op = DecodeBoxes(
        anchors=anchors,
        stride=stride,
        xyscale=branch.require("xyscale").number(),
        classes=min(classes, _count_classes(raw, len(anchors.array))),
        input_size=side,
    )
    return emit_node(branch, op, raw, name=name)


def _count_classes(raw: Value, anchors: int) -> int:
    """Return the number of classes of a branch; the detector may name more, which are never found."""
    return max((raw.type.shape[-1] or 0) // anchors - BOX_NUMBERS, 1)


def _suppression(settings: Settings) -> SuppressBoxes:
    return SuppressBoxes(
        score_threshold=settings.bounding_box_threshold or DEFAULT_THRESHOLD,
        iou_threshold=settings.iou_threshold or DEFAULT_THRESHOLD,
        max_objects=settings.max_objects or DEFAULT_MAX_OBJECTS,
    )
