"""Checks of the attributes of frozen classes that are read from files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

FLOAT32_MAX = (2 - 2**-23) * 2.0**127
"""The largest finite float32."""

Validator = Callable[[object, "attrs.Attribute[Any]", Any], None]


def is_a(*expected: type) -> Validator:
    """The value is of one of these types; raises TypeError. A bool is no int."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            names = " or ".join("null" if part is type(None) else part.__name__ for part in expected)
            raise TypeError(f"{attribute.name} is {value!r}, expected {names}")

    return check


def within(least: float, most: float) -> Validator:
    """The number, if it is not None, is not NaN and lies between these, both included; raises ValueError."""

    def check(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not least <= value <= most:
            raise ValueError(f"{attribute.name} is outside [{least:.3g}, {most:.3g}]")

    return check


def one_of(*choices: object) -> Validator:
    """The value is one of these; raises ValueError."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value not in choices:
            raise ValueError(f"{attribute.name} is {value!r}, expected one of {', '.join(map(str, choices))}")

    return check


def each(check_item: Validator) -> Validator:
    """Every item, or every key of a mapping, passes the check."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: Iterable[object]) -> None:
        for item in value:
            check_item(instance, attribute, item)

    return check


def as_items(record: Any) -> tuple[Any, ...]:
    """A list of a JSON record as a tuple; raises TypeError for anything else, text too."""
    if not isinstance(record, list | tuple):
        raise TypeError(f"expected a list, found {record!r}")
    return tuple(record)
