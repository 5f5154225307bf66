"""Faults in documents."""

from __future__ import annotations

import copy
import math
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

JUNK = (
    None,
    True,
    0,
    -1,
    3,
    2.5,
    1e39,
    10**30,
    math.nan,
    "",
    "relu",
    "ones",
    "dense",
    [],
    {},
    [[]],
    [[1, 2], [3]],
)
"""Values of every JSON type, most of them wrong wherever they stand."""


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document, from the outside in."""
    found: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        container = pending.pop(0)
        for key in container if isinstance(container, dict) else range(len(container)):
            found.append((container, key))
            if isinstance(container[key], dict | list):
                pending.append(container[key])
    return found


def delete(container: Any, key: Any, _: Any) -> None:
    del container[key]


def replace(container: Any, key: Any, junk: Any) -> None:
    container[key] = copy.deepcopy(junk)


def retype(container: Any, key: Any, _: Any) -> None:
    value = container[key]
    container[key] = [value] if isinstance(value, dict | str) else str(value)


def make_ragged(container: Any, key: Any, _: Any) -> None:
    """Shorten a list, or an entry of one, by one."""
    value = container[key]
    if isinstance(value, list) and value:
        shorter = value[-1] if isinstance(value[-1], list) and value[-1] else value
        shorter.pop()


FAULTS = (delete, replace, retype, make_ragged)


@st.composite
def mutations(draw: st.DrawFn, document: Json) -> Json:
    """A copy of the document with one to three faults; some are harmless."""
    damaged = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        found = places(damaged)
        if found:
            container, key = draw(st.sampled_from(found))
            draw(st.sampled_from(FAULTS))(container, key, draw(st.sampled_from(JUNK)))
    return damaged
