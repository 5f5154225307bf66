"""Deep forests walked by machine code: what the extra `native` adds to the interpreter.

Numba compiles one small function, when a forest is first asked for many rows; that takes a few seconds, once
per machine if its cache can be written. Rows are divided among the processors.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sensenet.backends.optional import import_package
from sensenet.forks import delay_forks
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array
from sensenet.processors import usable_processors

FEWEST_WALKS = 1 << 17
"""Rows · trees from which machine code pays: NumPy takes 25 ms for these."""

EXTRA = "native"

LANES = 8
"""Rows that go down a tree together."""

Kernel = Callable[..., Any]


def pays(forest: Forest, rows: int) -> bool:
    """Return whether machine code can walk the forest, and answers so many rows sooner than NumPy."""
    enough = rows * len(forest.roots.array) >= FEWEST_WALKS and rows >= LANES * usable_processors()
    return enough and importlib.util.find_spec("numba") is not None


def walk(forest: Forest, x: Array) -> Array:
    """Return f32[b, forests · outputs]: walk every tree for every row, on all processors of this process."""
    children = np.stack([forest.right.array, forest.left.array], axis=1)
    sizes = np.asarray(forest.sizes)
    answers = np.empty((len(x), len(sizes) * forest.outputs), np.float32)
    arrays = (forest.feature.array, forest.threshold.array, children, forest.values.array, forest.roots.array)
    compiled = _compile()
    threads = min(usable_processors(), len(x) // LANES)
    compiling = contextlib.nullcontext() if getattr(compiled, "signatures", ()) else delay_forks()
    with compiling, ThreadPoolExecutor(threads) as pool:
        parts = zip(np.array_split(x, threads), np.array_split(answers, threads), strict=True)
        for done in [pool.submit(compiled, rows, arrays, sizes, part) for rows, part in parts]:
            done.result()
    return answers


@functools.cache
def _compile() -> Kernel:
    numba = import_package("numba", EXTRA, "walking deep forests in machine code")
    try:
        compiled: Kernel = numba.njit(nogil=True, cache=True)(_walk)
    except RuntimeError:  # without a directory for its cache
        compiled = numba.njit(nogil=True)(_walk)
    return compiled


def _walk(x: Array, arrays: tuple[Array, ...], sizes: Array, answers: Array) -> None:
    """Write the forests' answers for x, of `LANES` rows or more, into `answers`; Numba compiles this.

    Some rows at a time go down a tree, so that the processor waits for several loads at once, not for one. A
    leaf leads to itself. Trees come in the outer loop: one tree fits the cache, all of them may not.
    """
    feature, threshold, children, values, roots = arrays
    nodes = np.empty(LANES, np.int64)
    first = 0
    for forest in range(len(sizes)):
        columns = answers[:, forest * values.shape[1] : (forest + 1) * values.shape[1]]
        columns[:] = 0
        for tree in range(first, first + sizes[forest]):
            for done in range(0, len(x), LANES):
                start = min(done, len(x) - LANES)  # the last rows are taken with some that are done
                nodes[:] = roots[tree]
                moving = True
                while moving:
                    moving = False
                    for lane in range(LANES):
                        node = nodes[lane]
                        left = x[start + lane, feature[node]] <= threshold[node]
                        nodes[lane] = children[node, 1 if left else 0]
                        moving |= nodes[lane] != node
                for lane in range(done - start, LANES):
                    for output in range(values.shape[1]):
                        columns[start + lane, output] += values[nodes[lane], output]
        first += sizes[forest]
        columns /= np.float32(sizes[forest])
