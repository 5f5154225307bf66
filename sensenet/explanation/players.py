"""The players of a model: the fields that it reads, each with its part of the network's inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.errors import ArtifactError, InputError
from sensenet.ir.types import Array
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.records import frozen
from sensenet.runtime.cells import describe, is_missing
from sensenet.runtime.layout import RowLayout, row_layout
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, ImageColumn, ModelKind, Signature

Inputs = Mapping[str, Array]
"""The inputs of the network for some rows, by name: see `RowModel.encode`."""

MIXED_BYTES = 1 << 26
"""The most bytes of inputs that are mixed together."""

MIXED_ROWS = 1 << 16
"""The most rows that are."""


@frozen(kw_only=True)
class Player:
    """A field, or without names of fields a cell: its name, and the columns that it fills.

    `field` is its position among the signature's fields, None for a cell. It has so many `cells` of a row,
    the first at the position `cell`. `columns` are positions in `numeric_inputs`, `images` positions among a
    row's images.
    """

    name: str
    field: int | None
    cell: int
    cells: int
    columns: tuple[int, ...]
    images: tuple[int, ...]


def find_players(signature: Signature) -> tuple[Player, ...]:
    """Return the fields that a model reads, in order, or without names of fields the cells."""
    layout = row_layout(signature)
    owned: dict[int, tuple[list[int], list[int]]] = {}
    images = 0
    for position, column in enumerate(signature.columns):
        cell = column.index % signature.row_width
        columns, pixels = owned.setdefault(cell if layout.refusal else layout.owners[cell][0], ([], []))
        columns.append(position)
        if isinstance(column, ImageColumn):
            pixels.append(images)
            images += 1
    keys = signature.field_keys
    starts = {field: cell for cell, (field, offset) in enumerate(layout.owners) if offset == 0}
    return tuple(
        Player(
            name=layout.describe(owner) if layout.refusal else keys[owner],
            field=None if layout.refusal else owner,
            cell=owner if layout.refusal else starts[owner],
            cells=1 if layout.refusal else len(signature.fields[owner].cell_names),
            columns=tuple(columns),
            images=tuple(pixels),
        )
        for owner, (columns, pixels) in sorted(owned.items())
    )


def require_row_model(model: Any) -> Deepnet:
    """Return a model whose fields can be explained; raise ArtifactError for any other.

    That is one that predicts classes or numbers, and does not read an image alone.
    """
    if isinstance(model, ObjectDetector):
        raise ArtifactError("a detector reads an image, not fields: use occlusion_map")
    found = require_deepnet(model)
    if len(found.signature.columns) == len(found.signature.image_columns) == 1:
        raise ArtifactError("this model reads one image, not fields: use occlusion_map")
    if not found.signature.columns:
        raise ArtifactError("this model reads no fields: its answer is always the same")
    return found


def require_deepnet(model: Any) -> Deepnet:
    """Return a model that predicts classes or numbers; raise ArtifactError for any other."""
    if not isinstance(model, Deepnet):
        raise ArtifactError(f"expected a model of create_model, found {type(model).__name__}")
    if model.signature.kind is ModelKind.EXTRACTOR:
        raise ArtifactError("a feature extractor predicts nothing that can be explained: use its model")
    return model


def read_one_row(model: Deepnet, row: Any) -> dict[str, Array]:
    """Return the inputs of one row; raise InputError for several rows, or what the model cannot read."""
    inputs = model.encode(row)
    rows = len(next(iter(inputs.values())))
    if rows != 1:
        raise InputError(f"expected one row to explain, found {rows}")
    return inputs


def read_values(row: Any, players: tuple[Player, ...], layout: RowLayout) -> tuple[Any, ...] | None:
    """Return the `plain_value` of each player in a row; None for a row that is neither a dict nor a list."""
    if isinstance(row, list | tuple) and len(row) == 1 and isinstance(row[0], Mapping | list | tuple):
        (row,) = row
    if isinstance(row, Mapping):
        found = layout.find(row)
        values = [row[found[each.field][0]] if each.field in found else None for each in players]
    elif isinstance(row, list | tuple):
        values = [row[each.cell] if each.cells == 1 else f"{each.cells} cells" for each in players]
    else:
        return None
    return tuple(map(plain_value, values))


def plain_value(value: Any) -> Any:
    """Return a value as text, a number or a boolean, None if it is missing; a description of any other."""
    if is_missing(value):
        return None
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return str(plain)
    return plain if isinstance(plain, str | int | float) else describe(plain)


def mix_inputs(rows: Inputs, others: Inputs, given: Array, players: Sequence[Player]) -> dict[str, Array]:
    """Return the inputs of rows, or of one, with some fields of other rows.

    `given` bool[rows, players] says which fields are those of `rows`.
    """
    return {name: _mix(name, rows[name], others[name], given, players) for name in rows}


def _mix(name: str, rows: Array, others: Array, given: Array, players: Sequence[Player]) -> Array:
    parts = "columns" if name == NUMERIC_INPUT else "images"
    owners = {part: number for number, each in enumerate(players) for part in getattr(each, parts)}
    mask = given[:, [owners[part] for part in sorted(owners)]]
    alone = name == PIXEL_INPUT and len(owners) == 1  # then without the axis of images
    axes = 1 if alone else 2
    return np.where(mask.reshape(*mask.shape[:axes], *[1] * (rows.ndim - axes)), rows, others)


def rows_at_once(inputs: Inputs) -> int:
    """Return how many rows of inputs are mixed together."""
    size = sum(array[:1].nbytes for array in inputs.values())
    return max(min(MIXED_BYTES // max(size, 1), MIXED_ROWS), 1)


@frozen(kw_only=True, eq=False)
class Game:
    """Answers for rows that are mixed of a row and of background rows."""

    model: Deepnet
    players: tuple[Player, ...]
    row: Inputs
    background: Inputs

    @property
    def background_rows(self) -> int:
        """The number of background rows."""
        return len(next(iter(self.background.values())))

    def answers(self, given: Array, chosen: Array) -> Array:
        """Return f64[rows, outputs], the answers for mixed rows.

        `given` bool[rows, players] says which fields are the row's; the others are those of the background
        row at the position in `chosen` i[rows].
        """
        at_once = rows_at_once(self.row)
        parts = []
        for start in range(0, len(given), at_once):
            part = slice(start, start + at_once)
            others = {name: array[chosen[part]] for name, array in self.background.items()}
            parts.append(self.model.answer_inputs(mix_inputs(self.row, others, given[part], self.players)))
        answers = np.concatenate(parts)
        return answers.reshape(len(answers), -1).astype(np.float64)

    def values(self, given: Array) -> Array:
        """Return f64[sets, outputs]: for each set of given fields, the mean answer over the background."""
        rows = self.background_rows
        answers = self.answers(np.repeat(given, rows, axis=0), np.tile(np.arange(rows), len(given)))
        means: Array = answers.reshape(len(given), rows, -1).mean(axis=1)
        return means
