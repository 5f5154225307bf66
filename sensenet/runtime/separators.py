"""Regular expressions that come with a document, in bounded time.

A document may be anybody's, and Python's matcher takes time that grows exponentially with the text for an
expression such as `(a+)+b`. So only expressions are taken whose time is bounded by a product that can be told
beforehand, and only texts for which that product is small:

    characters, classes `[…]`, escapes `\\s`, anchors; alternatives `|`, in groups `(…)`, `(?:…)` too;
    `*`, `+`, `?`, `{m,n}` after one of these but a group

Each place where the matcher may choose multiplies the steps of an attempt: a repetition by how often it may
repeat, a `|` in a group by 2. A repetition at the end of an alternative never has to be chosen again. There
is an attempt at each character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from attrs import frozen

from sensenet.errors import InputError

LONGEST_EXPRESSION = 200
MOST_STEPS = 20_000_000
"""A second or less."""

CLASS = r"\[\^?\]?(?:\\.|(?!--|&&|~~|\|\|)[^\[\]\\])*\]"
REPETITION = r"(?:[*+?]|\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\})\??"
TOKEN = re.compile(
    rf"(?P<open>\((?:\?:)?(?!\?))|(?P<close>\))|(?P<bar>\|)|"
    rf"(?P<atom>\\[^0-9]|{CLASS}|[^\\\[\](){{}}*+?|])(?P<repetition>{REPETITION})?",
    re.DOTALL,
)


@frozen
class Choice:
    """How often an atom may repeat, or how many ways a group may go: `most` is None where there is no end."""

    least: int
    most: int | None

    def ways(self, length: int) -> int:
        """The most ways in which it can match within a text of this length."""
        return (length if self.most is None else min(self.most, length)) - min(self.least, length) + 1


EITHER = Choice(0, 1)
ONCE = Choice(1, 1)
Alternative = list[Choice]
Splitter = Callable[[str], list[str]]


@lru_cache(maxsize=256)
def make_splitter(expression: str) -> Splitter:
    """A function that splits a text where the expression matches; groups are parts, too, as in `re.split`.

    Raises InputError for an expression that is none, or that could take long; so does the function for a text
    that is too long for the expression.
    """
    alternatives = _read_alternatives(expression)
    try:
        pattern = re.compile(expression)
    except (re.error, OverflowError) as error:
        raise _refuse(expression, str(error)) from error

    def split(text: str) -> list[str]:
        if _count_steps(alternatives, len(text)) > MOST_STEPS:
            raise InputError(
                f"the text has {len(text)} characters, which may take the separator {expression!r} too long: "
                "give the row as a list of cells"
            )
        return [part for part in pattern.split(text) if part is not None]

    return split


def _refuse(expression: str, reason: str) -> InputError:
    shown = expression[:LONGEST_EXPRESSION]
    return InputError(
        f"the separator of the field's items, {shown!r}, cannot be used: {reason}; "
        "give the row as a list of cells"
    )


def _count_steps(alternatives: list[Alternative], length: int) -> int:
    """The most steps that a search through a text of this length takes."""
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
    """The choices of each alternative, in order."""
    if len(expression) > LONGEST_EXPRESSION:
        raise _refuse(expression, f"it is longer than {LONGEST_EXPRESSION} characters")
    alternatives: list[Alternative] = [[]]
    depth = 0
    for token in _read_tokens(expression):
        if token["bar"] and not depth:
            alternatives.append([])
            continue
        depth += bool(token["open"]) - bool(token["close"])
        alternatives[-1].append(_read_choice(token))
        if token["close"] or depth:  # what is last in a group is not last in the expression
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
