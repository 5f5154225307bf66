"""Occlusion maps: which parts of an image an answer depends on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.errors import ArtifactError, InputError, SettingsError
from sensenet.explanation.attribution import find_output, name_outputs
from sensenet.explanation.players import require_deepnet
from sensenet.ir.ops.detection import overlap
from sensenet.ir.types import Array
from sensenet.json_numbers import as_json
from sensenet.limits import memory_errors_reported, require_memory
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.progress import Progress, ignore_progress
from sensenet.records import frozen
from sensenet.runtime.decode_image import open_image

PATCHES = 7
"""The patches that fit the shorter side of an image, unless a size is given."""

STEPS = 2
"""The steps in which a patch moves by its size."""

BATCH_BYTES = 1 << 26
BATCH_IMAGES = 64
"""The most bytes of images, and the most images, that are covered and answered together."""

SAME_BOX = 0.5
"""The least intersection over union of a box with the one that is explained."""

Box = tuple[int, int, int, int]
Score = Callable[[Sequence[Array]], Array]
"""Returns f64[images], the score in question for each image."""

Target = tuple[str, Box | None, float, Score]
"""A class, or an object's label and box; the score of the whole image, and what scores others."""


@frozen(kw_only=True, eq=False)
class OcclusionMap:
    """How much a score falls if a patch of the image is covered with the image's mean color.

    `drops` f64[rows, columns] has the fall for the patch at each place, below zero if the score rises. `tops`
    and `lefts` are the places in pixels, `patch` the side of a patch. `pixels` u8[height, width, channels] is
    the image. `output` is the class, or the label of the object whose `box` it is; `score` is that of the
    whole image.
    """

    output: str
    score: float
    box: Box | None
    pixels: Array
    patch: int
    tops: Array
    lefts: Array
    drops: Array

    def heat(self) -> Array:
        """Return f64[height, width]: for each pixel, the mean fall over the patches that cover it."""
        height, width = self.pixels.shape[:2]
        rows, columns = _cover(self.tops, self.patch, height), _cover(self.lefts, self.patch, width)
        with np.errstate(invalid="ignore"):
            sums = rows.T @ self.drops @ columns
        counts = np.outer(rows.sum(axis=0), columns.sum(axis=0))
        heat: Array = sums / counts
        return heat

    def to_json(self) -> dict[str, Any]:
        """Return the map as a JSON object, without pixels; numbers that are not finite are None."""
        height, width = self.pixels.shape[:2]
        record: dict[str, Any] = as_json(
            {
                "output": self.output,
                "score": self.score,
                **({"box": list(self.box)} if self.box else {}),
                "height": height,
                "width": width,
                "patch": self.patch,
                "tops": self.tops.tolist(),
                "lefts": self.lefts.tolist(),
                "drops": self.drops.tolist(),
            }
        )
        return record


def _cover(starts: Array, patch: int, length: int) -> Array:
    """Return f64[starts, length]: 1 at the pixels of each patch."""
    pixels = np.arange(length)
    return ((pixels >= starts[:, None]) & (pixels < starts[:, None] + patch)).astype(np.float64)


def occlusion_map(
    model: Deepnet | ObjectDetector,
    image: Any,
    *,
    output: str | None = None,
    patch: int | None = None,
    show: Progress = ignore_progress,
) -> OcclusionMap:
    """Return which parts of an image its answer depends on, by covering one patch after another.

    `image` is a path, encoded bytes or an array of pixels. Of a classifier, `output` is the class, by default
    the predicted one. Of a detector, the object with the best score is explained, or the best with the label
    `output`: the score of the best object of the same label whose box overlaps it by half (intersection over
    union), 0 if there is none. `patch` is the side of a patch in pixels, by default a seventh of the image's
    shorter side; patches overlap by half. `show` is called with the images answered, and with their number.

    Raises InputError for an image that cannot be read or without an object; SettingsError for an unknown
    class or a patch that is larger than the image; ArtifactError for a model that reads other fields too, or
    has no score; LimitError for an image that takes more memory than allowed.
    """
    require_image_model(model)
    with memory_errors_reported():
        assert model.signature.image is not None
        channels = model.signature.image.channels
        pixels = open_image(image, "the image", channels, model.settings.image_path_prefix).read()
        require_memory(8 * pixels[..., 0].size * 3, "a map of this image")
        if isinstance(model, ObjectDetector):
            name, box, whole, score = _score_detection(model, pixels, output)
        else:
            name, box, whole, score = _score_class(model, pixels, output)
        side = _find_patch(pixels, patch)
        tops, lefts = (_find_starts(length, side) for length in pixels.shape[:2])
        places = [(top, left) for top in tops.tolist() for left in lefts.tolist()]
        scores = _score_covered(pixels, side, places, score, show)
    return OcclusionMap(
        output=name,
        score=whole,
        box=box,
        pixels=pixels,
        patch=side,
        tops=tops,
        lefts=lefts,
        drops=(whole - scores).reshape(len(tops), len(lefts)),
    )


