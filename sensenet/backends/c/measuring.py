"""Finds the smallest arena that TensorFlow Lite Micro runs a model in: the process that `arena` starts.

    python -m sensenet.backends.c.measuring MOST

reads the model's flatbuffer from stdin, and prints a number of bytes, at most MOST. Each size is tried in a
child process, since some kernels write where nothing could be allocated.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable

STEP = 16
"""Bytes between the sizes that are tried."""


def main(most: int) -> None:
    """Print the size; raises RuntimeError if the model does not run in the largest arena."""
    content = sys.stdin.buffer.read()
    runtime = importlib.import_module("tflite_micro").runtime

    def run(size: int) -> None:
        runtime.Interpreter.from_bytes(content, arena_size=size).invoke()

    run(most)
    _silence()
    low, high = 0, -(-most // STEP)
    while high - low > 1:
        middle = (low + high) // 2
        if _works(run, middle * STEP):
            high = middle
        else:
            low = middle
    print(high * STEP)


def _silence() -> None:
    """Pass over what the allocator writes about arenas that are too small."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stderr.fileno())


def _works(run: Callable[[int], None], size: int) -> bool:
    child = os.fork()
    if not child:
        try:
            run(size)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
