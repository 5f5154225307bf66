"""What each work needs of the machine at least: products, memory, Python's start, a parser, a decoder."""

from __future__ import annotations

from benchmarks.published import inputs
from benchmarks.published.work import Limit, Run
from sensenet.processors import usable_processors

SIDE = 4096
"""Of the square matrices whose product shows the peak."""

COPIED = 1 << 28
"""Bytes of the copy that shows the bandwidth: more than any cache holds."""

LOOKED_UP = 1_000_000

START = Limit("Python's start", Run("start", {}, whole=True))


def products(multiply_adds: float, threads: int | None = None) -> Limit:
    """So many multiply-adds of matrix products, on all processors or so many threads."""
    run = Run("multiply", {"size": SIDE, "repeats": 3, "threads": threads})
    return Limit("peak", run, multiply_adds / SIDE**3)


def memory(size: float) -> Limit:
    """So many bytes read, or written."""
    return Limit("bandwidth", Run("copy", {"size": COPIED, "repeats": 5}), size / (2 * COPIED))


def lookups(count: float) -> Limit:
    """So many numbers from random positions of a table, on all processors."""
    run = Run("look_up", {"count": LOOKED_UP, "repeats": 5})
    return Limit("lookups", run, count / LOOKED_UP / usable_processors())


def decoder(images: float = 1) -> Limit:
    """The pixels of JPEG files: of one in one thread, of several on all processors."""
    share = images if images == 1 else images / usable_processors()
    return Limit("decoder", Run("decode", {"x": "{}/photo.json", "repeats": 9}), share)


def parser(model: str) -> Limit:
    """The text of a document, parsed in memory."""
    return Limit("parser", Run("parse", {"document": f"{{}}/{model}.json", "repeats": 2}))


def writing(size: int) -> Limit:
    """A file of so many bytes."""
    return Limit("writing", Run("write", {"size": size, "output": "{}/written", "repeats": 3}))


def cells(x: str, repeats: int) -> Limit:
    """The cells of rows of the mixed table."""
    given = {"x": f"{{}}/{x}", "numbers": inputs.NUMBERS, "outputs": inputs.CLASSES, "repeats": repeats}
    return Limit("Python's cells", Run("visit_cells", given))
