"""The tokens of a line of the text form, and a reader that takes them from left to right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple

from sensenet.errors import TextFormError

INTEGER_DIGITS = 20
"""The most characters of an integer; sizes, axes and elements have fewer."""

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<value>%[A-Za-z_][\w.]*)
    | (?P<digest>\#[0-9a-f]+)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<unclosed>".*)
    | (?P<number>[-+]?(?:\d|inf\b|nan\b)[\w.]*(?:(?<=[eE])[-+]\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<mark>[=(){}\[\],:?])
    | (?P<other>.)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
"""The tokens. No alternative fails late, so splitting takes linear time for any text."""

_FLOAT = re.compile(r"[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|inf|nan)", re.ASCII)
_INTEGER = re.compile(r"[-+]?\d+", re.ASCII)


class Token(NamedTuple):
    """A token: its kind (a group of the pattern above, or `end`), its text, and its column and line."""

    kind: str
    text: str
    start: int
    line: int


class LineReader:
    """Reads one line from left to right; methods raise TextFormError for an unexpected token."""

    def __init__(self, text: str, line: int) -> None:
        self.load(text, line)

    def load(self, text: str, line: int) -> None:
        """Continue at the beginning of another line."""
        self.tokens = [
            Token(match.lastgroup or "other", match.group(), match.start(), line)
            for match in _TOKEN.finditer(text)
            if match.lastgroup != "space"
        ]
        self.tokens.append(Token("end", "", len(text), line))
        self.position = 0

    def error(self, message: str, token: Token | None = None) -> TextFormError:
        """Return the error to raise at a token, by default the one that was taken last."""
        where = token or self.tokens[max(self.position - 1, 0)]
        return TextFormError(f"{where.line}:{where.start + 1}: {message}")

    def peek(self) -> Token:
        """Return the next token without taking it; its kind is `end` at the end of the line."""
        return self.tokens[self.position]

    def take(self, kind: str, text: str | None = None) -> str:
        """Take the next token, which must be of that kind (and text), and return its text."""
        token = self.peek()
        if token.kind != kind or text not in (None, token.text):
            found = "the end of the line" if token.kind == "end" else repr(token.text[:40])
            raise self.error(f"expected {repr(text) if text else kind}, found {found}", token)
        self.position += token.kind != "end"
        return token.text

    def take_if(self, kind: str, text: str) -> bool:
        """Return whether the next token has this kind and text; if so, take it."""
        found = self.peek()
        if (found.kind, found.text) != (kind, text):
            return False
        self.position += 1
        return True

    def items(self, opening: str, closing: str, read: Callable[[], None]) -> None:
        """Read `opening item, item closing`: call `read` for each item; a trailing comma is allowed."""
        self.take("mark", opening)
        while not self.take_if("mark", closing):
            read()
            if self.peek().text != closing:
                self.take("mark", ",")

    def integer(self) -> int:
        """Return an integer of at most INTEGER_DIGITS characters."""
        text = self.take("number")
        if not _INTEGER.fullmatch(text) or len(text) > INTEGER_DIGITS:
            raise self.error(f"expected an integer, found {text[:40]}")
        return int(text)

    def number(self) -> float:
        """Return a decimal number, inf or nan."""
        text = self.take("number")
        if not _FLOAT.fullmatch(text):
            raise self.error(f"expected a number, found {text[:40]}")
        return float(text)

    def boolean(self) -> bool:
        """Return True or False for `true` or `false`."""
        word = self.take("word")
        if word not in ("true", "false"):
            raise self.error(f"expected true or false, found {word!r}")
        return word == "true"

    def string(self) -> str:
        """Return the text of a JSON string."""
        text = self.take("string")
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise self.error(f"not a JSON string: {error}") from error
