"""What is kept off the terminal, and what never is: what others write."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

import pytest

from sensenet.backends.silence import silence


@pytest.fixture
def records():
    logger, seen = logging.getLogger("test-quiet"), []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())
    logger.addHandler(handler)
    logger.propagate = False
    yield seen
    logger.removeHandler(handler)


def test_loggers_pass_errors_only_and_in_this_thread_only(records):
    logger = logging.getLogger("test-quiet")
    with silence("test-quiet"):
        with silence("test-quiet"):
            logger.warning("inner")
        logger.warning("outer")
        logger.error("error")
        thread = threading.Thread(target=lambda: logger.warning("other thread"))
        thread.start()
        thread.join()
    logger.warning("after")
    assert records == ["error", "other thread", "after"]


def run_python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options)


def test_descriptors_stay_where_they_are_beside_other_threads(capfd):
    """Whatever is written meanwhile arrives, by whichever thread, and a child that is forked has them too."""
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    before = [os.fstat(descriptor).st_ino for descriptor in (1, 2)]
    with silence("tensorflow", "absl"):
        os.write(1, b"out\n")
        os.write(2, b"err\n")
        assert [os.fstat(descriptor).st_ino for descriptor in (1, 2)] == before
    go_on.set()
    thread.join()
    assert capfd.readouterr() == ("out\n", "err\n")


ALONE = """if True:
    import os, signal, sys
    from sensenet.backends.silence import silence
    print("before", flush=True)
"""


def test_a_process_of_one_thread_is_silent_altogether():
    code = f"""{ALONE}
    with silence():
        os.write(1, b"chatter")
        os.write(2, b"chatter")
    print("after")
    """
    result = run_python(code)
    assert (result.stdout, result.stderr) == ("before\nafter\n", "")


def test_a_process_without_a_terminal():
    code = f"""{ALONE}
    os.close(2)
    sys.stderr = None
    with silence():
        os.write(1, b"chatter")
    print("after")
    """
    assert run_python(code).stdout == "before\nafter\n"


@pytest.mark.parametrize("call", range(1, 8))
def test_an_interrupt_leaves_descriptors_where_they_were(call):
    """It comes at any of the steps by which they are turned elsewhere and back."""
    code = f"""{ALONE}
    calls = []
    def interrupting(function):
        def call(*arguments):
            result = function(*arguments)
            calls.append(arguments)
            if len(calls) == {call}:
                os.kill(os.getpid(), signal.SIGINT)
            return result
        return call
    os.dup, os.dup2, os.close = map(interrupting, (os.dup, os.dup2, os.close))
    try:
        with silence():
            os.write(1, b"chatter")
    except KeyboardInterrupt:
        print("interrupted")
    print("after", len(calls) >= {call})
    """
    assert run_python(code).stdout == "before\ninterrupted\nafter True\n"


def test_chatter_of_tensorflow_that_something_prevents():
    """Only what comes before TensorFlow reads its options, nothing after its import."""
    pytest.importorskip("tensorflow")
    code = """if True:
        import sys, sensenet, threading
        from sensenet.backends.optional import import_tensorflow
        go_on = threading.Event()
        if len(sys.argv) > 1:
            threading.Thread(target=go_on.wait).start()
        import_tensorflow("a test")
        print("imported", file=sys.stderr, flush=True)
        for target in ("keras", "savedmodel"):
            model = sensenet.create_model(sensenet.compile("examples/iris.json", target))
            model([[5.1, 3.5, 1.4, 0.2]] * 3000)
        go_on.set()
    """
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    for arguments, most in ([], 0), (["threads"], 7):
        result = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        at_import, after = result.stderr.split("imported\n")
        assert after == ""
        assert len(at_import.splitlines()) <= most
