"""Runs the regular expressions of documents in bounded time.

Documents are untrusted, and Python's matcher takes time exponential in the text for an expression such as
`(a+)+b`. So only expressions are allowed whose time has a bound that can be computed beforehand, and only
texts for which that bound is small:

    characters, classes `[…]`, escapes `\\s`, anchors; alternatives `|`, in groups `(…)`, `(?:…)` too;
    `*`, `+`, `?`, `{m,n}` after one of these but a group

Each choice of the matcher multiplies the steps of an attempt: a repetition by its largest count, a `|` in a
group by 2. A repetition at the end of an alternative never needs backtracking. There is one attempt per
character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from sensenet.errors import InputError
from sensenet.records import frozen

LONGEST_EXPRESSION = 200
MOST_STEPS = 20_000_000
"""The most steps of a search: a second or less."""

CLASS = r"\[\^?\]?(?:\\.|(?!--|&&|~~|\|\|)[^\[\]\\])*\]"
REPETITION = r"(?:[*+?]|\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\})\??"
TOKEN = re.compile(
    rf"(?P<open>\((?:\?:)?(?!\?))|(?P<close>\))|(?P<bar>\|)|"
    rf"(?P<atom>\\[^0-9]|{CLASS}|[^\\\[\](){{}}*+?|])(?P<repetition>{REPETITION})?",
    re.DOTALL,
)


@frozen
class Choice:
    """The number of repetitions of an atom, or of alternatives of a group; `most` is None if unbounded."""

    least: int
    most: int | None

    def ways(self, length: int) -> int:
        """Return the largest number of ways to match within a text of this length."""
        return (length if self.most is None else min(self.most, length)) - min(self.least, length) + 1


EITHER = Choice(0, 1)
ONCE = Choice(1, 1)
Alternative = list[Choice]
Splitter = Callable[[str], list[str]]


@lru_cache(maxsize=256)
def make_splitter(expression: str) -> Splitter:
    """Return a function that splits a text at matches, with groups as parts, like `re.split`.

    Raises InputError for an invalid expression, or one that could take long; the function raises it for a
    text that is too long for the expression.
    """
    alternatives = _read_alternatives(expression)
    try:
        pattern = re.compile(expression)
    except (re.error, OverflowError) as error:
        raise _refuse(expression, str(error)) from error

    def split(text: str) -> list[str]:
        if _count_steps(alternatives, len(text)) > MOST_STEPS:
            raise InputError(
                f"the text of {len(text)} characters is too long for the separator {expression!r}: "
                "pass the row as a list of cells"
            )
        return [part for part in pattern.split(text) if part is not None]

    return split


def _refuse(expression: str, reason: str) -> InputError:
    shown = expression[:LONGEST_EXPRESSION]
    return InputError(
        f"the separator of the field's items, {shown!r}, cannot be used: {reason}; "
        "pass the row as a list of cells"
    )


def _count_steps(alternatives: list[Alternative], length: int) -> int:
    """Return the most steps that a search through a text of this length takes."""
    total = 0
    for choices in alternatives:
        steps = 1
        for choice in choices[:-1]:
            steps *= choice.ways(length)
        if choices:
            steps *= min(choices[-1].least, length) + 1
        total += steps
    return total * (length + 1)


def _read_alternatives(expression: str) -> list[Alternative]:
    """Return the choices of each alternative, in order."""
    if len(expression) > LONGEST_EXPRESSION:
        raise _refuse(expression, f"longer than {LONGEST_EXPRESSION} characters")
    alternatives: list[Alternative] = [[]]
    depth = 0
    for token in _read_tokens(expression):
        if token["bar"] and not depth:
            alternatives.append([])
            continue
        depth += bool(token["open"]) - bool(token["close"])
        alternatives[-1].append(_read_choice(token))
        if token["close"] or depth:  # the end of a group is not the end of the expression
            alternatives[-1].append(ONCE)
    return alternatives


def _read_tokens(expression: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(expression):
        token = TOKEN.match(expression, position)
        if token is None:
            raise _refuse(expression, f"{expression[position:][:10]!r} is not supported there")
        yield token
        position = token.end()


def _read_choice(token: re.Match[str]) -> Choice:
    if token["bar"]:
        return EITHER
    repetition = token["repetition"]
    if not repetition:
        return ONCE
    if repetition[0] in "*+":
        return Choice(int(repetition[0] == "+"), None)
    if repetition[0] == "?":
        return EITHER
    least = int(token["least"] or 0)
    if not token["comma"]:
        return Choice(least, least)
    return Choice(least, int(token["most"]) if token["most"] else None)
