"""Compares JSON records member by member, to say where two signatures differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sensenet.records import frozen

LONGEST_TEXT = 60
MOST_NAMES = 4


@frozen(kw_only=True)
class Change:
    """A member that differs: its path, and both values as text, of which one is empty if it is missing."""

    path: str
    first: str
    second: str


def compare_records(first: Any, second: Any, path: str = "") -> Iterator[Change]:
    """Yield the members that differ, in order; of lists, what only one of them has, or that they are ordered
    otherwise."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in dict.fromkeys([*first, *second]):
            inner = f"{path}.{name}" if path else str(name)
            if name in first and name in second:
                yield from compare_records(first[name], second[name], inner)
            else:
                yield Change(path=inner, first=_text(first, name), second=_text(second, name))
    elif _is_list(first) and _is_list(second):
        if list(first) != list(second):
            yield _compare_lists(first, second, path)
    elif first != second:
        yield Change(path=path, first=_print(first), second=_print(second))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _text(record: Mapping[str, Any], name: str) -> str:
    return _print(record[name]) if name in record else ""


def _compare_lists(first: Sequence[Any], second: Sequence[Any], path: str) -> Change:
    removed, added = _without(first, second), _without(second, first)
    if not removed and not added:
        return Change(path=f"{path} (order)", first=_list(first), second=_list(second))
    return Change(path=path, first=_list(removed), second=_list(added))


def _without(values: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Return the values that others lack, in order; by their text, since lists have no hash."""
    known = {repr(each) for each in others}
    return [each for each in values if repr(each) not in known]


def _list(values: Sequence[Any]) -> str:
    more = f", … {len(values):,} in all" if len(values) > MOST_NAMES else ""
    return ", ".join(map(_print, values[:MOST_NAMES])) + more


def _print(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
