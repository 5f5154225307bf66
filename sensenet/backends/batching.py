"""Batches of any size: many rows block by block, which stays in a processor's cache, on all processors.

Likewise several images one by one in the interpreter, if a network multiplies so much that each is worth a
thread.

Meanwhile NumPy's matrix library takes one thread for a product. By itself it takes one a processor, which
wait for each other in a loop: if other work keeps the processors busy, a product of a millisecond then takes
a tenth of a second.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sensenet.artifact import CallMemory
from sensenet.errors import InputError
from sensenet.forks import PerProcess
from sensenet.ir.evaluate import checked_input
from sensenet.ir.forest_grids import MOST_SPLITS
from sensenet.ir.graph import Graph
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, TensorType
from sensenet.limits import require_memory
from sensenet.processors import usable_processors
from sensenet.signature import Signature

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Run = Callable[[Mapping[str, Array]], dict[str, Array]]
"""Returns the named outputs for named inputs."""

MOST_ROWS = 4096
"""Rows of a block: more are too many for a cache, and half of them take no longer than a thread to start."""

FEWEST_TREE_ROWS, MOST_TREE_ROWS = 1 << 16, 1 << 17
"""The same for trees that are looked up in tables: in hundreds of comparisons of one column each, so short
that threads mostly wait for Python's lock. In blocks of 4,096 rows, four take five times as long as one.
"""

LARGE_IMAGE = 10_000_000
"""Multiply-adds of an image from which on several together take no less time than one after the other."""

FEWEST_LIMITED = 128
"""Rows from which a product may be large enough for the library to divide it: limiting that takes 9 µs."""

_one_at_a_time = PerProcess(threading.Lock)
"""Held while blocks run: they take all processors, and the library has one number of threads for all."""

_limiters: list[Any] = []
"""The limit that is in force, if any."""


def is_of_rows(inputs: Collection[TensorType], outputs: Iterable[TensorType]) -> bool:
    """Return whether a model reads rows of columns alone, and answers each: then rows may be divided."""
    batches = {found.shape[:1] for found in (*inputs, *outputs)}
    return all(given.rank == 2 for given in inputs) and bool(inputs) and len(batches) == 1


def fixed_batch(inputs: Collection[TensorType], outputs: Iterable[TensorType]) -> int | None:
    """Return the number of rows that all inputs and outputs have; None if it is open, or they differ."""
    batches = {found.shape[:1] for found in (*inputs, *outputs)}
    return batches.pop()[0] if inputs and len(batches) == 1 and () not in batches else None


def call_memory(inputs: Mapping[str, TensorType], outputs: Mapping[str, TensorType], size: int) -> CallMemory:
    """Return what a call takes, if that is `size` bytes for a row, or for a batch of the file's one size."""
    return CallMemory(rows=fixed_batch(inputs.values(), outputs.values()) or 1, size=size)


def is_of_large_images(graph: Graph) -> bool:
    """Return whether a graph answers each row of a batch by itself, in one size, and each takes long."""
    batched = all(node.types[0].shape[:1] == (None,) for node in graph.inputs)
    shapes = [value.type.shape for value in graph.outputs.values()]
    one_size = all(shape[:1] == (None,) and None not in shape[1:] for shape in shapes)
    images = any(node.types[0].rank > 2 for node in graph.inputs)
    if not (batched and one_size and images):
        return False
    from sensenet.ir.cost import graph_multiply_adds

    return graph_multiply_adds(graph) >= LARGE_IMAGE


def has_small_trees(graph: Graph) -> bool:
    """Return whether a graph has forests whose trees are small on average, as those of tables are."""
    forests = [node.op for node in graph.nodes if isinstance(node.op, Forest)]
    return any(len(op.left.array) <= 2 * MOST_SPLITS * len(op.roots.array) for op in forests)


