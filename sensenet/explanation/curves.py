"""What-if curves: how the answer changes with one field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from sensenet.errors import InputError, InputTypeError
from sensenet.explanation.attribution import make_game, name_outputs
from sensenet.explanation.marginals import find_marginal
from sensenet.explanation.players import Game, Player, plain_value, read_values
from sensenet.ir.types import Array
from sensenet.json_numbers import as_json
from sensenet.models.deepnet import Deepnet
from sensenet.records import frozen
from sensenet.runtime.cells import describe
from sensenet.signature import CategoricalColumn, Field, ImageColumn, Items, NumericColumn, Terms

POINTS = 41
"""The numbers between the least and the greatest value of a field."""

MOST_TERMS = 30
"""The most terms of a text, or items, that are tried."""

RANGES = 256
"""The parts of a distribution whose first and last middles are its range, if that is unknown."""


@frozen(kw_only=True, eq=False)
class Curve:
    """The answers f64[values, outputs] for a row with other values of one field, and their mean for others.

    `average` f64[values, outputs] is the mean answer for the background rows with that value (the partial
    dependence). `values` are numbers in increasing order if `numeric`, else categories, terms or items; the
    last is None: missing. `given` is the row's own value, None if missing or unknown, and `answer`
    f64[outputs] the row's own answer.
    """

    field: str
    numeric: bool
    values: tuple[Any, ...]
    given: Any
    outputs: tuple[str, ...]
    answer: Array
    answers: Array
    average: Array

    def to_json(self) -> dict[str, Any]:
        """Return the curve as a JSON object; numbers that are not finite are None."""

        def points(answers: Array) -> dict[str, list[float]]:
            return dict(zip(self.outputs, answers.T.tolist(), strict=True))

        record: dict[str, Any] = as_json(
            {
                "field": self.field,
                "given": self.given,
                "values": list(self.values),
                "answers": points(self.answers),
                "average": points(self.average),
            }
        )
        return record


def what_if(
    model: Deepnet,
    row: Any,
    field: str,
    background: Any = None,
    *,
    values: Sequence[Any] | None = None,
    seed: int = 0,
) -> Curve:
    """Return the answers for a row with other values of one field, given by its name or id.

    Without `values`, 41 numbers are tried between the least and the greatest of training, or in the field's
    distribution as far as the document says; or all categories, or up to 30 terms or items, each alone. A
    missing value is always tried, last. `background` and the errors raised are those of `contributions`;
    InputError also for an unknown field, an image, or values that the model cannot read.
    """
    if not isinstance(field, str):
        raise InputTypeError(f"expected the name or id of a field, found {describe(field)}")
    if values is not None and not isinstance(values, list | tuple):
        raise InputTypeError(f"expected a list of values, found {describe(values)}")
    game, _ = make_game(model, row, background, seed)
    player = _find_player(model, game.players, field)
    columns = [model.signature.columns[position] for position in player.columns]
    known = None if player.field is None else model.signature.fields[player.field]
    if any(isinstance(column, ImageColumn) for column in columns):
        raise InputError(f"the field {player.name!r} is an image: choose one of numbers, categories or text")
    numeric = isinstance(columns[0], NumericColumn) and not (
        known and isinstance(known.encoding, Terms | Items)
    )
    given = read_values(row, (player,), model._predict.rows.layout)
    chosen = list(_find_values(known, columns, numeric) if values is None else values)
    tried = [*(value for value in chosen if value is not None), None]
    encoded = model.encode([_make_row(model, player, known, value) for value in tried])
    rows = {name: np.concatenate([game.row[name], others]) for name, others in game.background.items()}
    answers = [
        _replace_one(attrs.evolve(game, row=_one(encoded, number), background=rows), player)
        for number in range(len(tried))
    ]
    own = game.answers(np.ones((1, len(game.players)), bool), np.zeros(1, int))[0]
    return Curve(
        field=player.name,
        numeric=numeric,
        values=tuple(map(plain_value, tried)),
        given=given[0] if given else None,
        outputs=name_outputs(model, len(own)),
        answer=own,
        answers=np.array([each[0] for each in answers]),
        average=np.array([each[1:].mean(axis=0) for each in answers]),
    )


def _one(inputs: Any, number: int) -> dict[str, Array]:
    return {name: array[number : number + 1] for name, array in inputs.items()}


def _replace_one(game: Game, player: Player) -> Array:
    """Return f64[rows, outputs]: the answers for all background rows with one field of the row."""
    rows = game.background_rows
    given = np.array([each is player for each in game.players])
    return game.answers(np.tile(given, (rows, 1)), np.arange(rows))


def _find_player(model: Deepnet, players: Sequence[Player], name: str) -> Player:
    """Return the field of a name or an id; raise InputError, with similar names, for any other."""
    layout = model._predict.rows.layout
    found = next((each for each in players if each.name == name), None)
    if found is not None:
        return found
    (position,) = layout.find([name]) or [None]
    read = next((each for each in players if each.field == position and position is not None), None)
    if read is None:
        raise InputError(f"the model does not read the field {name!r}")
    return read


def _find_values(field: Field | None, columns: Sequence[Any], numeric: bool) -> list[Any]:
    """Return the values of a field that are worth a try."""
    if field and isinstance(field.encoding, Terms):
        return list(field.encoding.terms[:MOST_TERMS])
    if field and isinstance(field.encoding, Items):
        return list(field.encoding.items[:MOST_TERMS])
    if not numeric:
        (column, *_) = columns
        assert isinstance(column, CategoricalColumn)
        return [value for value in dict.fromkeys(column.values) if value is not None]
    least, greatest = sorted(_find_range(field, columns))
    return [float(value) for value in np.linspace(least, greatest, POINTS if least < greatest else 1)]


def _find_range(field: Field | None, columns: Sequence[Any]) -> tuple[float, float]:
    """Return the least and the greatest value of a number; raise InputError if nothing is known."""
    summary = field.summary if field else None
    if summary and summary.minimum is not None and summary.maximum is not None:
        return summary.minimum, summary.maximum
    typical = [value for value in find_marginal(field, columns).values(RANGES) if value is not None]
    if not typical:
        raise InputError("the document does not say which values the field has: give values")
    return min(typical), max(typical)


def _make_row(model: Deepnet, player: Player, field: Field | None, value: Any) -> Any:
    """Return a row that has one value only."""
    if field is not None:
        return {field.id: value}
    cells = [None] * model.signature.row_width
    cells[player.cell] = value
    return cells
