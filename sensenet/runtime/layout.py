"""The cells that a model reads from a row: their number and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sensenet.errors import InputError
from sensenet.records import frozen
from sensenet.runtime.cells import CellReader, describe, find_repeated
from sensenet.runtime.field_cells import FieldEncoder, cell_reader, field_encoder
from sensenet.signature import CategoricalColumn, Column, Field, ImageColumn, NumericColumn, Signature

MOST_NAMES = 12
"""The most names listed in an error message."""

DELIMITERS = (";", "\t", "|", ",")
"""What separates cells in files that are called CSV."""

LONGEST_SPLIT = 10_000
"""How many characters of the name of a column are split by other delimiters."""

LONGEST_NAME = 100
"""For a longer name, no similar names are searched: that takes time."""


@frozen(kw_only=True)
class RowLayout:
    """The cells of a row; made by `row_layout`.

    A row has at least `width` cells. `fields` are the fields by which values may be given, if the document
    has them: `encoders` encode each as columns of cells, and `owners` has, for each cell, its field and its
    position among the field's cells. `readers` read the values of cells by index. `positions` maps ids, and
    names of only one field, to the field's position; `objective_names` are further allowed names, the
    objective's id and name, unless fields have them, and `ambiguous` names of several fields. `refusal`, if
    not empty, is the reason why rows cannot be given by name.
    """

    width: int
    fields: tuple[Field, ...]
    encoders: tuple[FieldEncoder, ...]
    owners: tuple[tuple[int, int], ...]
    readers: Mapping[int, CellReader]
    positions: Mapping[str, int]
    objective_names: tuple[str, ...]
    ambiguous: frozenset[str]
    refusal: str

    def describe(self, index: int) -> str:
        """Return `column 1 ("petal length")`, or without the name if it has none."""
        return _describe_cell(index, () if self.refusal else self.owners, self.fields)

    def find(self, keys: Iterable[Any]) -> dict[int, list[Any]]:
        """Return the keys of each field that is given: one, or two if both id and name are, with the id
        first.

        Raises InputError, with similar names, for a key that no field has.
        """
        if self.refusal:
            raise InputError(self.refusal)
        found: dict[int, list[Any]] = {}
        for key in keys:
            if key in self.positions:
                position = self.positions[key]
                given = found.setdefault(position, [])
                given.insert(0 if key == self.fields[position].id else len(given), key)
            elif key not in self.objective_names:
                raise self._unknown(key)
        return found

    def select(self, names: Sequence[str], keep: Sequence[str] = ()) -> list[str]:
        """Return those of a table's columns that the model reads: fields, or without these all but the kept.

        Raises InputError for a column that is neither a field nor to be kept, one that is there twice, and
        one that is to be kept and is not there.
        """
        doubled = find_repeated(names)
        if doubled is not None:
            raise InputError(f"several columns are named {describe(doubled)}: rename them")
        absent = next((name for name in keep if name not in names), None)
        if absent is not None:
            raise InputError(f"no column {absent!r} to keep; expected one of: {_list_names(names)}")
        others = [name for name in names if name not in keep]
        if not self.fields:
            return others
        self.find(others)
        return [name for name in names if name in self.positions]

    def check_header(self, names: Sequence[str], keep: Sequence[str] = ()) -> None:
        """Raise InputError for names of columns that `select` refuses, or if a row needs names to be read."""
        if self.refusal and self.width > 1:
            raise InputError(self.refusal)
        self.select(names, keep)

    def _unknown(self, key: Any) -> InputError:
        if key in self.ambiguous:
            ids = ", ".join(field.id for field in self.fields if field.name == key)
            return InputError(f"several fields are named {key!r}: use the field's id ({ids})")
        long = isinstance(key, str) and len(key) > LONGEST_NAME
        unknown = f"unknown field {key[:LONGEST_NAME]!r}…" if long else f"unknown field {describe(key)}"
        names = [field.name for field in self.fields]
        text = str(key)
        parts = [name for name in names if name.startswith(f"{text}.")]
        if parts:
            return InputError(f"{unknown}: the model reads fields derived from it: {_list_names(parts)}")
        delimiter = self.find_delimiter(text)
        if delimiter is not None:
            return InputError(f"{unknown}: these are several columns, so the delimiter is {delimiter!r}")
        candidates = {*names, *self.positions} if len(text) <= LONGEST_NAME else ()
        import difflib  # for errors alone

        close = difflib.get_close_matches(text, candidates)
        if close:
            return InputError(f"{unknown}: did you mean {' or '.join(map(repr, close))}?")
        return InputError(f"{unknown}; expected one of: {_list_names(names)}")

    def find_delimiter(self, text: str) -> str | None:
        """Return what separates names of fields in the name of a column, if it is a whole header."""
        for delimiter in DELIMITERS:
            names = text[:LONGEST_SPLIT].split(delimiter)
            if len(names) > 1 and any(name.strip(' "') in self.positions for name in names):
                return delimiter
        return None


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:MOST_NAMES])) + (", …" if len(names) > MOST_NAMES else "")


def _describe_cell(index: int, owners: Sequence[tuple[int, int]], fields: Sequence[Field]) -> str:
    if not -len(owners) <= index < len(owners):
        return f"column {index}"
    return f'column {index} ("{fields[owners[index][0]].name}")'


def row_layout(signature: Signature) -> RowLayout:
    """Return the layout of a model's rows."""
    fields = signature.fields
    count = Counter(field.name for field in fields)
    positions = {field.name: position for position, field in enumerate(fields) if count[field.name] == 1}
    positions |= {field.id: position for position, field in enumerate(fields)}
    objective = signature.objective
    of_objective = dict.fromkeys((objective.id, objective.name)) if objective else {}
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
        objective_names=tuple(name for name in of_objective if name not in positions),
        ambiguous=frozenset(name for name, times in count.items() if times > 1),
        refusal=refusal,
    )


def _columns_by_index(signature: Signature) -> dict[int, Column]:
    """Return one column for each cell index; of several, one that compares the cell as text."""
    order = (ImageColumn, NumericColumn, CategoricalColumn)
    columns = sorted(signature.columns, key=lambda column: order.index(type(column)))
    return {column.index: column for column in columns}


def _needed_cells(index: int) -> int:
    """Return the smallest length of a row that has a cell at an index, which may count from the end."""
    return index + 1 if index >= 0 else -index


def _refusal(signature: Signature, cells: int) -> str:
    if not signature.fields:
        return (
            "this model's document does not name the fields of all its cells: pass a row as a list of cells"
        )
    if any(not -cells <= column.index < cells for column in signature.columns):
        return "this model's columns do not correspond to its fields: pass a row as a list of cells"
    return ""
