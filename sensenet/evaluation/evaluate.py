"""Runs models on rows or images whose answers are known, and measures their predictions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import attrs

from sensenet.batches.outputs import ErrorPolicies, Model, OnError, require_columns, require_one_of
from sensenet.batches.parts import Part, read_all, split_part
from sensenet.batches.table_files import FORMATS
from sensenet.errors import InputError, InputTypeError, SettingsError
from sensenet.evaluation.candidates import (
    DETECTORS,
    Candidate,
    find_kind,
    make_candidates,
    name_models,
    open_models,
    require_same_classes,
)
from sensenet.evaluation.classification import ClassificationTally
from sensenet.evaluation.columns import EvaluationColumns
from sensenet.evaluation.comparison import ClassPairs, NumberPairs
from sensenet.evaluation.evaluate_detectors import evaluate_detectors
from sensenet.evaluation.regression import RegressionTally
from sensenet.evaluation.report import EvaluationReport
from sensenet.evaluation.results import Evaluation, note_unknown
from sensenet.evaluation.sources import CLASS, find_rows
from sensenet.evaluation.truth import ClassReader, TruthReader, make_reader
from sensenet.models.create import Source
from sensenet.models.deepnet import ObjectDetector
from sensenet.progress import Progress, ignore_progress
from sensenet.runtime.cells import describe
from sensenet.runtime.row_files import require_delimiter
from sensenet.settings import Settings, ensure_settings

MOST_ANSWERS = 1 << 22
"""The most numbers that a classifier answers at once: with many classes, fewer rows are."""


def evaluate(
    models: Source | Model | Sequence[Source | Model],
    rows: Any,
    *,
    truth: str | None = None,
    ignore: Collection[str] = (),
    images: str | None = None,
    on_error: OnError = "raise",
    settings: Settings | dict[str, Any] | None = None,
    engine: str | None = None,
    format: str | None = None,
    delimiter: str = ",",
    show: Progress = ignore_progress,
) -> EvaluationReport:
    """Return the measures of one model or several on the same rows, in one pass and constant memory.

    `models` are models, or anything that `create_model` takes, with `settings` and `engine`; a list of them
    is compared with its first. `rows` is a path or a list of paths: tables, globs and folders of these; for a
    model that reads images alone also a folder with a folder of images for each class; for detectors the
    annotations, COCO's JSON or a folder of Pascal VOC's XML, with the images in the folder `images`. Or it is
    anything that `sensenet.batches.score` takes. `format` and `delimiter` are those of tables.

    True values are in the column `truth`, by default that with the objective field's id or name. Columns that
    no model reads must be listed in `ignore`. With `on_error="null"`, rows that cannot be read are counted
    instead of raised. `show` is called with the rows so far, and an estimate of all.

    Raises InputError for rows, columns or annotations that cannot be read, for no rows, and for models that
    cannot be compared; SettingsError for an invalid option, or one that the kind of the models does not have;
    and what `create_model` raises.
    """
    require_one_of("on_error", on_error, ErrorPolicies)
    require_columns("ignore", ignore)
    if truth is not None and not isinstance(truth, str):
        raise InputTypeError(f"truth: expected the name of a column, found {describe(truth)}")
    if format is not None:
        require_one_of("format", format, FORMATS)
    require_delimiter(delimiter)
    sources: Sequence[Any] = models if isinstance(models, list | tuple) else [models]
    if not sources:
        raise InputError("there is no model to evaluate")
    names = name_models(sources)
    opened = open_models(sources, ensure_settings(settings), engine)
    kind = find_kind(opened, names)
    require_same_classes(opened, names)
    if kind == DETECTORS:
        if truth is not None or ignore or format:
            raise SettingsError("truth, ignore and format are for tables; detectors need annotations")
        detectors = [model for model in opened if isinstance(model, ObjectDetector)]
        return evaluate_detectors(detectors, names, rows, images=images, on_error=on_error, show=show)
    if images is not None:
        raise SettingsError("images: only annotations of object detectors name images in a folder")
    candidates = make_candidates(opened, names, kind, on_error)
    scorers = tuple(each.scorer for each in candidates)
    truths = (truth,) if truth is not None else scorers[0].layout.objective_names or (CLASS,)
    found = find_rows(opened[0], rows, truths[-1], format, delimiter)
    columns = EvaluationColumns(scorers=scorers, truths=truths, ignore=frozenset(ignore).difference(truths))
    tally = _Tally(candidates, make_reader(opened[0].signature, on_error), truths[-1])
    for part in read_all(found.readers, columns, show):
        columns.check(part.batch.schema.names)
        for piece in split_part(part, max(1, MOST_ANSWERS // max(len(opened[0].classes), 1))):
            tally.add(columns, piece)
    return tally.result(found.name)


@attrs.define
class _Tally:
    """Adds up the answers of all models, batch by batch."""

    candidates: list[Candidate]
    reader: TruthReader
    truth: str
    rows: int = 0
    without_truth: int = 0
    without_answer: list[int] = attrs.field(init=False)
    tallies: list[Any] = attrs.field(init=False)
    pairs: list[Any] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        reader = self.reader
        self.without_answer = [0 for _ in self.candidates]
        if isinstance(reader, ClassReader):
            self.tallies = [ClassificationTally(reader.classes) for _ in self.candidates]
            self.pairs = [ClassPairs() for _ in self.candidates[1:]]
        else:
            self.tallies = [RegressionTally() for _ in self.candidates]
            self.pairs = [NumberPairs() for _ in self.candidates[1:]]

    def add(self, columns: EvaluationColumns, part: Part) -> None:
        """Add a batch; raise InputError for what cannot be read."""
        self.truth = columns.find_truth(part.batch.schema.names)
        truths = self.reader.read(part, self.truth)
        answers = [candidate.answer(columns, part) for candidate in self.candidates]
        self.rows += len(truths.values)
        self.without_truth += int((~truths.known).sum())
        for number, (numbers, answered) in enumerate(answers):
            rows = truths.known & answered
            self.without_answer[number] += int((truths.known & ~answered).sum())
            self.tallies[number].add(truths.values[rows], numbers[rows])
        first, first_answered = answers[0]
        for pair, (numbers, answered) in zip(self.pairs, answers[1:], strict=True):
            rows = truths.known & first_answered & answered
            pair.add(truths.values[rows], first[rows], numbers[rows])

    def result(self, source: str) -> EvaluationReport:
        """Return the report; raise InputError if no row counts."""
        names = [candidate.name for candidate in self.candidates]
        if not self.rows:
            raise InputError(f"{source}: no rows")
        if self.rows == self.without_truth:
            raise InputError(
                f"{source}: the column {self.truth!r} has no true value in any of {self.rows} rows"
            )
        failed = next((name for name, tally in zip(names, self.tallies, strict=True) if not tally.rows), None)
        if failed is not None:
            raise InputError(f"{source}: {failed} answers none of {self.rows} rows")
        unknown = tuple(self.reader.unknown) if isinstance(self.reader, ClassReader) else ()
        results = [
            tally.result(unknown) if isinstance(tally, ClassificationTally) else tally.result()
            for tally in self.tallies
        ]
        evaluations = [
            Evaluation(name=name, result=result, rows_without_answer=missing)
            for name, result, missing in zip(names, results, self.without_answer, strict=True)
        ]
        return EvaluationReport(
            truth=self.truth,
            source=source,
            rows=self.rows,
            rows_without_truth=self.without_truth,
            evaluations=tuple(evaluations),
            comparisons=tuple(
                pair.result(names[0], name) for pair, name in zip(self.pairs, names[1:], strict=True)
            ),
            notes=note_unknown(unknown, "rows count as wrong answers"),
        )
