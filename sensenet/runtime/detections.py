"""Runs a detector on images and decodes its outputs to labeled boxes (SPEC §7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.artifact import Executable
from sensenet.errors import ArtifactError
from sensenet.ir.types import Array
from sensenet.limits import memory_limit, require_memory
from sensenet.records import frozen
from sensenet.runtime.decode_image import FLOAT_BYTES, open_image
from sensenet.runtime.detected import Detections
from sensenet.runtime.frames import is_frame
from sensenet.runtime.image_lists import Nest, flatten, unflatten
from sensenet.runtime.layout import RowLayout, row_layout
from sensenet.runtime.memory import MostRows, most_rows, pixel_shapes
from sensenet.runtime.prefetch import Task, batch_ahead
from sensenet.runtime.tables import as_table
from sensenet.signature import BOXES, CLASSES, PIXEL_INPUT, SCORES, VALID

IMAGES_AT_ONCE = 4
"""Images of one size that are run together, while threads read as many more.

It limits memory, because images are kept in their own size. Larger batches take no less time per image (see
docs/benchmarks.md)."""

NUMBER_OF_VALID = "num_valid"
"""The name of the output `valid` in answers."""

Inputs = Mapping[str, Array]


@frozen(kw_only=True)
class Detector:
    """Finds objects with an executable; made by `make_detector`. Threads may share it."""

    run: Callable[[Inputs], Inputs]
    labels: tuple[str, ...]
    layout: RowLayout
    channels: int
    raw: bool
    """Whether answers are arrays: of all boxes, or of boxes padded to a fixed number."""
    path_prefix: str | None
    most_rows: MostRows

    def __call__(self, x: Any) -> Any:
        """Return the objects in an image; for a list or 4-D array of images, a list of such answers.

        An image is a path, encoded bytes, pixels [h, w] or [h, w, c], None, or a dict with one of these by
        field name. A list of one image counts as that image; nested lists return nested lists. Raises
        InputError.
        """
        images, nest = self._list_images(x)
        return unflatten(nest, self.answer_each(images))

    def _list_images(self, x: Any) -> tuple[list[Any], Nest]:
        """Return the images in an argument, and how they were nested."""
        return flatten(list(as_table(x, self.layout).cells(0)) if is_frame(x) else x)

    def answer_each(self, images: Sequence[Any]) -> list[Any]:
        """Return the answer for each image, of none too; raise InputError."""
        answers = [answer for answer, _ in self._answer_sized(images)]
        if self.raw:
            return answers
        return [
            Detections(objects, self._find_cell(given), self.path_prefix)
            for objects, given in zip(answers, images, strict=True)
        ]

    def describe_each(self, x: Any, describe: Callable[[Any, int, int], Any]) -> Any:
        """Return what `describe` returns for the answer, the height and the width of images in any form."""
        images, nest = self._list_images(x)
        return unflatten(nest, [describe(answer, *size) for answer, size in self._answer_sized(images)])

    def _answer_sized(self, images: Sequence[Any]) -> Iterator[tuple[Any, tuple[int, ...]]]:
        """Yield the answer for each image, and its height and width."""
        for part in batch_ahead(self._open_image, list(enumerate(images)), IMAGES_AT_ONCE, memory_limit()):
            yield from zip(self._detect(part), [pixels.shape[:2] for pixels in part], strict=True)

    def answer_table(self, table: Any) -> list[Any]:
        """Return the answer for each row of a data frame; raise InputError."""
        return self.answer_each(list(as_table(table, self.layout).cells(0)))

    def _open_image(self, image: tuple[int, Any]) -> Task[Array]:
        number, given = image
        where = f"image {number}"
        opened = open_image(self._find_cell(given), where, self.channels, self.path_prefix)
        numbers = opened.height * opened.width * self.channels
        memory = max(opened.memory, numbers * (1 + FLOAT_BYTES))  # then as bytes and floats
        require_memory(memory, f"{where}: an image of {opened.width} × {opened.height} pixels")
        return Task(memory=memory, run=opened.read)

    def _detect(self, images: Sequence[Array]) -> list[Any]:
        """Return the answer for each image; images of one size share a run."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, pixels in enumerate(images):
            groups.setdefault(pixels.shape, []).append(number)
        answers: dict[int, Any] = {}
        for shape, group in groups.items():
            at_once = self.most_rows({PIXEL_INPUT: (1, *shape)})
            for start in range(0, len(group), at_once):
                numbers = group[start : start + at_once]
                pixels = np.stack([images[number] for number in numbers], dtype=np.float32)
                outputs = self.run({PIXEL_INPUT: pixels})
                if any(len(output) != len(pixels) for output in outputs.values()):
                    raise ArtifactError("the model's outputs do not have one row for each image")
                answers |= {number: self._read(outputs, row) for row, number in enumerate(numbers)}
        return [answers[number] for number in range(len(images))]

    def _find_cell(self, given: Any) -> Any:
        """Return the cell of a row, which may be a dict by field name if the model has names."""
        by_name = isinstance(given, Mapping) and not self.layout.refusal
        return next(iter(as_table(given, self.layout).cells(0))) if by_name else given

    def _read(self, outputs: Inputs, row: int) -> Any:
        if not self.raw:
            return read_objects(outputs, row, self.labels)
        arrays: dict[str, Any] = {
            name: np.array(outputs[name][row : row + 1]) for name in (BOXES, SCORES, CLASSES)
        }
        return arrays | ({NUMBER_OF_VALID: int(outputs[VALID][row])} if VALID in outputs else {})


def read_objects(outputs: Inputs, row: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return `{"box": [x1, y1, x2, y2], "label", "score"}` for each object in one image, best first."""
    valid = int(outputs[VALID][row])
    limits = np.iinfo(np.int32)
    boxes = np.nan_to_num(outputs[BOXES][row, :valid].astype(np.float64)).clip(limits.min, limits.max)
    return [
        {"box": [int(side) for side in box], "label": _label(labels, number), "score": float(score)}
        for box, score, number in zip(boxes, outputs[SCORES][row], outputs[CLASSES][row], strict=False)
    ]


def _label(labels: Sequence[str], number: int) -> str:
    """Return the name of a class; raise ArtifactError for a class that the model does not name."""
    if not 0 <= number < len(labels):
        raise ArtifactError(f"the model answered class {number}, but its file names {len(labels)} classes")
    return labels[number]


def make_detector(executable: Executable, path_prefix: str | None = None) -> Detector:
    """Return a detector for an executable; relative paths are taken from `path_prefix`."""
    signature = executable.signature
    if signature.image is None:
        raise ArtifactError("the signature of this detector does not describe its images")
    settings = signature.settings
    find_most_rows = most_rows(executable)
    find_most_rows(pixel_shapes(signature))
    return Detector(
        run=executable.run,
        labels=signature.classes,
        layout=row_layout(signature),
        channels=signature.image.channels,
        raw=bool(settings.get("output_unfiltered_boxes") or settings.get("pad_bounding_box_output")),
        path_prefix=path_prefix,
        most_rows=find_most_rows,
    )
