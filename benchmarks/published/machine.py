"""Works of client.py that show what the machine can do: nothing that has to do the same can take less."""

import os
from pathlib import Path

import numpy as np
from timing import read_input, time_calls

TABLE_ENTRIES = 1 << 16
"""Of the table in which positions are looked up: 512 kB, as 64 trees of 1,000 leaves."""


def start():
    """Nothing: the parent times the process, which has imported NumPy."""
    return [0.0], None


def multiply(size, repeats, threads=None):
    """Products of two square float32 matrices, on all processors or so many threads."""
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(0)
    a, b = (random.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    with threadpool_limits(threads):
        return time_calls(lambda: a @ b, repeats, 2)


def copy(size, repeats):
    """Copies of so many bytes: each is read once, and written once."""
    source = np.ones(size, np.uint8)
    target = np.empty_like(source)
    return time_calls(lambda: np.copyto(target, source), repeats, 2)


def look_up(count, repeats):
    """So many numbers from random positions of a table."""
    random = np.random.default_rng(0)
    table, positions = random.normal(size=TABLE_ENTRIES), random.integers(0, TABLE_ENTRIES, count)
    out = np.empty(count)
    return time_calls(lambda: np.take(table, positions, out=out, mode="wrap"), repeats, 2)


def decode(x, repeats):
    """The pixels of a JPEG file, by Pillow."""
    from PIL import Image

    (path,) = read_input(x)
    return time_calls(lambda: np.asarray(Image.open(path).convert("RGB")), repeats, 2)


def parse(document, repeats):
    """The JSON text of a document in memory, by simdjson, without making anything of it."""
    import simdjson

    text, parser = Path(document).read_bytes(), simdjson.Parser()
    return time_calls(lambda: parser.parse(text) and None, repeats, 1)


def write(size, output, repeats):
    """A file of so many bytes, until the system has kept it."""
    content = np.random.default_rng(0).bytes(size)

    def write_once():
        with open(output, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())

    return time_calls(write_once, repeats, 1)


def visit_cells(x, numbers, outputs, repeats):
    """The cells of rows: Python's own sum of the numbers, and its dict for the texts behind them."""
    rows = read_input(x)
    rows = rows if isinstance(rows[0], list) else [rows]
    numeric = [cell for row in rows for cell in row[:numbers]]
    texts = [cell for row in rows for cell in row[numbers:]]
    find = {text: position for position, text in enumerate(sorted(set(texts)))}.get

    def visit():
        sum(numeric)
        list(map(find, texts))
        np.empty((len(rows), outputs), np.float32)

    return time_calls(visit, repeats, min(repeats, 100))


WORKS = (start, multiply, copy, look_up, decode, parse, write, visit_cells)
