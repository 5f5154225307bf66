"""From an image network's branches to boxes: the outputs of a detector (SPEC §7)."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.errors import SettingsError
from sensenet.frontend.emit import emit_node
from sensenet.frontend.images import ImageNetwork
from sensenet.frontend.json.cursor import Cursor
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.basic import Concatenate
from sensenet.ir.ops.detection import DecodeBoxes, ScaleBoxes, SuppressBoxes
from sensenet.ir.types import Tensor
from sensenet.settings import DEFAULT_MAX_OBJECTS, DEFAULT_THRESHOLD, Settings
from sensenet.signature import BOXES, CLASSES, SCORES, VALID

BOX_NUMBERS = 5
"""What a branch says of a box before its classes: place, size, confidence."""


def build_detector_outputs(images: ImageNetwork, pixels: Value, classes: int) -> dict[str, Value]:
    """Return the graph's outputs: boxes, scores, classes, and the number of valid boxes if suppressed.

    Raises DocumentError with the JSON path of what is wrong, SettingsError for settings that contradict.
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
    """Return all branches' boxes in order, as shares of the input's side; their scores and class numbers."""
    size = images.describe_input()
    if size.height != size.width:
        raise images.metadata["input_image_shape"].expected("a square, which a detector's images are")
    entries = images.metadata.require("outputs")
    if not entries.items():
        raise entries.error("a detector has one branch or more")
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
        raise branch.error(f"layer {index} gives {raw.type}, not {cells} × {cells} cells of {stride} pixels")
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
    """Return the classes that a branch scores; later names of the detector are never found."""
    return max((raw.type.shape[-1] or 0) // anchors - BOX_NUMBERS, 1)


def _suppression(settings: Settings) -> SuppressBoxes:
    return SuppressBoxes(
        score_threshold=settings.bounding_box_threshold or DEFAULT_THRESHOLD,
        iou_threshold=settings.iou_threshold or DEFAULT_THRESHOLD,
        max_objects=settings.max_objects or DEFAULT_MAX_OBJECTS,
    )
