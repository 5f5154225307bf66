"""The background of an explanation: the rows with which a row is compared."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from sensenet.errors import ArtifactError, InputError
from sensenet.explanation.marginals import find_marginal
from sensenet.explanation.players import Inputs, find_players, require_row_model
from sensenet.explanation.random_numbers import shuffled
from sensenet.models.deepnet import Deepnet
from sensenet.records import frozen

TYPICAL_ROWS = 64
"""The rows that are made of a document's own facts."""

MOST_ROWS = 256
"""The most rows that are used of those that are given."""


@frozen(kw_only=True, eq=False)
class Background:
    """The inputs of some rows, and where they come from: in a sentence, and for each field if rows were
    made."""

    inputs: Inputs
    source: str
    fields: Mapping[str, str]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self.inputs.values())))


def make_background(model: Deepnet, rows: Any = None, *, seed: int = 0) -> Background:
    """Return the background of given rows, at most 256 of them, or of the document's own facts.

    Of more rows, 256 are drawn, by a seed. Without rows, 64 are made: each field has 64 values, spread evenly
    over its distribution (see `sensenet.explanation.marginals`), in an order of its own, so that fields are
    independent; text, items and images are missing.

    Raises InputError for rows that the model cannot read, or none; for a model of images and no rows, as
    their pixels are unknown; ArtifactError for a model that cannot be explained by fields.
    """
    require_row_model(model)
    if rows is not None:
        return _of_rows(model, rows, seed)
    if model.signature.image_columns:
        raise InputError("this model reads images, of which nothing is known: give rows as the background")
    return _of_facts(model)


def _of_rows(model: Deepnet, rows: Any, seed: int) -> Background:
    inputs = model.encode(rows)
    found = len(next(iter(inputs.values())))
    if not found:
        raise InputError("the background has no rows: expected at least one")
    if found <= MOST_ROWS:
        return Background(inputs=inputs, source=f"{found} given rows", fields={})
    chosen = sorted(random.Random(seed).sample(range(found), MOST_ROWS))
    return Background(
        inputs={name: array[chosen] for name, array in inputs.items()},
        source=f"{MOST_ROWS} of {found} given rows, drawn at random",
        fields={},
    )


def _of_facts(model: Deepnet) -> Background:
    signature = model.signature
    players = find_players(signature)
    marginals = [
        find_marginal(
            None if player.field is None else signature.fields[player.field],
            [signature.columns[position] for position in player.columns],
        )
        for player in players
    ]
    orders = shuffled(TYPICAL_ROWS, len(players), seed=0)
    columns = [
        [values[place] for place in order]
        for values, order in zip([each.values(TYPICAL_ROWS) for each in marginals], orders, strict=True)
    ]
    if players[0].field is None:
        rows: list[Any] = [[None] * signature.row_width for _ in range(TYPICAL_ROWS)]
    else:
        rows = [{} for _ in range(TYPICAL_ROWS)]
    for player, values in zip(players, columns, strict=True):
        key: Any = player.cell if player.field is None else signature.fields[player.field].id
        for row, value in zip(rows, values, strict=True):
            row[key] = value
    return Background(
        inputs=model.encode(rows),
        source=f"{TYPICAL_ROWS} typical rows, made of what the document says of each field",
        fields={player.name: each.source for player, each in zip(players, marginals, strict=True)},
    )


def require_background(model: Deepnet, background: Any, seed: int, row: Inputs) -> Background:
    """Return a background, made of rows if it is not one already; raise ArtifactError for one of another
    model."""
    if not isinstance(background, Background):
        return make_background(model, background, seed=seed)
    if _shapes(background.inputs) != _shapes(row):
        raise ArtifactError("this background was made with another model: make it with this one")
    return background


def _shapes(inputs: Inputs) -> dict[str, tuple[int, ...]]:
    return {name: array.shape[1:] for name, array in inputs.items()}
