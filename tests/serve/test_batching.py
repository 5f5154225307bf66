"""Requests that arrive while a batch runs share the next one, and fail or are cancelled alone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sensenet.errors import InputError
from sensenet.serve import batching
from sensenet.serve.batching import Batcher, answer_each


class Model:
    """Doubles numbers, and keeps each batch. It waits at `gate`; a negative number cannot be read."""

    def __init__(self):
        self.batches = []
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self, rows):
        self.batches.append(rows.tolist())
        self.begun.release()
        assert self.gate.wait(60)
        if (rows < 0).any():
            raise InputError(f"row {int((rows < 0).argmax())}: negative")
        return rows * 2


def rows(*numbers, dtype=np.float32):
    return np.array(numbers, dtype)


async def begun(model):
    """Wait until a batch runs."""
    assert await asyncio.to_thread(model.begun.acquire, timeout=60)


@contextlib.asynccontextmanager
async def running(model, **options):
    with ThreadPoolExecutor(1) as executor:
        batcher = Batcher(model, executor, **{"largest": 4, **options})
        task = asyncio.create_task(batcher.run())
        try:
            yield batcher
        finally:
            model.gate.set()
            task.cancel()


def submit(batcher, *given):
    return [asyncio.create_task(batcher.submit(each)) for each in given]


async def settle():
    """Let the tasks that are ready run up to where they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def answers_behind_a_batch(model, batcher, *given):
    """The answers of requests that arrive while a batch of another runs, or their errors."""
    first = submit(batcher, rows(1))
    await begun(model)
    later = submit(batcher, *given)
    await settle()
    model.gate.set()
    await asyncio.gather(*first)
    return await asyncio.gather(*later, return_exceptions=True)


def values(results):
    return [[part.tolist() for part in parts] for parts in results]


def test_those_that_wait_share_a_batch():
    async def run():
        model, sizes = Model(), []
        async with running(model, observe=sizes.append) as batcher:
            first = submit(batcher, rows(1))
            await begun(model)
            later = submit(batcher, rows(2), rows(3, 4), rows(5), rows(6))
            await settle()
            assert batcher.rows == 5
            model.gate.set()
            assert values(await asyncio.gather(*first, *later)) == [[[2]], [[4]], [[6, 8]], [[10]], [[12]]]
        assert model.batches == [[1], [2, 3, 4, 5], [6]]
        assert sizes == [1, 4, 1]
        assert batcher.rows == 0

    asyncio.run(run())


def test_rows_of_another_form_are_another_batch():
    async def run():
        model = Model()
        async with running(model) as batcher:
            given = rows(2), rows(3, dtype=np.float64), rows([4]), rows(5)
            assert values(await answers_behind_a_batch(model, batcher, *given)) == [
                [[4]],
                [[6]],
                [[[8]]],
                [[10]],
            ]
        assert model.batches == [[1], [2], [3], [[4]], [5]]

    asyncio.run(run())


def test_only_the_request_with_the_bad_row_fails():
    async def run():
        model = Model()
        async with running(model) as batcher:
            given = rows(2), rows(3, -1), rows(4)
            good, bad, other = await answers_behind_a_batch(model, batcher, *given)
            assert values([good, other]) == [[[4]], [[8]]]
            assert isinstance(bad, InputError)
            assert str(bad) == "row 1: negative"

    asyncio.run(run())


def test_many_rows_are_several_batches_between_which_others_have_their_turn():
    async def run():
        model = Model()
        async with running(model) as batcher:
            large = submit(batcher, rows(*range(10)))
            await begun(model)
            small = submit(batcher, rows(20))
            await settle()
            model.gate.set()
            assert values(await asyncio.gather(*small)) == [[[40]]]
            (parts,) = await asyncio.gather(*large)
            assert np.concatenate(parts).tolist() == [2 * number for number in range(10)]
        assert model.batches.index([20]) == 1

    asyncio.run(run())


def test_the_error_of_many_rows_says_where():
    async def run():
        model = Model()
        model.gate.set()
        async with running(model) as batcher:
            with pytest.raises(InputError, match=r"^in the rows from 4 on: row 1: negative$"):
                await batcher.submit(rows(0, 1, 2, 3, 4, -5, 6))

    asyncio.run(run())


def test_what_is_cancelled_before_its_batch_is_not_computed():
    async def run():
        model = Model()
        async with running(model) as batcher:
            first = submit(batcher, rows(1))
            await begun(model)
            gone, kept = submit(batcher, rows(2), rows(3))
            large = asyncio.create_task(batcher.submit(rows(*range(10, 20))))
            await settle()
            gone.cancel()
            large.cancel()
            await settle()
            model.gate.set()
            await asyncio.gather(*first, kept)
        assert model.batches == [[1], [3]]

    asyncio.run(run())


def test_what_is_cancelled_while_it_runs_hinders_no_one():
    async def run():
        model = Model()
        async with running(model) as batcher:
            (first,) = submit(batcher, rows(1))
            await begun(model)
            first.cancel()
            model.gate.set()
            assert values(await asyncio.gather(*submit(batcher, rows(2)))) == [[[4]]]

    asyncio.run(run())


def test_a_window_ends_as_soon_as_there_are_enough_rows():
    async def run():
        model = Model()
        model.gate.set()
        async with running(model, window=3600.0) as batcher:
            tasks = submit(batcher, rows(1), rows(2, 3))
            await settle()
            assert model.batches == []
            assert values(await asyncio.gather(*tasks, *submit(batcher, rows(4)))) == [[[2]], [[4, 6]], [[8]]]
        assert model.batches == [[1, 2, 3, 4]]

    asyncio.run(run())


def test_a_window_ends():
    async def run():
        model = Model()
        model.gate.set()
        async with running(model, window=0.001) as batcher:
            assert values([await batcher.submit(rows(1))]) == [[[2]]]

    asyncio.run(run())


def test_any_exception_is_that_of_its_part():
    def predict(given):
        if len(given) > 1:
            raise ValueError("together")
        if given[0] == 3:
            raise MemoryError
        return given * 2

    one, two, three = answer_each(predict, [rows(1), rows(2), rows(3)])
    assert (one.tolist(), two.tolist()) == ([2], [4])
    assert isinstance(three, MemoryError)


@pytest.mark.parametrize("small", [True, False])
def test_only_small_requests_after_a_quick_batch_run_without_a_thread(monkeypatch, small):
    monkeypatch.setattr(batching, "QUICK", 3600.0)
    threads = []

    def predict(given):
        threads.append(threading.current_thread() is threading.main_thread())
        return given * 2

    async def run():
        model = Model()
        async with running(model) as batcher:
            monkeypatch.setattr(batcher, "_predict", predict)
            for _ in range(3):
                assert values([await batcher.submit(rows(1), small=small)]) == [[[2]]]

    asyncio.run(run())
    assert threads == [False, small, small]
