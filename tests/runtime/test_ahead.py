"""Threads work ahead: in order, no further than allowed, and without hiding what goes wrong."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.runtime.prefetch import Task, batch_ahead, map_ahead

SOON = 120
"""Seconds within which another thread has surely run."""


def test_results_come_in_order():
    """Although the second is done before the first."""
    second_done = threading.Event()

    def work(number):
        if number == 0:
            assert second_done.wait(SOON)
        if number == 1:
            second_done.set()
        return number * 10

    assert list(map_ahead(work, range(20), 4)) == [number * 10 for number in range(20)]
    assert list(map_ahead(work, [], 4)) == []


def test_no_more_are_ahead_than_allowed():
    class Numbers:
        """Counts which of them are handed out to be worked on."""

        handed_out = 0

        def __len__(self):
            return 20

        def __iter__(self):
            for number in range(20):
                self.handed_out += 1
                yield number

    numbers, started = Numbers(), []
    results = map_ahead(started.append, numbers, 3)
    for taken in range(1, 6):
        next(results)
        assert numbers.handed_out == taken + 3
    results.close()
    assert 5 <= len(started) <= numbers.handed_out == 8


def test_threads_work_while_the_caller_is_busy():
    third = threading.Event()
    results = map_ahead(lambda number: third.set() if number == 2 else number, range(4), 2)
    assert next(results) == 0
    assert third.wait(SOON)


def test_a_single_item_takes_no_thread():
    assert list(map_ahead(lambda _: threading.current_thread(), [1], 4)) == [threading.main_thread()]


def test_an_error_is_raised_where_its_turn_comes():
    results = map_ahead(lambda number: 1 // (2 - number), range(4), 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@given(sizes=st.lists(st.integers(0, 120), max_size=12), at_once=st.integers(1, 4), limit=st.integers(1, 200))
def test_batches_hold_no_more_than_the_limit(sizes, at_once, limit):
    """Tasks at work, waiting or with the caller; a task that alone takes more is alone."""
    held, most, lock = set(), [0], threading.Lock()

    def prepare(number):
        def run():
            with lock:
                held.add(number)
                most[0] = max(most[0], sum(sizes[each] for each in held))
            return number

        return Task(memory=sizes[number], run=run)

    found = []
    for batch in batch_ahead(prepare, range(len(sizes)), at_once, limit):
        assert 1 <= len(batch) <= at_once
        found += batch
        with lock:
            held -= set(batch)
    assert found == list(range(len(sizes)))
    assert most[0] <= max([limit, *sizes])


def test_small_tasks_come_in_full_batches():
    batches = list(batch_ahead(lambda n: Task(memory=1, run=lambda: n), range(10), 4, 100))
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_an_error_of_a_task_is_raised_when_its_turn_comes():
    batches = batch_ahead(lambda n: Task(memory=1, run=lambda: 1 // (2 - n)), range(4), 1, 100)
    assert [next(batches), next(batches)] == [[0], [1]]
    with pytest.raises(ZeroDivisionError):
        next(batches)