def divide(graph: Graph, run: Run, most: int = MOST_ROWS) -> Run:
    """Return a function equal to `run`, which interprets the graph, but faster for many rows or images.

    A block has at most `most` rows, and half of them are too few for a thread; but small trees need more.
    """
    declared = {node.name: node.types[0] for node in graph.inputs}
    inputs, outputs = declared.values(), [value.type for value in graph.outputs.values()]
    rows = fixed_batch(inputs, outputs)
    if rows is not None:
        run_all = run_in_blocks(pad_batches(run, rows), rows, rows, one_thread_a_product)
        return check_inputs(run_all, open_batches(declared))
    if is_of_rows(inputs, outputs):
        sizes = (FEWEST_TREE_ROWS, MOST_TREE_ROWS) if has_small_trees(graph) else (most // 2, most)
        return run_in_blocks(_limit_products(run), *sizes, one_thread_a_product)
    return run_in_blocks(run, 1, 1, one_thread_a_product) if is_of_large_images(graph) else run


def _limit_products(run: Run) -> Run:
    """Return a function equal to `run` whose products take one thread each if there are many rows."""

    def run_limited(inputs: Mapping[str, Array]) -> dict[str, Array]:
        few = min(map(len, inputs.values()), default=0) < FEWEST_LIMITED
        if few or _one_at_a_time.get().locked():  # another thread has limited all products meanwhile
            return run(inputs)
        with one_thread_a_product():
            return run(inputs)

    return run_limited


def threads_of_a_call(signature: Signature) -> int:
    """Return how many threads a runtime gets for a call: all processors for images, else one.

    A row takes less time than threads take to begin, and blocks of many rows run side by side.
    """
    return 1 if signature.image is None else usable_processors()


def run_batches(
    call: Run, inputs: Mapping[str, TensorType], outputs: Mapping[str, TensorType], most: int
) -> Run:
    """Return a function equal to `call`, a runtime's, that checks its inputs and takes any number of rows.

    A model of rows is given at most `most` at once, in blocks that run side by side; any model for batches of
    one size is given just those. The function raises InputError for an input that is missing or not of its
    declared type.
    """
    run, rows = call, fixed_batch(inputs.values(), outputs.values())
    axes = {name: _batch_axis(found, rows) for name, found in outputs.items()}
    if rows is not None:
        run = run_in_blocks(pad_batches(call, rows), rows, rows)
        inputs = open_batches(inputs)
    elif is_of_rows(inputs.values(), outputs.values()):
        run = run_in_blocks(call, most, most)

    def run_any(arrays: Mapping[str, Array]) -> dict[str, Array]:
        return run(arrays) if all(map(len, arrays.values())) else _run_without_rows(run, arrays, axes)

    return check_inputs(run_any, inputs)


def open_batches(inputs: Mapping[str, TensorType]) -> dict[str, TensorType]:
    """Return the types of inputs for any number of rows."""
    return {name: found.with_shape((None, *found.shape[1:])) for name, found in inputs.items()}


def check_inputs(run: Run, inputs: Mapping[str, TensorType]) -> Run:
    """Return a function equal to `run` that raises InputError for inputs that are not of these types."""
    return lambda given: run(
        {name: checked_input(given, name, declared) for name, declared in inputs.items()}
    )


def _batch_axis(found: TensorType, rows: int | None) -> int | None:
    """Return the axis of an output's rows, the first that is open or else has `rows`; None without one.

    It is the second axis of what several networks compute together.
    """
    sizes = found.shape if rows is None else found.shape[:1]
    return sizes.index(rows) if rows in sizes else None


def _run_without_rows(
    run: Run, inputs: Mapping[str, Array], axes: Mapping[str, int | None]
) -> dict[str, Array]:
    """Return the outputs for one row of zeros, without that row in those that have an axis of rows.

    Kernels of TensorFlow and TensorFlow Lite refuse a batch without rows, or get it wrong.
    """
    results = run({name: np.zeros((1, *a.shape[1:]), a.dtype) for name, a in inputs.items()})
    return {
        name: result if (axis := axes[name]) is None else result[(slice(None),) * axis + (slice(0),)]
        for name, result in results.items()
    }


def pad_batches(run: Run, rows: int) -> Run:
    """Return a function equal to `run`, which takes exactly `rows` rows, that takes at most as many.

    Rows are repeated to fill a batch: unlike zeros, they change no range that quantized kernels choose for a
    call. Without any row, a batch is of zeros. The function raises InputError for inputs of different numbers
    of rows, LimitError if a batch takes too much memory.
    """

    def run_padded(inputs: Mapping[str, Array]) -> dict[str, Array]:
        counts = {name: len(array) for name, array in inputs.items()}
        count = next(iter(counts.values()))
        if {*counts.values()} != {count}:
            found = ", ".join(f"{name} {each}" for name, each in counts.items())
            raise InputError(f"inputs have different numbers of rows: {found}")
        if count == rows:
            return run(inputs)
        size = sum(array.itemsize * math.prod(array.shape[1:]) for array in inputs.values())
        require_memory(rows * size, f"a batch of {rows} rows")
        filled = {name: np.resize(array, (rows, *array.shape[1:])) for name, array in inputs.items()}
        return {name: result[:count] for name, result in run(filled).items()}

    return run_padded


def run_in_blocks(
    run: Run,
    fewest: int,
    most: int,
    meanwhile: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> Run:
    """Return a function equal to `run`, for independent rows, that runs blocks of `size` rows.

    Blocks run side by side, while `meanwhile` is entered. Each thread copies the answers of a block to their
    place, so they need not be joined afterwards.
    """

    def run_all(inputs: Mapping[str, Array]) -> dict[str, Array]:
        rows = min(map(len, inputs.values()), default=0)
        if rows <= fewest or any(len(array) != rows for array in inputs.values()):
            return run(inputs)
        from concurrent.futures import ThreadPoolExecutor  # which a first row does not need

        processors = usable_processors()
        size = min(most, max(fewest, math.ceil(rows / processors)))
        starts = range(0, rows, size)
        answers: dict[str, Array] = {}
        making = threading.Lock()

        def run_block(start: int) -> None:
            block = slice(start, start + size)
            parts = run({name: array[block] for name, array in inputs.items()})
            with making:
                for name, part in parts.items():
                    if name not in answers:
                        answers[name] = np.empty((rows, *part.shape[1:]), part.dtype)
            for name, part in parts.items():
                answers[name][block] = part

        with meanwhile(), ThreadPoolExecutor(min(processors, len(starts))) as pool:
            for _ in pool.map(run_block, starts):
                pass  # raises what a block has raised
        return answers

    return run_all


@contextlib.contextmanager
def one_thread_a_product() -> Iterator[None]:
    """Limit NumPy's matrix library to one thread per product; other callers wait."""
    library = _matrix_library()
    with _one_at_a_time.get(), library.limit(limits=1) as limiter:
        _limiters.append(limiter)
        try:
            yield
        finally:
            _limiters.clear()


@functools.cache
def _matrix_library() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController  # nor this

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_restore_threads)
    return ThreadpoolController().select(user_api="blas")


def _restore_threads() -> None:
    """Let products in a child take as many threads as before another thread of the parent limited them."""
    while _limiters:
        _limiters.pop().restore_original_limits()
