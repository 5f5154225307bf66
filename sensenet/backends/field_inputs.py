"""The fields of a row as inputs of a file that encodes them itself, each with a name of its own.

| field | input |
|---|---|
| number | a number |
| text or items | numbers: the count of each of its n terms |
| category | a text |
| image | an image |
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from sensenet.records import frozen
from sensenet.signature import Booleans, CategoricalColumn, Column, Field, Number, Signature

UNKNOWN = -1
"""The code of a text that is not a category."""

WHOLE = re.compile(r"[-+]?\d+")
"""A category that is a whole number, which may also be written as 1.0."""

NameInputs = Callable[[Iterable[tuple[str, int]]], Iterable[str]]
"""Returns a name for each field, given its name in the document and the position of its first cell."""


@frozen
class FieldInput:
    """An input: its name, its field, or else its cell alone, the first of its cells, and who reads it."""

    name: str
    field: Field | None
    cell: int
    width: int
    columns: tuple[Column, ...]

    @property
    def number(self) -> Number | None:
        """How the field of a number replaces or flags missing ones, if it does."""
        encoding = self.field.encoding if self.field else None
        return encoding if isinstance(encoding, Number) else None


def find_field_inputs(signature: Signature, name_inputs: NameInputs) -> tuple[FieldInput, ...]:
    """Return the inputs of a model's fields, in the order of the row.

    A field that columns of two types read becomes two inputs; a cell without a field is an input by itself.
    """
    owners = list(_owners(signature))
    readers: dict[tuple[int, type[Column]], list[Column]] = {}
    for column in signature.columns:
        _, first, _ = owners[column.index % len(owners)]
        readers.setdefault((first, type(column)), []).append(column)
    ordered = sorted(readers.items(), key=lambda item: item[0][0])
    fields = [owners[first] for (first, _), _ in ordered]
    names = name_inputs((field.name if field else "", first) for field, first, _ in fields)
    return tuple(
        FieldInput(name, field, first, width, tuple(columns))
        for name, (field, first, width), (_, columns) in zip(names, fields, ordered, strict=True)
    )


def _owners(signature: Signature) -> Iterator[tuple[Field | None, int, int]]:
    """Yield, for each cell of a row, its field, the first cell of that, and how many it has."""
    first = 0
    for field in signature.fields:
        width = len(field.cell_names)
        yield from [(field, first, width)] * width
        first += width
    for cell in range(first, signature.row_width):
        yield None, cell, 1


def category_codes(signature: Signature, field: Field | None, column: CategoricalColumn) -> dict[str, int]:
    """Return the code of each text that is a category, as a value by name is read; others are unknown."""
    codes = column.codes
    missing = codes.get(str(None), UNKNOWN)
    if field is None:
        return codes
    if isinstance(field.encoding, Booleans):
        for word, category in (("true", field.encoding.true), ("false", field.encoding.false)):
            for letters in itertools.product(*((letter, letter.upper()) for letter in word)):
                codes.setdefault("".join(letters), codes.get(category, UNKNOWN))
    for text in filter(WHOLE.fullmatch, column.codes):
        codes.setdefault(f"{text}.0", codes[text])
    return codes | dict.fromkeys(signature.missing_tokens, missing)
