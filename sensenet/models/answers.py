"""Answers in the form of BigML's bindings: one dict for a row, with numbers of five decimals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sensenet.errors import InputTypeError
from sensenet.ir.types import Array
from sensenet.models.labels import DECIMALS, Labels, round_probabilities
from sensenet.runtime.cells import describe, is_missing
from sensenet.runtime.layout import RowLayout
from sensenet.signature import Signature

Answer = dict[str, Any]
"""What BigML answers for a row."""

PREDICTION = "prediction"


def require_row(x: Any) -> Mapping[Any, Any]:
    """Return the argument, a row by field name; raise InputTypeError for anything else."""
    if not isinstance(x, Mapping):
        raise InputTypeError(
            f"BigML's answers are for one row, a dict by field name; found {describe(x)}. Pass several rows "
            "to batch_predict"
        )
    return x


def keep_known(row: Mapping[Any, Any], layout: RowLayout) -> dict[Any, Any]:
    """Return the values of a row that belong to fields of the model."""
    return {key: value for key, value in row.items() if is_known(key, layout)}


def is_known(key: Any, layout: RowLayout) -> bool:
    """Return whether a key names a field of the model, or several."""
    return key in layout.positions or key in layout.ambiguous


def find_unused(row: Mapping[Any, Any], layout: RowLayout, signature: Signature) -> list[Any]:
    """Return the keys whose values the model does not read, without those of missing values.

    As in the bindings, the objective is listed by its id.
    """
    objective, tokens = signature.objective, signature.missing_tokens

    def is_there(value: Any) -> bool:
        return not is_missing(value) and not (isinstance(value, str) and value in tokens)

    return [
        objective.id if objective and key == objective.name else key
        for key, value in row.items()
        if not is_known(key, layout) and is_there(value)
    ]


def describe_numbers(numbers: Array) -> list[Answer]:
    """Return the answers of a regression for f32[rows]."""
    return [{PREDICTION: round(number, DECIMALS)} for number in numbers.tolist()]


def describe_regions(objects: Sequence[Mapping[str, Any]], height: int, width: int) -> Answer:
    """Return the answer of a detector for an image of some size: boxes are parts of it, from 0 to 1."""
    regions = [
        {
            "box": [
                round(side / size, DECIMALS)
                for side, size in zip(each["box"], (width, height) * 2, strict=True)
            ],
            "label": each["label"],
            "score": round(each["score"], DECIMALS),
        }
        for each in objects
    ]
    return {PREDICTION: regions}


def describe_rows(
    labels: Labels, probabilities: Array, operating_point: Any, operating_kind: Any
) -> list[Answer]:
    """Return the answers of a classification for f32[rows, classes].

    BigML calls the probability of the predicted class its confidence, too. Only answers without an operating
    point or kind have the distribution. Raises SettingsError for an invalid one.
    """
    rounded = round_probabilities(probabilities)
    positions = labels.choose(probabilities, operating_point, operating_kind)
    chosen = rounded[range(len(rounded)), positions].tolist()
    answers = [
        {PREDICTION: category, "probability": probability, "confidence": probability}
        for category, probability in zip(labels.classes[positions], chosen, strict=True)
    ]
    if operating_point or operating_kind:
        return answers
    return [
        {**answer, "distribution": describe_distribution(labels, row)}
        for answer, row in zip(answers, rounded.tolist(), strict=True)
    ]


def describe_distribution(labels: Labels, probabilities: Sequence[float]) -> list[Answer]:
    """Return the probability of each class, in alphabetical order."""
    return [
        {"category": category, "probability": probability}
        for category, probability in zip(labels.classes, probabilities, strict=True)
    ]
