"""Processes that fork while threads are busy: the child answers, and whatever waits in the parent goes on.

Each child has an alarm, so that one which hangs ends, and fails its test.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading

import numpy as np
import pytest

import sensenet
from sensenet.backends.batching import one_thread_a_product, run_in_blocks
from sensenet.errors import ProcessError
from sensenet.forks import PerProcess, cached_property, delay_forks, generation
from sensenet.ir.graph import Graph
from sensenet.models.engines import _LateRun

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

IRIS = os.path.join(os.path.dirname(__file__), "..", "examples", "iris.json")
ROWS = np.random.default_rng(0).normal(size=(5000, 4)).astype(np.float32)
SECONDS = 120


def in_child(function):
    """What a function returns, or raises, in a forked process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(SECONDS)
            try:
                result = function()
            except Exception as error:
                result = error
            with os.fdopen(write, "wb") as stream:
                pickle.dump(result, stream)
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        content = stream.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child hung"
    return pickle.loads(content)


class Busy:
    """A function for threads that waits, when it is called, until the block of `with` ends."""

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *_):
        self.begun.set()
        assert self.go_on.wait(SECONDS)
        return {}

    def start(self, function):
        self.thread = threading.Thread(target=function)
        self.thread.start()
        assert self.begun.wait(SECONDS)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self.thread.join()


def threads_of_products():
    from threadpoolctl import threadpool_info

    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_a_child_of_a_process_in_which_blocks_run():
    """It neither waits for the lock of the blocks, nor keeps the limit of one thread a product."""
    usual = threads_of_products()
    model = sensenet.create_model(IRIS)
    busy = Busy()
    run = run_in_blocks(busy, 1, 1, one_thread_a_product)
    with busy.start(lambda: run({"x": np.zeros((3, 1))})):
        assert set(threads_of_products()) <= {1}
        answers, threads = in_child(lambda: (model(ROWS), threads_of_products()))
    assert threads == usual
    np.testing.assert_array_equal(answers, model(ROWS))


def test_a_child_of_a_process_in_which_an_engine_is_made():
    busy, made = Busy(), _LateRun(lambda: busy)
    with busy.start(lambda: made({})):
        late = _LateRun(lambda: lambda _: {"made": 1})
        assert in_child(lambda: late({})) == {"made": 1}
    lock = PerProcess(threading.Lock)
    with lock.get():
        assert in_child(lambda: lock.get().acquire(blocking=False))


@pytest.mark.parametrize("holds", [True, False])
def test_a_child_has_interpreters_of_its_own(holds):
    pytest.importorskip("ai_edge_litert")
    model = sensenet.create_model(IRIS, engine="tflite")
    wanted = model(ROWS)
    runner = model._executable.run
    pool = runner._pools.get()
    busy = Busy()

    def hold():
        with pool.free:
            busy()

    if holds:
        with busy.start(hold):
            answers = in_child(lambda: (model(ROWS), runner._pools.get() is pool))
    else:
        answers = in_child(lambda: (model(ROWS), runner._pools.get() is pool))
    np.testing.assert_array_equal(answers[0], wanted)
    assert not answers[1]
    np.testing.assert_array_equal(model(ROWS), wanted)


def test_a_child_of_a_process_that_compiles_and_answers_in_machine_code():
    pytest.importorskip("llvmlite")
    model = sensenet.create_model(IRIS, engine="native")
    row = ROWS[0].tolist()
    ended = threading.Event()

    def answer():
        new = sensenet.create_model(IRIS, engine="native")
        return model(ROWS), model(row), new(ROWS), new(row)

    def answer_until_the_end():
        while not ended.is_set():
            answer()

    wanted = answer()
    threads = [threading.Thread(target=answer_until_the_end) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        results = [in_child(answer) for _ in range(5)]
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    for result in results:
        for found, expected in zip(result, wanted, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("engine", ["keras", "savedmodel", "tfjs"])
def test_tensorflow_refuses_to_run_in_a_child(engine):
    pytest.importorskip("tensorflow")
    model = sensenet.create_model(IRIS, engine=engine)
    model(ROWS)
    makes = [] if engine == "tfjs" else [lambda: sensenet.compile(IRIS, engine)]
    for action in (lambda: model(ROWS), *makes):
        error = in_child(action)
        assert isinstance(error, ProcessError)
        assert "spawn" in str(error)
    assert in_child(lambda: sensenet.create_model(IRIS)(ROWS)).shape == (5000, 3)


def test_forking_waits_for_what_must_not_be_half_done():
    """The child of a fork that is asked for meanwhile finds it done."""
    busy, done, forking = Busy(), [], threading.Event()

    def work():
        with delay_forks():
            busy()
            done.append(True)

    def fork():
        forking.set()
        results.append(in_child(lambda: done))

    results = []
    with busy.start(work):
        forker = threading.Thread(target=fork)
        forker.start()
        assert forking.wait(SECONDS)
    forker.join()
    assert results == [[True]]


def test_forking_in_such_a_block_does_not_wait_for_itself():
    def nested():
        with delay_forks():
            return in_child(generation)

    with delay_forks(), delay_forks():
        assert in_child(nested) == generation() + 2
    assert in_child(nested) == generation() + 2


def test_forking_goes_on_after_the_longest_wait(monkeypatch):
    monkeypatch.setattr("sensenet.forks.LONGEST_WAIT", 0)
    busy = Busy()

    def work():
        with delay_forks():
            busy()

    with busy.start(work):
        assert in_child(generation) == generation() + 1


def test_cached_properties_of_graphs_and_artifacts_have_no_lock():
    """Up to Python 3.11, that of functools has one for all objects, and a child may find it taken."""
    busy = Busy()

    class Slow:
        number = 0

        @cached_property
        def value(self):
            """Documented."""
            if self.number:
                busy()
            return [self.number]

    first, other = Slow(), Slow()
    first.number = 1
    with busy.start(lambda: first.value):
        assert in_child(lambda: other.value) == [0]
    assert first.value is first.value
    assert Slow.value.__doc__ == "Documented."
    assert isinstance(Graph.__dict__["nodes"], cached_property)
    assert isinstance(sensenet.Artifact.__dict__["files"], cached_property)


def test_python_has_the_hooks():
    assert hasattr(os, "register_at_fork") == (sys.platform != "win32")
