"""Converts documents to plain JSON values, and copies them with other members; no document is changed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

DEEPEST_ARRAY = 32
"""The greatest depth of a document's members that are read as arrays."""


def put(value: Any, path: str, member: Any) -> Any:
    """Return the value with another member at a JSON path such as `networks[0].layers`, or `member` itself.

    Copies the objects and lists on the way there, and shares the rest.
    """
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    parents = [value]
    for step in steps[:-1]:
        parents.append(parents[-1][step])
    for parent, step in zip(reversed(parents), reversed(steps), strict=False):
        copied = dict(parent) if isinstance(parent, dict) else list(parent)
        copied[step] = member
        member = copied
    return member


def as_plain(value: Any) -> Any:
    """Return the value with lists instead of the reader's float32 arrays, of the shortest decimals.

    An object that a caller's dict has in several places is converted once, and is again the same object.
    """
    return _as_plain(value, 0, {})


def _as_plain(value: Any, depth: int, made: dict[tuple[int, int], Any]) -> Any:
    if isinstance(value, np.ndarray):
        return value.astype(str).astype(np.float64).tolist()
    if depth == DEEPEST_ARRAY or not isinstance(value, dict | list):
        return value
    key = id(value), depth
    if key not in made:
        made[key] = value
        if isinstance(value, dict):
            made[key] = {name: _as_plain(member, depth + 1, made) for name, member in value.items()}
        elif value and isinstance(value[0], dict):
            made[key] = [_as_plain(entry, depth + 1, made) for entry in value]
    return made[key]
