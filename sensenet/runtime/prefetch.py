"""Work that threads do ahead of whoever takes its results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Generic, TypeVar

from attrs import frozen

from sensenet.processors import usable_processors

FILES_AHEAD = 2
"""How many files are read before it is known how much memory they need."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Sequence[Item], most_ahead: int
) -> Generator[Result, None, None]:
    """The function's results, in the items' order.

    Threads work on the next items, at most `most_ahead`, while the caller is busy with a result: so no more
    results than that wait in memory. It pays for functions that let other threads run, as decoding an image
    does. What the function raises is raised where that item's turn comes. A single item takes no thread.
    """
    if len(items) < 2:
        yield from map(function, items)
        return
    rest = iter(items)
    with ThreadPoolExecutor(min(usable_processors(), len(items))) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(rest, most_ahead))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            for left in waiting:
                left.cancel()


@frozen(kw_only=True)
class Task(Generic[Result]):
    """Work whose result is wanted later; while it lasts and its result is used, it takes `memory` bytes."""

    memory: int
    run: Callable[[], Result]


def batch_ahead(
    prepare: Callable[[Item], Task[Result]], items: Sequence[Item], at_once: int, limit: int
) -> Iterator[list[Result]]:
    """Yield the results of the tasks that are prepared of the items, in order, at most `at_once` together.

    Threads work on the next batch while the caller is busy with one. Tasks that are at work, wait or are with
    the caller take no more than `limit` bytes together, unless a single one does: large ones come in smaller
    batches. What tasks raise is raised when their turn comes.
    """
    if len(items) == 1:
        yield [prepare(items[0]).run()]
        return
    tasks = map_ahead(prepare, items, FILES_AHEAD)
    waiting: deque[tuple[Future[Result], int]] = deque()
    with ThreadPoolExecutor(max(1, min(usable_processors(), len(items)))) as pool, closing(tasks):
        try:
            task = next(tasks, None)
            while task or waiting:
                taken = sum(memory for _, memory in waiting)
                while task and len(waiting) < 2 * at_once and (not waiting or taken + task.memory <= limit):
                    waiting.append((pool.submit(task.run), task.memory))
                    taken += task.memory
                    task = next(tasks, None)
                is_short = task is not None and len(waiting) < 2 * at_once
                size = max(1, len(waiting) // 2) if is_short else min(at_once, len(waiting))
                yield [waiting.popleft()[0].result() for _ in range(size)]
        finally:
            for future, _ in waiting:
                future.cancel()
