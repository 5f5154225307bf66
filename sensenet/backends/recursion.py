"""Raises the recursion limit for Keras, which traverses a model recursively from its outputs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

FRAMES_PER_NODE = 3
"""The stack frames per node on the longest path: Keras takes one for each, and some at its end."""

OTHER_FRAMES = 1000


@contextlib.contextmanager
def deep_recursion(nodes: int) -> Iterator[None]:
    """Raise the recursion limit in the block for a chain of this many nodes."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, OTHER_FRAMES + FRAMES_PER_NODE * nodes))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
