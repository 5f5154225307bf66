"""Documents as plain JSON values, and copies of them with other members. No source is ever changed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

DEEPEST_ARRAY = 32
"""No member of a document that was read as an array stands deeper than this."""


def put(value: Any, path: str, member: Any) -> Any:
    """The value with another member at a JSON path such as `networks[0].layers`; `member` at the path "".

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


def as_plain(value: Any, depth: int = 0) -> Any:
    """The value with lists of the shortest decimals for the float32 arrays that the reader makes."""
    if isinstance(value, np.ndarray):
        return value.astype(str).astype(np.float64).tolist()
    if depth < DEEPEST_ARRAY:
        if isinstance(value, dict):
            return {key: as_plain(member, depth + 1) for key, member in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [as_plain(entry, depth + 1) for entry in value]
    return value
