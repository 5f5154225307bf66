"""Validators for attributes of frozen classes that are read from files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

FLOAT32_MAX = (2 - 2**-23) * 2.0**127
"""The largest finite float32."""

Validator = Callable[[object, "attrs.Attribute[Any]", Any], None]


def is_a(*expected: type) -> Validator:
    """Return a validator that raises TypeError for a value of another type; a bool is not an int."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            names = " or ".join("null" if part is type(None) else part.__name__ for part in expected)
            raise TypeError(f"{attribute.name} is {value!r}, expected {names}")

    return check


def within(least: float, most: float) -> Validator:
    """Return a validator that raises ValueError for NaN and numbers outside [least, most]; None passes."""

    def check(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not least <= value <= most:
            raise ValueError(f"{attribute.name} is outside [{least:.3g}, {most:.3g}]")

    return check


def one_of(*choices: object) -> Validator:
    """Return a validator that raises ValueError for a value not among these."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value not in choices:
            raise ValueError(f"{attribute.name} is {value!r}, expected one of {', '.join(map(str, choices))}")

    return check


def each(check_item: Validator) -> Validator:
    """Return a validator that applies a check to every item, or every key of a mapping."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: Iterable[object]) -> None:
        for item in value:
            check_item(instance, attribute, item)

    return check


def as_items(record: Any) -> tuple[Any, ...]:
    """Return a list of a JSON record as a tuple; raise TypeError for anything else, including text."""
    if not isinstance(record, list | tuple):
        raise TypeError(f"expected a list, found {record!r}")
    return tuple(record)
