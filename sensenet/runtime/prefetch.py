"""Threads that compute results before they are needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Generic, TypeVar

from sensenet.processors import usable_processors
from sensenet.records import frozen

FILES_AHEAD = 2
"""The number of files that are opened ahead, before their memory is known."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Sequence[Item], most_ahead: int
) -> Generator[Result, None, None]:
    """Yield the function's results, in the items' order.

    Threads work on the next items, at most `most_ahead`, while the caller uses a result, so at most that many
    results wait in memory. Pays for functions that release Python's lock, such as decoding an image.
    Exceptions of the function are raised in the item's turn. A single item uses no thread.
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
    """Work whose result is used later; it takes `memory` bytes while it runs and its result is in use."""

    memory: int
    run: Callable[[], Result]


def batch_ahead(
    prepare: Callable[[Item], Task[Result]], items: Sequence[Item], at_once: int, limit: int
) -> Iterator[list[Result]]:
    """Yield the results of tasks prepared from the items, in order, in batches of at most `at_once`.

    Threads work on the next batch while the caller uses one. All tasks that run, wait or are in use take at
    most `limit` bytes together, unless a single one takes more: large tasks come in smaller batches.
    Exceptions of tasks are raised in their turn.
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
