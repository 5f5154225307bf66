"""Contributions of the fields of one row to the model's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sensenet.errors import SettingsError
from sensenet.explanation.background import Background, require_background
from sensenet.explanation.players import Game, find_players, read_one_row, read_values, require_row_model
from sensenet.explanation.random_numbers import require_seed
from sensenet.explanation.shapley import EXACT_FIELDS, Shapley, exact_values, sampled_values
from sensenet.ir.types import Array
from sensenet.json_numbers import as_json
from sensenet.models.deepnet import Deepnet
from sensenet.records import frozen
from sensenet.suggestions import suggest

EXACT, SAMPLED = "exact", "sampled"


@frozen(kw_only=True, eq=False)
class Contributions:
    """Contributions f64[fields, outputs] to the answer for one row.

    They add up to `answer` - `expectation`, both f64[outputs]: the answer for the row, and the mean answer
    for the background. `outputs` are the classes, or the name of the objective. `values` are those of the
    row by field, None if missing, and a description of images; None if the row was neither a dict nor a list.

    `method` is exact or sampled. `standard_error` f64[fields, outputs] is that of sampled ones, else None.
    `evaluations` is how many rows the model answered.
    """

    fields: tuple[str, ...]
    values: tuple[Any, ...] | None
    outputs: tuple[str, ...]
    contributions: Array
    answer: Array
    expectation: Array
    method: str
    standard_error: Array | None
    evaluations: int
    background: Background

    @property
    def predicted(self) -> int:
        """The position of the greatest answer: that of the predicted class, or 0 of one number."""
        return int(np.argmax(np.nan_to_num(self.answer, nan=-np.inf)))

    def find_output(self, name: str | None) -> int:
        """Return the position of an output, by default the predicted one; raise SettingsError if unknown."""
        return self.predicted if name is None else find_output(self.outputs, name)

    def ranked(self, output: int) -> list[int]:
        """Return the positions of the fields, the greatest absolute contribution first."""
        return rank(self.contributions[:, output])

    def to_json(self) -> dict[str, Any]:
        """Return the contributions as a JSON object; numbers that are not finite are None."""
        error = self.standard_error
        record: dict[str, Any] = as_json(
            {
                "method": self.method,
                "evaluations": self.evaluations,
                "background": {"rows": self.background.rows, "source": self.background.source}
                | ({"fields": dict(self.background.fields)} if self.background.fields else {}),
                "answer": _by_output(self.outputs, self.answer),
                "expectation": _by_output(self.outputs, self.expectation),
                "fields": [
                    {"field": name}
                    | ({} if self.values is None else {"value": self.values[number]})
                    | {"contributions": _by_output(self.outputs, self.contributions[number])}
                    | ({} if error is None else {"standard_error": _by_output(self.outputs, error[number])})
                    for number, name in enumerate(self.fields)
                ],
            }
        )
        return record


def contributions(model: Deepnet, row: Any, background: Any = None, *, seed: int = 0) -> Contributions:
    """Return how much each field of a row contributes to the model's answer: Shapley values.

    `row` has any form that the model accepts. It is compared with a background: rows in any such form, of
    which at most 256 are used; a `Background` of `make_background`; or, if None, typical rows made of what
    the document says of its fields. Missing values are values like others. Text and items are one field each.

    Contributions are exact for up to ten fields: all sets of fields are tried. Of more fields, at least 256
    pairs of random orders are tried, drawn by `seed`; the result then has a standard error. Either way
    contributions add up. docs/explanation.md has the exact definition.

    Raises InputError for a row or background that the model cannot read, SettingsError for an invalid seed,
    ArtifactError for a model without fields to explain, LimitError for more memory than allowed.
    """
    game, found = make_game(model, row, background, seed)
    layout = model._predict.rows.layout
    exact = len(game.players) <= EXACT_FIELDS
    values = solve(game, seed)
    return Contributions(
        fields=tuple(player.name for player in game.players),
        values=read_values(row, game.players, layout),
        outputs=name_outputs(model, len(values.answer)),
        contributions=values.contributions,
        answer=values.answer,
        expectation=values.expectation,
        method=EXACT if exact else SAMPLED,
        standard_error=values.standard_error,
        evaluations=values.evaluations,
        background=found,
    )


def make_game(model: Deepnet, row: Any, background: Any, seed: int) -> tuple[Game, Background]:
    """Return the game of a row against a background, and that background; raises as `contributions` does."""
    require_row_model(model)
    require_seed(seed)
    inputs = read_one_row(model, row)
    found = require_background(model, background, seed, inputs)
    players = find_players(model.signature)
    return Game(model=model, players=players, row=inputs, background=found.inputs), found


def solve(game: Game, seed: int) -> Shapley:
    """Return the Shapley values of a game: exact ones if there are few fields."""
    return exact_values(game) if len(game.players) <= EXACT_FIELDS else sampled_values(game, seed)


def name_outputs(model: Deepnet, count: int) -> tuple[str, ...]:
    """Return the names of a model's outputs: its classes, or that of the objective."""
    if len(model.classes) == count:
        return model.classes
    objective = model.signature.objective
    name = objective.name if objective else "prediction"
    return (name,) if count == 1 else tuple(f"{name} {number}" for number in range(count))


def find_output(outputs: Sequence[str], name: str) -> int:
    """Return the position of an output by name; raise SettingsError, with similar names, if unknown."""
    if name in outputs:
        return outputs.index(name)
    known = ", ".join(map(repr, outputs[:12])) + ", …" * (len(outputs) > 12)
    raise SettingsError(f"unknown class {name!r:.60}; {suggest(name, outputs)}expected one of: {known}")


def rank(numbers: Array) -> list[int]:
    """Return positions by absolute value, the greatest first, NaN last."""
    return [int(each) for each in np.argsort(-np.nan_to_num(np.abs(numbers), nan=-1.0), kind="stable")]


def _by_output(outputs: Sequence[str], numbers: Array) -> dict[str, float]:
    return dict(zip(outputs, numbers.tolist(), strict=True))
