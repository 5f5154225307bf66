"""Whether a file takes and gives the tensors that its own signature speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.backends.tflite.metadata import SIGNATURE_FILE
from sensenet.backends.tflite.verify import Interface
from sensenet.errors import ArtifactError
from sensenet.ir.ops.image import RescaleType
from sensenet.ir.signature import (
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
from sensenet.ir.types import TensorType


def require_fitting(signature: Signature, interface: Interface, where: str) -> None:
    """Raise ArtifactError unless a file takes and gives what its own signature says of rows and answers."""
    numbers, images = len(signature.columns), len(signature.image_columns)
    if signature.image and signature.image.rescale_type not in {each.value for each in RescaleType}:
        way = signature.image.rescale_type
        raise ArtifactError(f"{where}: rescale_type is {way!r}; expected warp, pad or crop")
    expected: dict[str, list[int | None]] = {}
    if numbers > images:
        expected[NUMERIC_INPUT] = [None, numbers]
    if images:
        channels = signature.image.channels if signature.image else None
        expected[PIXEL_INPUT] = [None, *([images] if images > 1 else []), None, None, channels]
    if signature.kind is ModelKind.DETECTOR:
        answers: dict[str, list[int | None]] = {
            BOXES: [None, None, 4],
            SCORES: [None] * 2,
            CLASSES: [None] * 2,
        }
        answers |= {VALID: [None]} if VALID in interface.outputs else {}
    else:
        answers = {PREDICTIONS: [None, len(signature.classes) or None]}
    sides = [(interface.inputs, expected)] if numbers else []  # a graph that no document is behind has none
    for given, wanted in (*sides, (interface.outputs, answers)):
        if given.keys() != wanted.keys() or not all(_fits(given[name], wanted[name]) for name in wanted):
            names = ", ".join(f"{name} {found}" for name, found in given.items())
            raise ArtifactError(f"{where}: its tensors ({names}) do not fit its {SIGNATURE_FILE}")


def _fits(found: TensorType, wanted: Sequence[int | None]) -> bool:
    sizes = zip(found.shape, wanted, strict=False)
    return found.rank == len(wanted) and all(None in pair or pair[0] == pair[1] for pair in sizes)
