"""Shapley values of the players of a game: exact, or estimated from random orders.

The value of a set S of fields is the mean answer for rows with the row's own values in S, and those of a
background row elsewhere, over all background rows: v(S) = mean_b f(x_S, b_elsewhere). The contribution of a
field is how much adding it changes the value, averaged over all orders in which the fields may be added. So
contributions add up to v(all) - v(none): the answer, without the mean answer for the background.
"""

from __future__ import annotations

import math

import numpy as np

from sensenet.explanation.players import Game
from sensenet.explanation.random_numbers import shuffled
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.records import frozen

EXACT_FIELDS = 10
"""The most fields for which all sets of them are tried: 2¹⁰ for each background row."""

LEAST_PAIRS = 256
"""The least pairs of orders that are drawn, if there are more fields."""

SETS_AT_ONCE = 64

MASK_BYTES = 1 << 26
"""The most bytes that say which fields are given in the orders that are tried together."""


@frozen(kw_only=True, eq=False)
class Shapley:
    """Contributions f64[players, outputs], which add up to `answer` - `expectation`, both f64[outputs].

    `standard_error`, f64[players, outputs], is that of an estimate, from which orders happened to be drawn;
    None if contributions are exact. `evaluations` is how many rows the model answered.
    """

    contributions: Array
    answer: Array
    expectation: Array
    standard_error: Array | None
    evaluations: int


def exact_values(game: Game) -> Shapley:
    """Return φ_j = Σ_S |S|! (M - |S| - 1)! / M! · (v(S ∪ j) - v(S)), over all sets S without j."""
    count = len(game.players)
    sets = np.arange(1 << count)
    given = (sets[:, None] >> np.arange(count) & 1).astype(bool)
    parts = [game.values(given[start : start + SETS_AT_ONCE]) for start in range(0, len(sets), SETS_AT_ONCE)]
    values = np.concatenate(parts)
    weights = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)])
    contributions = []
    for player in range(count):
        without = sets[~given[:, player]]
        weight = weights[given[without].sum(axis=1)][:, None]
        contributions.append((weight * (values[without | 1 << player] - values[without])).sum(axis=0))
    return Shapley(
        contributions=np.array(contributions),
        answer=values[-1],
        expectation=values[0],
        standard_error=None,
        evaluations=len(sets) * game.background_rows,
    )


def pairs_per_row(background_rows: int) -> int:
    """Return how many pairs of orders each background row gets: at least two, and LEAST_PAIRS in all."""
    return max(2, math.ceil(LEAST_PAIRS / background_rows))


def sampled_values(game: Game, seed: int) -> Shapley:
    """Return contributions estimated from random orders, each tried forwards and backwards.

    Every background row gets as many pairs of orders, so that contributions add up exactly. The standard
    error is that of a mean of strata, one a background row: sqrt(Σ_b s_b² / pairs) / rows.
    """
    count, rows = len(game.players), game.background_rows
    pairs = pairs_per_row(rows)
    at_once = max(MASK_BYTES // (2 * count * (count + 1)), 1)
    means, variances = [], []
    for row in range(rows):
        starts = range(row * pairs, (row + 1) * pairs, at_once)
        parts = [
            _try_pairs(game, shuffled(count, min(at_once, (row + 1) * pairs - start), seed, start), row)
            for start in starts
        ]
        changes = np.concatenate(parts)
        means.append(changes.mean(axis=0))
        variances.append(changes.var(axis=0, ddof=1))
    expectation, answer = game.values(np.array([[False] * count, [True] * count]))
    return Shapley(
        contributions=np.mean(means, axis=0),
        answer=answer,
        expectation=expectation,
        standard_error=np.sqrt(np.sum(variances, axis=0) / pairs) / rows,
        evaluations=rows * pairs * 2 * (count + 1),
    )


def _try_pairs(game: Game, forward: Array, row: int) -> Array:
    """Return how much each field changes the answer, f64[pairs, players, outputs].

    Fields are added one by one to a background row, in each of the orders `forward` and in its reverse, whose
    mean it is.
    """
    orders = np.concatenate([forward, forward[:, ::-1]])
    count = orders.shape[1]
    ranks = np.argsort(orders, axis=1)
    given = ranks[:, None, :] < np.arange(count + 1)[:, None]  # orders, numbers of fields added, players
    answers = game.answers(given.reshape(-1, count), np.full(len(orders) * (count + 1), row))
    require_memory(3 * answers.nbytes, f"explaining {count} fields and {answers.shape[1]} outputs")
    steps = np.diff(answers.reshape(len(orders), count + 1, -1), axis=1)
    changes = np.take_along_axis(steps, ranks[:, :, None], axis=1)
    halves: Array = (changes[: len(forward)] + changes[len(forward) :]) / 2
    return halves
