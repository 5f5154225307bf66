"""Compares the answers of two graphs: how far apart they are, and on how many rows they decide the same.

A detector may find the same boxes in another order. Its answers are therefore the scores in each class, the
best first, and 0 for a box that only one finds; it decides the same if it finds as many boxes of each class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sensenet.ir.evaluate import Feed
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.signature import CLASSES, PREDICTIONS, SCORES, VALID

NO_SCORES = np.empty(0, np.float32)


def has_decisions(graph: Graph) -> bool:
    """Return whether answers name classes: the best one of a row, or those of the boxes that are left."""
    return VALID in graph.outputs or (PREDICTIONS in graph.outputs and bool(graph.signature.classes))


def largest_difference(found: Sequence[Feed], expected: Sequence[Feed]) -> float:
    """Return the largest absolute difference of numbers, for outputs of the same inputs.

    It is infinite if a number is NaN in one of them alone.
    """
    gaps = [
        _gap(first, second)
        for outputs, others in zip(found, expected, strict=True)
        for first, second in _pairs(outputs, others)
    ]
    return max(gaps, default=0.0)


def agreement(found: Sequence[Feed], expected: Sequence[Feed]) -> float:
    """Return the share of rows with the same decision, from 0 to 1; 1 if there are no rows."""
    same = [
        np.all(_decisions(outputs) == _decisions(others), axis=1)
        for outputs, others in zip(found, expected, strict=True)
    ]
    return float(np.mean(np.concatenate(same))) if sum(map(len, same)) else 1.0


def _gap(found: Array, expected: Array) -> float:
    with np.errstate(invalid="ignore"):
        gap = np.abs(found.astype(np.float64) - expected)
    gap[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0.0
    return float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0))


def _pairs(outputs: Feed, others: Feed) -> Iterator[tuple[Array, Array]]:
    """Yield numbers of one output and of the other, of the same shape."""
    if VALID not in outputs:
        yield from ((outputs[name], others[name]) for name in sorted(outputs) if name != CLASSES)
        return
    for row in range(len(outputs[VALID])):
        scores, more = _scores(outputs, row), _scores(others, row)
        for name in scores.keys() | more.keys():
            first, second = scores.get(name, NO_SCORES), more.get(name, NO_SCORES)
            size = max(len(first), len(second))
            yield _padded(first, size), _padded(second, size)


def _scores(outputs: Feed, row: int) -> dict[int, Array]:
    """Return an image's scores by class, the best first."""
    count = int(outputs[VALID][row])
    classes, scores = outputs[CLASSES][row, :count], outputs[SCORES][row, :count]
    return {int(each): -np.sort(-scores[classes == each]) for each in np.unique(classes)}


def _padded(scores: Array, size: int) -> Array:
    return np.pad(scores, (0, size - len(scores)))


def _decisions(outputs: Feed) -> Array:
    """Return numbers [rows, n] that are equal if rows have the same decision."""
    if VALID not in outputs:
        best: Array = outputs[PREDICTIONS].argmax(axis=1)
        return best[:, None]
    places = np.arange(outputs[CLASSES].shape[1])
    missing = places >= outputs[VALID].reshape(-1, 1)
    found: Array = np.sort(np.where(missing, -1, outputs[CLASSES]), axis=1)
    return found
