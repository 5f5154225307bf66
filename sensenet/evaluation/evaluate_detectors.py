"""Evaluates object detectors on annotated images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sensenet.batches.image_tables import read_image_table
from sensenet.batches.outputs import DETECTIONS, OnError
from sensenet.batches.parts import read_all
from sensenet.batches.scoring import IMAGES_AT_ONCE, Scorer, make_scorer
from sensenet.errors import InputError, InputTypeError
from sensenet.evaluation.annotations import AnnotatedImage, read_annotations
from sensenet.evaluation.bootstrap import compare_detectors
from sensenet.evaluation.candidates import lookup_setting
from sensenet.evaluation.detection import DetectionTally
from sensenet.evaluation.objects import match_image
from sensenet.evaluation.report import EvaluationReport
from sensenet.evaluation.results import Evaluation, note_unknown
from sensenet.evaluation.sources import list_paths
from sensenet.models.deepnet import ObjectDetector
from sensenet.progress import Progress
from sensenet.runtime.cells import describe

MOST_COMPLETE = 0.05
"""The largest threshold of boxes with which average precision is said to be complete."""


def evaluate_detectors(
    models: Sequence[ObjectDetector],
    names: Sequence[str],
    annotations: Any,
    *,
    images: str | None,
    on_error: OnError,
    show: Progress,
) -> EvaluationReport:
    """Return the measures of detectors on the images of annotations; see `evaluate`."""
    paths = list_paths(annotations)
    if paths is None or len(paths) != 1:
        raise InputTypeError("expected the path of annotations: COCO's JSON, or a folder of Pascal VOC's XML")
    folders = list_paths(images)
    if images is not None and (folders is None or len(folders) != 1):
        raise InputTypeError(f"images: expected the path of a folder, found {describe(images)}")
    annotated = read_annotations(paths[0], folders[0] if folders else None)
    scorers = [make_scorer(model, on_error=on_error) for model in models]
    tallies = [DetectionTally(model.classes) for model in models]
    for start, found in _detect(models[0], scorers, annotated, show):
        for offset, objects in enumerate(zip(*found, strict=True)):
            true = annotated[start + offset].objects
            for tally, each in zip(tallies, objects, strict=True):
                if each is None:
                    tally.skip()
                else:
                    tally.add(match_image(each, true), true)
    if not all(tally.images for tally in tallies):
        raise InputError(f"{paths[0]}: none of {len(annotated)} images can be read")
    lowest = [float(lookup_setting(model, "bounding_box_threshold")) for model in models]
    return EvaluationReport(
        truth="annotations",
        source=paths[0],
        rows=len(annotated),
        rows_without_truth=0,
        evaluations=tuple(
            Evaluation(
                name=name,
                result=tally.result(threshold),
                rows_without_answer=len(tally.answered) - tally.images,
            )
            for name, tally, threshold in zip(names, tallies, lowest, strict=True)
        ),
        comparisons=tuple(
            compare_detectors(tallies[0], tally, (names[0], name))
            for name, tally in zip(names[1:], tallies[1:], strict=True)
        ),
        notes=tuple(_notes(names, lowest, tallies)),
    )


def _detect(
    first: ObjectDetector, scorers: Sequence[Scorer], annotated: Sequence[AnnotatedImage], show: Progress
) -> Iterator[tuple[int, list[list[Any]]]]:
    """Yield the position of the first image of a batch, and for each model the objects of each image."""
    reader = read_image_table(first, [each.path for each in annotated], {}, IMAGES_AT_ONCE)
    start = 0
    for part in read_all([reader], scorers[0], show):
        found = [scorer.score(part)[0].column(DETECTIONS).to_pylist() for scorer in scorers]
        yield start, found
        start += part.batch.num_rows


def _notes(names: Sequence[str], lowest: Sequence[float], tallies: Sequence[DetectionTally]) -> Iterator[str]:
    for name, threshold in zip(names, lowest, strict=True):
        if threshold > MOST_COMPLETE:
            yield (
                f"{name} returns only boxes with scores above {threshold:g}, so its average precision is too "
                "low: compile it with bounding_box_threshold=0.001 and max_objects=100"
            )
    unknown = tallies[0].class_names()[len(tallies[0].classes) :]
    yield from note_unknown(unknown, "objects count as not found")
