"""Texts, numbers and names of documents as C code, which mean the same in C99 and in C++."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

LONGEST_LITERAL = 4095
"""Bytes of a string literal that C99 promises to take."""

LONGEST_COMMENT = 60
"""Characters of a text in a comment."""

LONGEST_NAME = 40
"""Characters of a name: C99 promises to tell names by their first 63, and ours have prefixes."""

_WORDS = """
alignas alignof and and_eq asm assert auto bitand bitor bool break case catch char char8_t char16_t
char32_t class co_await co_return co_yield compl complex concept const const_cast consteval
constexpr constinit continue decltype default delete do double dynamic_cast else enum errno explicit
export extern false far float for fortran friend goto huge if imaginary inline int interrupt linux
long mutable namespace near new noexcept noreturn not not_eq nullptr operator or or_eq private
protected public register reinterpret_cast requires restrict return short signed sizeof static
static_assert static_cast stderr stdin stdout struct switch template this thread_local throw true
try typedef typeid typename typeof typeof_unqual union unix unsigned using virtual void volatile
wchar_t while xor xor_eq
"""

WORDS = frozenset(_WORDS.split())
"""Keywords of C and C++, and macros of their libraries and compilers that have names in small letters."""


def clean_name(text: str) -> str:
    """Return a text in small letters, digits and single `_`, as part of a name; it may be empty."""
    return re.sub(r"[\W_]+", "_", text, flags=re.ASCII)[:LONGEST_NAME].strip("_").lower()


def member_name(text: str) -> str:
    """Return a text as the name of a member; it may be empty."""
    name = clean_name(text)
    return f"{name}_field" if name in WORDS else name


def prefix_of(text: str) -> str:
    """Return what the names of a model's constants begin with."""
    name = clean_name(text)
    return name if name[:1].isalpha() else f"model_{name}".strip("_")


def quote(text: str) -> str:
    """Return a string literal of the text's UTF-8, in printable ASCII."""
    return f'"{"".join(map(_escape, _encode(text)))}"'


def is_long(text: str) -> bool:
    """Return whether a compiler may refuse the string literal of a text."""
    return len(_encode(text)) > LONGEST_LITERAL


def characters(text: str) -> str:
    """Return the initializer of an array of characters, which may have any length."""
    escaped = (_escape(byte).replace("'", "\\'") for byte in _encode(text))
    return "{" + ",".join(f"'{each}'" for each in escaped) + ",0}"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _escape(byte: int) -> str:
    character = chr(byte)
    if character in '"\\?':  # two question marks may begin a trigraph
        return f"\\{character}"
    return character if 32 <= byte < 127 else f"\\{byte:03o}"


def comment_on(text: str) -> str:
    """Return a text, or its beginning, quoted inside of a comment, which it does not end."""
    short = text if len(text) <= LONGEST_COMMENT else f"{text[:LONGEST_COMMENT]}..."
    return quote(short).replace("*", "\\052")


def number(value: float) -> str:
    """Return the float32 that is nearest to a number, exactly."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if re.search("[.e]", text) else f"{text}.0f"


def initializer(parts: Iterable[Any]) -> str:
    """Return the initializer of an array, one entry a line."""
    return "{\n" + "".join(f"  {part},\n" for part in parts) + "}"
