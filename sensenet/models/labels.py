"""Chooses the classes of rows from their probabilities: the most probable, or by BigML's operating points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.errors import ArtifactError, SettingsError
from sensenet.ir.types import Array
from sensenet.records import frozen
from sensenet.signature import Signature
from sensenet.suggestions import suggest

PROBABILITY = "probability"
"""The only kind of operating point that deepnets have."""

DECIMALS = 5
"""The decimals of the numbers in BigML's answers; operating points compare these."""

NUMBERS = (int, float, np.integer, np.floating)

MOST_CLASSES = 12
"""The most classes that an error lists."""


@frozen(kw_only=True, eq=False)
class Labels:
    """The classes of a model in alphabetical order, as scikit-learn and BigML's bindings have them.

    `order` has the column of each class in the model's answers. `ranks` orders classes of equal probability:
    as the objective's categories, which BigML sorts by their frequency.
    """

    classes: Array
    order: Array
    ranks: Array

    def sort(self, answers: Array) -> Array:
        """Return f32[rows, classes], the probabilities in the order of `classes`.

        Raises ArtifactError if the model does not answer one number per class.
        """
        if answers.ndim != 2 or answers.shape[1] != len(self.order):
            raise ArtifactError(
                f"the model has {len(self.order)} classes, but answers {list(answers.shape[1:])} numbers for "
                "a row: call it for these"
            )
        return answers[:, self.order]

    def choose(self, probabilities: Array, operating_point: Any, operating_kind: Any) -> Array:
        """Return the position of the class of each row, by the operating point or kind if one is given.

        Raises SettingsError for an invalid one.
        """
        if operating_point:
            point = read_operating_point(operating_point, list(self.classes))
            return choose_at(round_probabilities(probabilities), self.ranks, point)
        if operating_kind:
            require_kind(operating_kind)
            return choose_first(round_probabilities(probabilities), self.ranks)
        best: Array = probabilities.argmax(axis=1)
        return best


def read_labels(signature: Signature) -> Labels:
    """Return the labels of a classifier's signature."""
    classes = np.array(signature.classes, object)
    order = np.argsort(classes, kind="stable")
    rank = {category: number for number, category in enumerate(signature.categories or signature.classes)}
    return Labels(
        classes=classes[order],
        order=order,
        ranks=np.array([rank[category] for category in classes[order]], int),
    )


@frozen(kw_only=True)
class OperatingPoint:
    """Predicts the class at the position `positive` if its probability is above `threshold`."""

    positive: int
    threshold: float


def read_operating_point(given: Any, classes: Sequence[str]) -> OperatingPoint:
    """Return the operating point of BigML's form, `{"kind", "positive_class", "threshold"}`.

    Raises SettingsError for another form, an unknown class, or a threshold that is not from 0 to 1.
    """
    if not isinstance(given, Mapping) or {"kind", "positive_class", "threshold"} - given.keys():
        raise SettingsError(
            "expected the operating point as {'kind': 'probability', 'positive_class': …, 'threshold': …}; "
            f"found {given!r:.60}"
        )
    require_kind(given["kind"])
    positive, threshold = given["positive_class"], given["threshold"]
    if positive not in classes:
        known = ", ".join(map(repr, classes[:MOST_CLASSES])) + ", …" * (len(classes) > MOST_CLASSES)
        raise SettingsError(
            f"unknown positive_class {positive!r:.60}; {suggest(positive, classes)}expected one of: {known}"
        )
    if not isinstance(threshold, NUMBERS) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise SettingsError(f"expected a threshold from 0 to 1, found {threshold!r:.60}")
    return OperatingPoint(positive=classes.index(positive), threshold=float(threshold))


def require_kind(kind: Any) -> None:
    """Raise SettingsError unless an operating kind is `probability`, in any case."""
    if not isinstance(kind, str) or kind.lower() != PROBABILITY:
        raise SettingsError(f"unknown operating kind {kind!r:.60}; deepnets have only {PROBABILITY!r}")


def round_probabilities(probabilities: Array) -> Array:
    """Return f32 probabilities in BigML's precision, as f64.

    The bindings round float32; the second time only makes them the numbers nearest to those decimals.
    """
    rounded: Array = np.round(np.round(probabilities, DECIMALS).astype(np.float64), DECIMALS)
    return rounded


def choose_first(rounded: Array, ranks: Array) -> Array:
    """Return the position of the most probable class of each row; of equal ones, that of the least rank."""
    order = np.argsort(ranks, kind="stable")
    positions: Array = order[np.argmax(rounded[:, order], axis=1)]
    return positions


def choose_at(rounded: Array, ranks: Array, point: OperatingPoint) -> Array:
    """Return the position of the class of each row that an operating point chooses.

    That is its positive class if the probability is above the threshold, else the first of the others.
    """
    others = rounded.copy()
    others[:, point.positive] = -1  # below every probability
    return np.where(rounded[:, point.positive] > point.threshold, point.positive, choose_first(others, ranks))
