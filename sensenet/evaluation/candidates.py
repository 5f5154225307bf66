"""The models that are evaluated, and what they answer for a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sensenet.artifact import Artifact
from sensenet.batches.arrow import RecordBatch
from sensenet.batches.outputs import PREDICTION, PROBABILITY, Model, OnError
from sensenet.batches.parts import Part
from sensenet.batches.scoring import Scorer, make_scorer
from sensenet.compiler.sources import find_target
from sensenet.errors import ArtifactError, InputError
from sensenet.evaluation.columns import EvaluationColumns
from sensenet.ir.types import Array
from sensenet.models.create import Source, create_model
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.records import frozen
from sensenet.runtime.cells import find_repeated
from sensenet.settings import DEFAULTS, Settings, Value
from sensenet.signature import ModelKind

DETECTOR_SETTINGS = Settings(bounding_box_threshold=0.001, max_objects=100)
"""What detectors are opened with, unless they are artifacts: average precision asks for many boxes."""

THRESHOLDS = ("bounding_box_threshold", "iou_threshold", "max_objects")

LONGEST_PATH = 1000
"""A longer text is a document, not its path."""

CLASSIFIERS, REGRESSIONS, DETECTORS = "classifiers", "regressions", "object detectors"


@frozen(kw_only=True)
class Candidate:
    """A model, its name in reports, and its scorer.

    `order` has the model's column for each class of the first model; it is empty for regressions.
    """

    name: str
    scorer: Scorer
    order: tuple[int, ...]

    def answer(self, columns: EvaluationColumns, part: Part) -> tuple[Array, Array]:
        """Return the answers for a batch, and bool[rows]: whether a row has one without NaN.

        The answers are f32[rows, classes], f64[rows] of a regression.
        """
        names = columns.select(self.scorer, part.batch.schema.names)
        scored, _ = self.scorer.score(Part(part.batch.select(names), part.where))
        if self.order:
            answers = _probabilities(scored, len(self.order))[:, self.order]
            return answers, np.isfinite(answers).all(axis=1)
        numbers = scored.column(PREDICTION).to_numpy(zero_copy_only=False).astype(np.float64)
        return numbers, np.isfinite(numbers)


def _probabilities(scored: RecordBatch, classes: int) -> Array:
    """Return f32[rows, classes]; NaN in rows without an answer."""
    column = scored.column(PROBABILITY)
    flat = column.values.to_numpy(zero_copy_only=False)
    numbers = flat[column.offset * classes : (column.offset + len(column)) * classes]
    answers = np.array(numbers, np.float32).reshape(-1, classes)
    answers[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return answers


def open_models(
    sources: Sequence[Source | Model], settings: Settings, engine: str | None = None
) -> list[Model]:
    """Return the models of some sources; raise what `create_model` raises.

    An artifact of a detector has its thresholds inside. Documents are opened with those of the first such
    artifact, so that they can be compared, or without one with DETECTOR_SETTINGS.
    """
    models: dict[int, Model] = {}
    defaults = DETECTOR_SETTINGS
    documents = []
    for number, source in enumerate(sources):
        if isinstance(source, Deepnet | ObjectDetector):
            models[number] = source
        elif not isinstance(source, Artifact) and find_target(source) is None:
            documents.append(number)
        else:
            models[number] = create_model(source, settings, engine)
    detector = next((model for model in models.values() if isinstance(model, ObjectDetector)), None)
    if detector:
        defaults = Settings(**{name: lookup_setting(detector, name) for name in THRESHOLDS})  # type: ignore[arg-type]
    for number in documents:
        models[number] = create_model(sources[number], defaults.override(settings), engine)  # type: ignore[arg-type]
    return [models[number] for number in range(len(sources))]


def lookup_setting(model: Model, name: str) -> Value:
    """Return the value of a setting with a default, as a model was made with it."""
    return model.settings.given().get(name) or DEFAULTS[name]


def name_models(sources: Sequence[Any]) -> tuple[str, ...]:
    """Return distinct names for models: those of their files, of equal ones the paths, else numbers."""
    paths = [os.fspath(source) if isinstance(source, str | os.PathLike) else "" for source in sources]
    paths = [path if isinstance(path, str) and len(path) <= LONGEST_PATH else "" for path in paths]
    for names in ([os.path.basename(os.path.normpath(path)) if path else "" for path in paths], paths):
        if all(names) and len(set(names)) == len(names):
            return tuple(names)
    return tuple(f"model {number}" if len(names) > 1 else "model" for number in range(1, len(names) + 1))


def find_kind(models: Sequence[Model], names: Sequence[str]) -> str:
    """Return the kind of some models; raise InputError if they differ, ArtifactError for extractors."""
    kinds = [_kind(model, name) for model, name in zip(models, names, strict=True)]
    other = next((number for number, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise InputError(
            f"{names[0]} is one of {kinds[0]}, {names[other]} of {kinds[other]}: evaluate them one at a time"
        )
    return kinds[0]


def _kind(model: Model, name: str) -> str:
    signature = model.signature
    if signature.kind is ModelKind.DETECTOR:
        return DETECTORS
    if signature.kind is ModelKind.EXTRACTOR:
        raise ArtifactError(
            f"{name} extracts features of images: there are no true values to compare them with"
        )
    return CLASSIFIERS if signature.classes else REGRESSIONS


def require_same_classes(models: Sequence[Model], names: Sequence[str]) -> None:
    """Raise InputError if the classes of models, in any order, differ from those of the first."""
    for model, name in zip(models, names, strict=True):
        if set(model.classes) != set(models[0].classes):
            raise InputError(f"{name} has other classes than {names[0]}: evaluate them one at a time")


def make_candidates(
    models: Sequence[Model], names: Sequence[str], kind: str, on_error: OnError
) -> list[Candidate]:
    """Return the candidates of classifiers of the same classes, or of regressions.

    Raises InputError if two classes have the same name, or a regression answers several numbers.
    """
    first = models[0].classes
    candidates = []
    for model, name in zip(models, names, strict=True):
        repeated = find_repeated(model.classes)
        if repeated is not None:
            raise InputError(
                f"{name} has two classes named {repeated!r:.60}: true values cannot tell them apart"
            )
        if kind == REGRESSIONS and model.answer_shape() != (1,):  # type: ignore[union-attr]
            raise InputError(f"{name} answers several numbers for a row; only one can be evaluated")
        outputs = [PROBABILITY if model.classes else PREDICTION]
        scorer = make_scorer(model, outputs, probabilities="list", on_error=on_error)
        order = tuple(model.classes.index(label) for label in first)
        candidates.append(Candidate(name=name, scorer=scorer, order=order))
    return candidates
