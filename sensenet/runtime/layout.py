"""What a model reads from a row: how many cells, and what they are called."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from sensenet.errors import InputError
from sensenet.runtime.cells import CellReader, describe
from sensenet.runtime.field_cells import FieldEncoder, cell_reader, field_encoder
from sensenet.signature import CategoricalColumn, Column, Field, ImageColumn, NumericColumn, Signature

MOST_NAMES = 12
"""As many names are listed in an error message."""

LONGEST_NAME = 100
"""Names that are close to a longer one are not looked for: that takes time."""


@frozen(kw_only=True)
class RowLayout:
    """The cells of a row; made by `row_layout`.

    A row has at least `width` cells. `fields` are what their values may be given by, where the document tells
    them: `encoders` make the columns of cells of each, and `owners` says of each cell which field it belongs
    to, and which of the field's cells it is. `readers` read the values of the cells that the columns have as
    their index. `positions` maps ids, and names that only one field has, to the
    field's position; `others` are names that a row may have besides (the objective's), and `ambiguous` those
    of several fields. `refusal`, where not empty, says why no row can be given by name.
    """

    width: int
    fields: tuple[Field, ...]
    encoders: tuple[FieldEncoder, ...]
    owners: tuple[tuple[int, int], ...]
    readers: Mapping[int, CellReader]
    positions: Mapping[str, int]
    others: frozenset[str]
    ambiguous: frozenset[str]
    refusal: str

    def describe(self, index: int) -> str:
        """`column 1 ("petal length")`, or without the name if it has none."""
        return _describe_cell(index, () if self.refusal else self.owners, self.fields)

    def find(self, keys: Iterable[Any]) -> dict[int, list[Any]]:
        """For each field that is given, its key; two where both id and name are there, the id first.

        Raises InputError for a key that no field has, with the names that are close to it.
        """
        if self.refusal:
            raise InputError(self.refusal)
        found: dict[int, list[Any]] = {}
        for key in keys:
            if key in self.positions:
                position = self.positions[key]
                given = found.setdefault(position, [])
                given.insert(0 if key == self.fields[position].id else len(given), key)
            elif key not in self.others:
                raise self._unknown(key)
        return found

    def _unknown(self, key: Any) -> InputError:
        if key in self.ambiguous:
            ids = ", ".join(field.id for field in self.fields if field.name == key)
            return InputError(f"several fields are named {key!r}: give the field's id ({ids})")
        long = isinstance(key, str) and len(key) > LONGEST_NAME
        unknown = (
            f"there is no field {key[:LONGEST_NAME]!r}…" if long else f"there is no field {describe(key)}"
        )
        names = [field.name for field in self.fields]
        text = str(key)
        parts = [name for name in names if name.startswith(f"{text}.")]
        if parts:
            return InputError(f"{unknown}, but what was made of it: give {_list_names(parts)}")
        candidates = {*names, *self.positions} if len(text) <= LONGEST_NAME else ()
        close = difflib.get_close_matches(text, candidates)
        if close:
            return InputError(f"{unknown}: did you mean {' or '.join(map(repr, close))}?")
        return InputError(f"{unknown}; there are: {_list_names(names)}")


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:MOST_NAMES])) + (", …" if len(names) > MOST_NAMES else "")


def _describe_cell(index: int, owners: Sequence[tuple[int, int]], fields: Sequence[Field]) -> str:
    if not -len(owners) <= index < len(owners):
        return f"column {index}"
    return f'column {index} ("{fields[owners[index][0]].name}")'


def row_layout(signature: Signature) -> RowLayout:
    """The layout of a model's rows."""
    fields = signature.fields
    count = Counter(field.name for field in fields)
    positions = {field.name: position for position, field in enumerate(fields) if count[field.name] == 1}
    positions |= {field.id: position for position, field in enumerate(fields)}
    objective = signature.objective
    others = {objective.id, objective.name} if objective else set()
    owners = tuple(
        (position, offset) for position, field in enumerate(fields) for offset in range(len(field.cell_names))
    )
    refusal = _refusal(signature, len(owners))
    named = () if refusal else owners
    return RowLayout(
        width=max((_needed_cells(column.index) for column in signature.columns), default=0),
        fields=fields,
        encoders=tuple(field_encoder(field, frozenset(signature.missing_tokens)) for field in fields),
        owners=owners,
        readers={
            index: cell_reader(column, _describe_cell(index, named, fields))
            for index, column in _columns_by_index(signature).items()
        },
        positions=positions,
        others=frozenset(others - positions.keys()),
        ambiguous=frozenset(name for name, times in count.items() if times > 1),
        refusal=refusal,
    )


def _columns_by_index(signature: Signature) -> dict[int, Column]:
    """One column for each index of a cell; of several, one that compares the cell as text."""
    order = (ImageColumn, NumericColumn, CategoricalColumn)
    columns = sorted(signature.columns, key=lambda column: order.index(type(column)))
    return {column.index: column for column in columns}


def _needed_cells(index: int) -> int:
    """The length of a row in which an index, maybe one from the end, finds a cell."""
    return index + 1 if index >= 0 else -index


def _refusal(signature: Signature, cells: int) -> str:
    if not signature.fields:
        return (
            "this model's document does not name the fields of all its cells: give a row as a list of cells"
        )
    if any(not -cells <= column.index < cells for column in signature.columns):
        return "this model's columns are not its fields, one by one: give a row as a list of cells"
    return ""
