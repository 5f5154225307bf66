"""Room for Keras, which walks a model from its outputs back by recursion."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

FRAMES_PER_NODE = 3
"""Keras takes one for each node on the longest way, and some at its end."""

FRAMES_BESIDES = 1000


@contextlib.contextmanager
def deep_recursion(nodes: int) -> Iterator[None]:
    """Let functions call each other as deep as a chain of so many nodes needs."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, FRAMES_BESIDES + FRAMES_PER_NODE * nodes))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
