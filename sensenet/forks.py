"""Keeps forked processes usable, whatever other threads do during the fork.

A child has only the thread that forked: locks of other threads stay held forever, their work stays half done,
and threads of C libraries are gone. So locks, and objects with such threads, belong to one process each
(`PerProcess`), and a fork waits for work that must not stay half done (`delay_forks`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds that a fork waits for others; it then continues, because they may wait for the forking thread."""


class _State:
    """State shared by all threads; a child starts with a new one."""

    def __init__(self) -> None:
        self.generation = 0
        """The number of forks between the first process and this one."""
        self.busy: dict[int, int] = {}
        """The number of `delay_forks` blocks that each thread is in."""
        self.changed = threading.Condition()


_state = _State()


class PerProcess(Generic[T]):
    """A value that each process makes for itself at first use, such as a lock; `get` returns it.

    The child never uses or deletes the parent's value: it may wait for threads that no longer exist.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[int, T] = {}

    def get(self) -> T:
        generation = _state.generation
        try:
            return self._values[generation]
        except KeyError:
            return self._values.setdefault(generation, self._make())  # the first of two threads wins


if TYPE_CHECKING:
    cached_property = functools.cached_property
else:

    class cached_property(functools.cached_property):  # noqa: N801
        """`functools.cached_property` without its lock, one for all objects before Python 3.12."""

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            value = instance.__dict__[self.attrname] = self.func(instance)
            return value


@contextlib.contextmanager
def delay_forks() -> Iterator[None]:
    """Make forks of other threads wait until the block ends."""
    thread = threading.get_ident()
    with _state.changed:
        _state.busy[thread] = _state.busy.get(thread, 0) + 1
    try:
        yield
    finally:
        with _state.changed:
            _state.busy[thread] -= 1
            if not _state.busy[thread]:
                del _state.busy[thread]
                _state.changed.notify_all()


def generation() -> int:
    """Return the number of forks between the first process and this one."""
    return _state.generation


def _wait() -> None:
    _state.changed.acquire()
    own = {threading.get_ident()}
    _state.changed.wait_for(lambda: not _state.busy.keys() - own, LONGEST_WAIT)


def _go_on() -> None:
    _state.changed.release()


def _begin_child() -> None:
    own = threading.get_ident()
    _state.generation += 1
    _state.busy = {thread: depth for thread, depth in _state.busy.items() if thread == own}
    _state.changed = threading.Condition()


if hasattr(os, "register_at_fork"):  # at import: a fork before the first use counts too
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_begin_child)
