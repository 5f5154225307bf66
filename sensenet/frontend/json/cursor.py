"""A value of a document together with its JSON path, so that every error says where it is.

    layer = root["layers"][3]
    layer["weights"].array(2)   # DocumentError: layers[3].weights: expected 2-D numbers, found …

Missing members and null are treated alike: `present` is false.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from attrs import field

from sensenet.errors import DocumentError
from sensenet.frontend.implied_memory import ImpliedMemory
from sensenet.frontend.json.arrays import Float32Array, NotAnArrayError, is_list, pack_array
from sensenet.records import frozen
from sensenet.signature import LARGEST_INTEGER
from sensenet.validators import FLOAT32_MAX

LONGEST_QUOTE = 40
MOST_KEYS = 12


@frozen(eq=False, repr=False)
class Cursor:
    """A value and its JSON path; see the module. Methods raise DocumentError for values of another type."""

    value: Any
    path: str = ""
    implied: ImpliedMemory = field(factory=ImpliedMemory)
    """The memory that the document implies: one count for all cursors from the same root."""

    @property
    def present(self) -> bool:
        """Whether there is a value other than null."""
        return self.value is not None

    def as_root(self) -> Cursor:
        """Return a cursor at the same value and path, with a new count of implied memory."""
        return Cursor(self.value, self.path)

    def error(self, message: str) -> DocumentError:
        """Return the error to raise about this value."""
        return DocumentError(message, self.path)

    def expected(self, what: str) -> DocumentError:
        """Return the error to raise if another value was expected here."""
        return self.error(f"expected {what}, found {describe(self.value)}")

    def __getitem__(self, key: str) -> Cursor:
        """Return a cursor at a member, present or not; raises DocumentError if this is not an object."""
        if not isinstance(self.value, dict):
            raise self.expected(f"an object with {key!r}")
        return Cursor(self.value.get(key), f"{self.path}.{key}" if self.path else key, self.implied)

    def require(self, key: str) -> Cursor:
        """Return a cursor at a member; raises DocumentError if it is missing, but not if it is null."""
        member = self[key]
        if key not in self.value:
            raise self.error(f"{key!r} is missing; found the keys {list_keys(self.value)}")
        return member

    def items(self) -> list[Cursor]:
        """Return a cursor at each entry of a list."""
        entries = enumerate(self.sequence())
        return [Cursor(entry, f"{self.path}[{index}]", self.implied) for index, entry in entries]

    def sequence(self) -> Sequence[Any]:
        """Return the list itself, without cursors."""
        if isinstance(self.value, np.ndarray):
            return list(self.value.tolist())
        if not is_list(self.value):
            raise self.expected("a list")
        found: Sequence[Any] = self.value
        return found

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.expected("text")
        return checked_text(self.value, self.path)

    def choice(self, *choices: str) -> str:
        """Return the text, one of several words, in lower case; the document may have upper case."""
        word = self.value.lower() if isinstance(self.value, str) else None
        if word not in choices:
            raise self.expected(f"one of {', '.join(choices)}")
        return word

    def boolean(self) -> bool:
        """Return true or false; false if it is missing."""
        if not isinstance(self.value, bool | np.bool_ | None):
            raise self.expected("true or false")
        return bool(self.value)

    def number(self) -> float:
        """Return a finite number that float32 can hold."""
        if not isinstance(self.value, Real) or isinstance(self.value, bool):
            raise self.expected("a number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not abs(number) <= FLOAT32_MAX:  # NaN too
            raise self.expected("a finite number within float32")
        return number

    def integer(self) -> int:
        """Return an integer of 32 bits, such as a size or a position; it may be written as 3.0."""
        number = self.number()
        if number != int(number) or abs(number) > LARGEST_INTEGER:
            raise self.expected("a whole number of 32 bits")
        return int(number)

    def positive(self) -> int:
        """Return an integer of at least 1."""
        number = self.integer()
        if number < 1:
            raise self.expected("a whole number from 1")
        return number

    def array(self, *ranks: int) -> Float32Array:
        """Return nested lists as a float32 array: finite, of one of these ranks, and without empty axes."""
        wanted = " or ".join(f"{rank}-D" for rank in ranks)
        try:
            array = self._array()
        except NotAnArrayError as error:
            raise self.error(f"expected {wanted} numbers, found {error}") from error
        if array.ndim not in ranks or array.size == 0:
            sizes = " × ".join(map(str, array.shape))
            raise self.error(f"expected {wanted} numbers, found {array.ndim}-D numbers ({sizes})")
        if not np.isfinite(array).all():
            place = "".join(f"[{index}]" for index in np.argwhere(~np.isfinite(array))[0])
            raise self.error(f"expected finite float32 numbers, found another at {place}")
        return array

    def _array(self) -> Float32Array:
        if isinstance(self.value, np.ndarray):
            if self.value.dtype.kind not in "iuf":
                raise NotAnArrayError(f"an array of {self.value.dtype}")
            with np.errstate(over="ignore"):
                return self.value.astype(np.float32, copy=False)
        if not is_list(self.value):
            raise NotAnArrayError(describe(self.value))
        return pack_array(self.value)


def checked_text(text: str, path: str) -> str:
    """Return the text; raises DocumentError for a lone surrogate, which files cannot contain."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DocumentError(f"expected text, found a lone surrogate in {text[:20]!a}", path) from error
    return text


def list_keys(mapping: dict[Any, Any]) -> str:
    """Return the keys of an object, for an error message."""
    keys = [quote(str(key)) for key in mapping][: MOST_KEYS + 1]
    if len(keys) > MOST_KEYS:
        keys[MOST_KEYS] = f"… ({len(mapping)} in all)"
    return ", ".join(keys) or "(none)"


def describe(value: object) -> str:
    """Return a short description of a value of any size and depth, for an error message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {quote(value)}"
        case dict():
            return f"an object with the keys {list_keys(value)}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case np.ndarray() if value.ndim:
            return f"a list of {len(value)}"
        case int() if value.bit_length() > 64:
            return "a huge number"
        case int() | float():
            return f"the number {value!r}"
    return f"a {type(value).__name__}"


def quote(text: str) -> str:
    """Return text in quotes, shortened if it is long."""
    return ascii_safe(text) if len(text) <= LONGEST_QUOTE else f"{ascii_safe(text[:LONGEST_QUOTE])}…"


def ascii_safe(text: str) -> str:
    """Return `repr(text)`, with lone surrogates escaped so that the message can be printed."""
    return repr(text.encode(errors="backslashreplace").decode())
