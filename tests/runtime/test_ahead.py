"""Threads work ahead: in order, no further than allowed, and without hiding what goes wrong."""

from __future__ import annotations

import threading
import time

import pytest

from sensenet.runtime.ahead import map_ahead


def test_results_come_in_order():
    def late(number):
        time.sleep(0.01 * (number % 3 == 0))
        return number * 10

    assert list(map_ahead(late, range(20), 4)) == [number * 10 for number in range(20)]
    assert list(map_ahead(late, [], 4)) == []


def test_no_more_are_ahead_than_allowed():
    started = []
    results = map_ahead(started.append, range(20), 3)
    for taken in range(1, 6):
        next(results)
        time.sleep(0.02)
        assert taken <= len(started) <= taken + 3
    results.close()
    time.sleep(0.02)
    assert len(started) <= 8


def test_threads_work_while_the_caller_is_busy():
    third = threading.Event()
    results = map_ahead(lambda number: third.set() if number == 2 else number, range(4), 2)
    assert next(results) == 0
    assert third.wait(5)


def test_a_single_item_takes_no_thread():
    assert list(map_ahead(lambda _: threading.current_thread(), [1], 4)) == [threading.main_thread()]


def test_an_error_is_raised_where_its_turn_comes():
    results = map_ahead(lambda number: 1 // (2 - number), range(4), 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
