"""From values given under a field's name to the columns of cells that the field stands for.

The value may be one of the signature's missing tokens, which are texts that count as None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.fields import Booleans, Field, Items, Number, Terms
from sensenet.ir.types import Array
from sensenet.runtime.terms import Counter, count_items, count_terms

Cells = list[Any] | Array
"""A column: a list, or a 1-D array."""

FieldEncoder = Callable[[Cells], Sequence[Cells]]
"""From the values of all rows to the columns; raises InputError, naming the row, for one it can't read."""

READ_AS_TEXT = (str, int, float, np.generic)
"""Types of values that a text field takes: of a number, what `str` makes of it."""


def field_encoder(field: Field, missing_tokens: frozenset[str]) -> FieldEncoder:
    """The encoder of a field; what it needs is made at first use, and may raise InputError then."""
    encode = _encoder(field)
    return lambda values: encode(_without_tokens(values, missing_tokens))


def _encoder(field: Field) -> FieldEncoder:
    match field.encoding:
        case Terms() as terms:
            return partial(_encode_texts, cache(partial(count_terms, terms)), len(terms.terms), field)
        case Items() as items:
            return partial(_encode_texts, cache(partial(count_items, items)), len(items.items), field)
        case Number() as number:
            return partial(_encode_numbers, number)
        case Booleans() as booleans:
            return partial(_encode_booleans, booleans)
        case _:
            return lambda values: (values,)


def _without_tokens(values: Cells, tokens: frozenset[str]) -> Cells:
    if not tokens or (isinstance(values, np.ndarray) and values.dtype.kind in "biuf"):
        return values
    return [None if isinstance(value, str) and value in tokens else value for value in values]


def _encode_texts(
    make_counter: Callable[[], Counter], width: int, field: Field, values: Cells
) -> Sequence[Cells]:
    """f32[rows] of each term; nothing occurs in a text that is missing."""
    counts = np.zeros((len(values), width), np.float32)
    for row, value in enumerate(values):
        if value is None:
            continue
        where = f'row {row}, field "{field.name}"'
        if not isinstance(value, READ_AS_TEXT):
            raise InputError(f"{where}: expected text, found an object of type {type(value).__name__}")
        try:
            counts[row] = make_counter()(str(value))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    return list(counts.T)


def _encode_numbers(encoding: Number, values: Cells) -> Sequence[Cells]:
    numbers = [_strip_affixes(value, encoding) for value in values]
    missing = [number is None for number in numbers]
    if encoding.default is not None:
        numbers = [encoding.default if number is None else number for number in numbers]
        missing = [False] * len(numbers)
    if not encoding.flags_missing:
        return (numbers,)
    return [0.0 if number is None else number for number in numbers], np.array(missing, np.float32)


def _strip_affixes(value: Any, encoding: Number) -> Any:
    if not isinstance(value, str):
        return value
    return value.removeprefix(encoding.prefix).removesuffix(encoding.suffix)


def _encode_booleans(encoding: Booleans, values: Cells) -> Sequence[Cells]:
    def category(value: Any) -> Any:
        if not isinstance(value, bool | np.bool_):
            return value
        return encoding.true if value else encoding.false

    return ([category(value) for value in values],)
