"""Counts the terms of a text and the items of a list: f32[terms], as BigML's bindings do.

| token mode | what is counted |
|---|---|
| `tokens_only` | words: the text between white space, `_` and word boundaries |
| `full_terms_only` | the text as a whole |
| `all` | words, and then the text as a whole, unless that is the first word |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from sensenet.ir.types import Array
from sensenet.runtime.separators import make_splitter
from sensenet.signature import FULL_TERMS_ONLY, TOKENS_ONLY, Items, Terms

WORD = re.compile(r"(?:\b|_)([^\s_\x08]+?)(?:\b|_)")
"""Begins and ends at a word boundary, or with a `_`; punctuation between words is a word too.

A `_` belongs to one word only: of `a_b`, only `a` is found.
"""

Counter = Callable[[str], Array]
"""Returns f32[terms] for a text."""


def count_terms(encoding: Terms) -> Counter:
    """Return the function that counts a field's terms."""
    positions = {**encoding.forms, **_positions(encoding.terms)}
    split = _splitter(encoding)
    size = len(encoding.terms)
    return lambda text: _count(split(text), positions, size)


def count_items(encoding: Items) -> Counter:
    """Return the function that counts a field's items; both raise InputError for a hostile separator."""
    positions = _positions(encoding.items)
    size = len(encoding.items)
    regexp = encoding.separator_regexp
    split = re.compile(re.escape(encoding.separator)).split if regexp is None else make_splitter(regexp)
    return lambda text: _count((part.strip() for part in split(text)), positions, size)


def _positions(terms: Iterable[str]) -> dict[str, int]:
    """Return the position of each term, the first of equal ones."""
    positions: dict[str, int] = {}
    for position, term in enumerate(terms):
        positions.setdefault(term, position)
    return positions


def _count(found: Iterable[str], positions: Mapping[str, int], size: int) -> Array:
    counts = np.zeros(size, np.float32)
    for term in found:
        position = positions.get(term)
        if position is not None:
            counts[position] += 1
    return counts


def _splitter(encoding: Terms) -> Callable[[str], list[str]]:
    def full_term(text: str) -> list[str]:
        return [text if encoding.case_sensitive else text.lower()]

    def words(text: str) -> list[str]:
        found: list[str] = WORD.findall(text)
        return found if encoding.case_sensitive else [word.lower() for word in found]

    def both(text: str) -> list[str]:
        found = words(text)
        return found if found[:1] == full_term(text) else found + full_term(text)

    if encoding.token_mode == FULL_TERMS_ONLY:
        return full_term
    return words if encoding.token_mode == TOKENS_ONLY else both
