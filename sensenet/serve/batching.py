"""Answers requests that arrive at the same time in one call of the model.

While a batch runs, the requests that arrive wait and become the next. Nothing waits for more requests,
unless a window is set. Requests share a batch if their rows have the same form, and one whose rows cannot be
read fails alone. More rows than a batch has become several batches, between which others have their turn.

A batch runs in a thread, unless all its requests are small and the last one like it took less time than to
hand it to a thread and back.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.records import frozen
from sensenet.serve.answers import Answers

Predict = Callable[[Array], Answers]

QUICK = 0.0005
"""Up to these processor seconds, a batch of small requests runs at once: a thread would add as much."""


@frozen(eq=False)
class Item:
    """Rows that wait for their answers."""

    rows: Array
    small: bool
    answers: asyncio.Future[Answers]

    def fits(self, other: Item) -> bool:
        """Return whether the rows of both have one form."""
        return self.rows.dtype == other.rows.dtype and self.rows.shape[1:] == other.rows.shape[1:]


class Batcher:
    """A model's queue: `submit` waits for answers, and `run`, in a task of its own, answers batches.

    `predict` runs in `executor`, with at most `largest` rows. `window` is the time in seconds that the first
    request of a batch waits for more, unless there are enough. `observe` receives the rows of each batch.
    """

    def __init__(
        self,
        predict: Predict,
        executor: Executor,
        *,
        largest: int,
        window: float = 0.0,
        observe: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._predict = predict
        self._executor = executor
        self._largest = largest
        self._window = window
        self._observe = observe
        self._items: deque[Item] = deque()
        self._waiting = asyncio.Event()
        self._enough = asyncio.Event()
        self._row_seconds = math.inf
        self._batch_seconds = math.inf

    @property
    def rows(self) -> int:
        """The number of rows that wait."""
        return sum(len(item.rows) for item in self._items)

    async def submit(self, rows: Array, *, small: bool = False) -> list[Answers]:
        """Return the answers for rows, one part for each batch; raise what the model raises.

        Who cancels this cancels the batches that have not begun. `small` says that no row takes much longer
        than others.
        """
        if len(rows) <= self._largest:
            return [await self._submit(rows, small)]
        parts = []
        for start in range(0, len(rows), self._largest):
            try:
                parts.append(await self._submit(rows[start : start + self._largest], small))
            except InputError as error:
                raise InputError(f"in the rows from {start} on: {error}") from error
        return parts

    async def _submit(self, rows: Array, small: bool) -> Answers:
        item = Item(rows, small, asyncio.get_running_loop().create_future())
        self._items.append(item)
        self._waiting.set()
        if self._window and self.rows >= self._largest:
            self._enough.set()
        return await item.answers

    async def run(self) -> None:
        """Answer batch after batch, until this is cancelled."""
        while True:
            await self._waiting.wait()
            if self._window:
                await self._wait_for_more()
            batch = self._take()
            if not self._items:
                self._waiting.clear()
            if not batch:
                continue
            outcomes = await self._answer(batch)
            for item, outcome in zip(batch, outcomes, strict=True):
                if item.answers.done():  # its request was cancelled
                    continue
                if isinstance(outcome, Exception):
                    item.answers.set_exception(outcome)
                else:
                    item.answers.set_result(outcome)

    async def _answer(self, batch: Sequence[Item]) -> list[Any]:
        """Return the answers of each item, or the exception that it raises."""
        parts = [item.rows for item in batch]
        rows = sum(map(len, parts))
        self._observe(rows)
        quick = max(self._batch_seconds, self._row_seconds * rows) <= QUICK
        if quick and all(item.small for item in batch):
            seconds, outcomes = answer_timed(self._predict, parts)
            await asyncio.sleep(0)  # others have their turn
        else:
            loop = asyncio.get_running_loop()
            seconds, outcomes = await loop.run_in_executor(self._executor, answer_timed, self._predict, parts)
        self._batch_seconds, self._row_seconds = seconds, seconds / rows
        return outcomes

    async def _wait_for_more(self) -> None:
        self._enough.clear()
        if self.rows < self._largest:
            try:
                async with asyncio.timeout(self._window):
                    await self._enough.wait()
            except TimeoutError:
                pass

    def _take(self) -> list[Item]:
        """Remove the next batch from the queue: the first item, and those after it that fit."""
        batch: list[Item] = []
        rows = 0
        while self._items:
            item = self._items[0]
            if batch and (rows + len(item.rows) > self._largest or not item.fits(batch[0])):
                break
            self._items.popleft()
            if not item.answers.done():
                batch.append(item)
                rows += len(item.rows)
        return batch


def answer_timed(predict: Predict, parts: Sequence[Array]) -> tuple[float, list[Any]]:
    """Return the processor seconds that a batch takes, and what `answer_each` returns."""
    start = time.thread_time()
    outcomes = answer_each(predict, parts)
    return time.thread_time() - start, outcomes


def answer_each(predict: Predict, parts: Sequence[Array]) -> list[Any]:
    """Return the answers for each part of a batch, or the exception that it raises."""
    if len(parts) == 1:
        try:
            return [predict(parts[0])]
        except Exception as error:  # reported to the request
            return [error]
    try:
        answers = predict(np.concatenate(parts))
    except Exception:  # of one part, maybe: the others shall not suffer
        return [outcome for part in parts for outcome in answer_each(predict, [part])]
    ends = np.cumsum([len(part) for part in parts])
    return [answers[end - len(part) : end] for part, end in zip(parts, ends, strict=True)]
