"""Keeping the chatter of C++ libraries off the caller's terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_LOCK = threading.Lock()
"""File descriptors belong to the process: one thread at a time may turn them elsewhere."""


@contextlib.contextmanager
def silence(*loggers: str) -> Iterator[None]:
    """While it lasts, nothing is written on stdout and stderr, at the level of file descriptors too.

    TensorFlow, its converter and LiteRT log on descriptor 2 whatever Python's settings are. Warnings are
    ignored, and the named loggers of `logging` let only errors through.
    """
    with _LOCK, Path(os.devnull).open("wb") as sink, contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for name in loggers:
            stack.callback(logging.getLogger(name).setLevel, logging.getLogger(name).level)
            logging.getLogger(name).setLevel(logging.ERROR)
        for descriptor in (1, 2):
            copy = _duplicate(descriptor)
            if copy is None:
                continue
            stack.callback(os.close, copy)
            stack.callback(os.dup2, copy, descriptor)
            os.dup2(sink.fileno(), descriptor)
        yield


def _duplicate(descriptor: int) -> int | None:
    """A copy of a descriptor; None where it is closed, as in a process without a terminal."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None


def silence_first_call(function: Callable[P, R]) -> Callable[P, R]:
    """The function, silent the first time: that is when TensorFlow optimizes a graph, and talks about it."""
    called = False

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal called
        if called:
            return function(*args, **kwargs)
        with silence():
            result = function(*args, **kwargs)
        called = True
        return result

    return call
