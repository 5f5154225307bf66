"""How important fields are for a model: by shuffling their values, or by their contributions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.errors import InputError, InputTypeError, SettingsError
from sensenet.explanation.attribution import name_outputs, rank, solve
from sensenet.explanation.background import require_background
from sensenet.explanation.players import (
    Game,
    find_players,
    mix_inputs,
    require_row_model,
    rows_at_once,
)
from sensenet.explanation.random_numbers import require_seed
from sensenet.ir.types import Array
from sensenet.json_numbers import as_json
from sensenet.models.deepnet import Deepnet
from sensenet.records import frozen
from sensenet.runtime.cells import describe, is_missing, read_class
from sensenet.runtime.field_cells import UNREADABLE

REPEATS = 10

EXPLAINED_ROWS = 100
"""The rows whose contributions are averaged."""

ACCURACY, R_SQUARED, CONTRIBUTION = "accuracy", "R²", "mean |contribution|"


@frozen(kw_only=True, eq=False)
class Importance:
    """The importance f64[fields] of each field, with its standard error f64[fields].

    `measure` is accuracy or R², by how much it falls if the field is shuffled, from `score` without that; or
    the mean absolute contribution, without a score. `rows` and `repeats` are how many were used: the standard
    error is over the repeats, or over the rows.
    """

    fields: tuple[str, ...]
    importance: Array
    standard_error: Array
    measure: str
    score: float | None
    rows: int
    repeats: int

    def ranked(self) -> list[int]:
        """Return the positions of the fields, the most important first."""
        return rank(self.importance)

    def to_json(self) -> dict[str, Any]:
        """Return the importance as a JSON object; numbers that are not finite are None."""
        record: dict[str, Any] = as_json(
            {
                "measure": self.measure,
                "score": self.score,
                "rows": self.rows,
                "repeats": self.repeats,
                "fields": [
                    {
                        "field": self.fields[number],
                        "importance": float(self.importance[number]),
                        "standard_error": float(self.standard_error[number]),
                    }
                    for number in self.ranked()
                ],
            }
        )
        return record


def permutation_importance(
    model: Deepnet, rows: Any, truth: Sequence[Any], *, repeats: int = REPEATS, seed: int = 0
) -> Importance:
    """Return how much worse a model answers if the values of one field are shuffled among the rows.

    `truth` has the true class of each row, as text, or the true number. The measure is accuracy for classes,
    R² for numbers. Each field is shuffled `repeats` times, by `seed`. A field whose values another field
    has too may seem unimportant, as the model can still read them there.

    Raises InputError for rows or truths that cannot be read, SettingsError for fewer than two repeats or an
    invalid seed, ArtifactError for a model without fields to explain.
    """
    require_row_model(model)
    generator = random.Random(require_seed(seed))
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 2:
        raise SettingsError(f"expected two repeats or more, found {repeats!r:.60}")
    inputs = model.encode(rows)
    count = len(next(iter(inputs.values())))
    measure = _make_measure(model, truth, count)
    score = measure(model.answer_inputs(inputs))
    players = find_players(model.signature)
    game = Game(model=model, players=players, row=inputs, background=inputs)
    drops = np.empty((len(players), repeats))
    for number in range(len(players)):
        kept = np.arange(len(players))[None] != number
        for repeat in range(repeats):
            order = np.array(generator.sample(range(count), count))
            drops[number, repeat] = score - measure(_answer_moved(game, order, kept))
    return Importance(
        fields=tuple(player.name for player in players),
        importance=drops.mean(axis=1),
        standard_error=drops.std(axis=1, ddof=1) / np.sqrt(repeats),
        measure=ACCURACY if model.classes else R_SQUARED,
        score=score,
        rows=count,
        repeats=repeats,
    )


def _answer_moved(game: Game, order: Array, kept: Array) -> Array:
    """Return the answers for rows with their own values of the fields in `kept`, bool[1, players], and those
    of the rows in `order` elsewhere."""
    parts = []
    at_once = rows_at_once(game.row)
    for start in range(0, len(order), at_once):
        part = slice(start, start + at_once)
        own = {name: array[part] for name, array in game.row.items()}
        moved = {name: array[order[part]] for name, array in game.background.items()}
        parts.append(game.model.answer_inputs(mix_inputs(own, moved, kept, game.players)))
    return np.concatenate(parts)


def _make_measure(model: Deepnet, truth: Sequence[Any], rows: int) -> Callable[[Array], float]:
    """Return the function that scores answers f32[rows, outputs]; raise InputError for truths that do not
    fit."""
    if isinstance(truth, str | bytes | Mapping) or not isinstance(truth, Iterable):
        raise InputTypeError(f"expected a list of true values, found {describe(truth)}")
    truths = list(truth)
    if len(truths) != rows:
        raise InputError(f"expected a true value for each of {rows} rows, found {len(truths)}")
    if not rows:
        raise InputError("expected rows with true values, found none")
    if model.classes:
        codes = {name: code for code, name in enumerate(model.classes)}
        absent = next((row for row, value in enumerate(truths) if is_missing(value)), None)
        if absent is not None:
            raise InputError(f"row {absent}: expected a true class, found none: leave out rows without one")
        wanted = np.array([codes.get(_as_class(value, row, codes), -1) for row, value in enumerate(truths)])
        if (wanted < 0).all():
            known = ", ".join(map(repr, model.classes[:6])) + ", …" * (len(model.classes) > 6)
            raise InputError(f"the true value {describe(truths[0])} is not a class; expected one of: {known}")
        return lambda answers: float(np.mean(answers.argmax(axis=1) == wanted))
    numbers = np.array([_as_number(value, row) for row, value in enumerate(truths)])
    spread = float(((numbers - numbers.mean()) ** 2).sum())
    if not spread:
        raise InputError("all true values are the same number: R² needs different ones")
    return lambda answers: float(1 - ((answers[:, 0] - numbers) ** 2).sum() / spread)


def _as_class(value: Any, row: int, known: Mapping[str, int]) -> str:
    try:
        return read_class(value, known)
    except UNREADABLE as error:
        raise InputError(f"row {row}: expected the name of a true class, found {describe(value)}") from error


def _as_number(value: Any, row: int) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise InputError(f"row {row}: expected a true number, found {describe(value)}")
    return number


def mean_contributions(
    model: Deepnet, rows: Any, background: Any = None, *, output: int | None = None, seed: int = 0
) -> Importance:
    """Return the mean absolute contribution of each field over rows, of which at most 100 are drawn.

    It needs no true values. `output` is the position of the class in question; without it, contributions to
    all classes are averaged. `background` and the errors raised are those of `contributions`.
    """
    require_row_model(model)
    generator = random.Random(require_seed(seed))
    inputs = model.encode(rows)
    count = len(next(iter(inputs.values())))
    if not count:
        raise InputError("expected rows to explain, found none")
    chosen = sorted(generator.sample(range(count), min(count, EXPLAINED_ROWS)))
    found = require_background(model, background, seed, inputs)
    players = find_players(model.signature)
    means = []
    for row in chosen:
        own = {name: array[row : row + 1] for name, array in inputs.items()}
        game = Game(model=model, players=players, row=own, background=found.inputs)
        sizes = np.abs(solve(game, seed).contributions)
        means.append(sizes.mean(axis=1) if output is None else sizes[:, output])
    one = len(means) == 1
    errors = np.full(len(players), np.nan) if one else np.std(means, axis=0, ddof=1) / np.sqrt(len(means))
    outputs = name_outputs(model, model.answer_shape()[0])
    return Importance(
        fields=tuple(player.name for player in players),
        importance=np.mean(means, axis=0),
        standard_error=errors,
        measure=CONTRIBUTION if output is None else f"{CONTRIBUTION} to {outputs[output]}",
        score=None,
        rows=len(chosen),
        repeats=1,
    )
