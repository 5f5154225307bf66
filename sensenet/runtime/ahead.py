"""Work that threads do ahead of whoever takes its results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from sensenet.processors import usable_processors

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Sequence[Item], most_ahead: int) -> Iterator[Result]:
    """The function's results, in the items' order.

    Threads work on the next items, at most `most_ahead`, while the caller is busy with a result: so no more
    results than that wait in memory. It pays for functions that let other threads run, as decoding a picture
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