def require_image_model(model: Any) -> None:
    """Raise ArtifactError unless a model scores images alone, as classes, numbers or objects."""
    if isinstance(model, ObjectDetector):
        if model.answers_arrays:
            raise ArtifactError("only filtered, unpadded boxes can be explained: leave out the two settings")
        return
    signature = require_deepnet(model).signature
    if not len(signature.columns) == len(signature.image_columns) == 1:
        raise ArtifactError("this model does not read one image alone: use contributions")


def _find_patch(pixels: Array, patch: int | None) -> int:
    shorter = int(min(pixels.shape[:2]))
    if patch is None:
        return min(max(math.ceil(shorter / PATCHES), STEPS), shorter)
    if isinstance(patch, bool) or not isinstance(patch, int) or not 1 <= patch <= shorter:
        raise SettingsError(f"expected a patch from 1 to {shorter} pixels, found {patch!r:.60}")
    return patch


def _find_starts(length: int, patch: int) -> Array:
    """Return where patches start, so that they overlap by half and reach the end."""
    starts: Array = np.unique([*range(0, length - patch, max(patch // STEPS, 1)), length - patch])
    return starts


def _score_covered(
    pixels: Array, patch: int, places: Sequence[tuple[int, int]], score: Score, show: Progress
) -> Array:
    """Return f64[places], the scores of the image with a patch at one place after another."""
    color = np.round(pixels.mean(axis=(0, 1))).astype(np.uint8)
    at_once = max(min(BATCH_BYTES // pixels.nbytes, BATCH_IMAGES), 1)
    parts = []
    for start in range(0, len(places), at_once):
        covered = []
        for top, left in places[start : start + at_once]:
            copy = pixels.copy()
            copy[top : top + patch, left : left + patch] = color
            covered.append(copy)
        parts.append(score(covered))
        show(start + len(covered), len(places))
    return np.concatenate(parts)


def _score_class(model: Deepnet, pixels: Array, output: str | None) -> Target:
    """Return the class in question, its score, and the function that scores images."""
    answers = model([pixels])[0].astype(np.float64)
    outputs = name_outputs(model, len(answers))
    if output is None:
        chosen = int(np.argmax(np.nan_to_num(answers, nan=-np.inf)))
    else:
        chosen = find_output(outputs, output)

    def score(images: Sequence[Array]) -> Array:
        scores: Array = model(list(images))[:, chosen].astype(np.float64)
        return scores

    return outputs[chosen], None, float(answers[chosen]), score


def _score_detection(model: ObjectDetector, pixels: Array, output: str | None) -> Target:
    """Return the label of the object in question, its box and score, and the function that scores images."""
    if output is not None:
        find_output(model.classes, output)
    objects = [each for each in model._detect.answer_each([pixels])[0] if output in (None, each["label"])]
    if not objects:
        wanted = "" if output is None else f" {output!r}"
        raise InputError(f"the detector found no object{wanted} in the image: nothing can be explained")
    found = max(objects, key=lambda each: each["score"])

    def score_one(answer: Sequence[Mapping[str, Any]]) -> float:
        same = [each for each in answer if each["label"] == found["label"]]
        boxes = np.array([each["box"] for each in same], np.float64).reshape(-1, 4)
        shares = overlap(np.array(found["box"], np.float64), boxes)
        near = (each["score"] for each, share in zip(same, shares, strict=True) if share >= SAME_BOX)
        return float(max(near, default=0.0))

    def score(images: Sequence[Array]) -> Array:
        return np.array([score_one(answer) for answer in model._detect.answer_each(list(images))])

    box: Box = tuple(found["box"])
    return found["label"], box, float(found["score"]), score
