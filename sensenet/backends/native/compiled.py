"""A plan in machine code, with the memory that it needs."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sensenet.backends.native.machine_code import compile_module, host_machine
from sensenet.backends.native.module import write_module
from sensenet.backends.native.plan import INPUT, OUTPUT, DenseStep, EmbeddingStep, ForestStep, Plan, Step
from sensenet.ir.types import Array
from sensenet.processors import usable_processors

NAME = "predict"

NANOSECONDS_OF_A_THREAD = 300_000
"""Nanoseconds of work for which a thread pays."""

NANOSECONDS_TO_WAIT = 50_000
"""Nanoseconds of a row up to which other threads may wait for it: letting them run takes some time too."""


class Compiled:
    """Answers rows in machine code; threads may share it."""

    def __init__(self, plan: Plan) -> None:
        written = write_module(plan, host_machine(), NAME)
        code = compile_module(written.text, NAME)
        self._code, self._constants, self._scratch = code, written.constants, written.scratch
        self._columns, self._outputs = plan.buffers[INPUT].width, plan.buffers[OUTPUT].width
        self._nanoseconds = sum(map(_nanoseconds, plan.steps))
        self._run_alone = code.releasing()
        self._own_scratch = np.empty(written.scratch, np.uint8)
        waits = self._nanoseconds <= NANOSECONDS_TO_WAIT and _has_lock()
        self._run_row = code.holding() if waits else None
        self._pack = struct.Struct(f"{self._columns}f").pack
        self._row_type = ctypes.c_float * self._outputs
        self._addresses = self._constants.ctypes.data, self._own_scratch.ctypes.data

    def answer_row(self, values: Sequence[float]) -> Array:
        """Return f32[1, outputs] for the numbers of a row.

        Raises struct.error for other than numbers.
        """
        row = self._pack(*values)
        if self._run_row is None:
            return self.answer(np.frombuffer(row, np.float32).reshape(1, -1))
        constants, scratch = self._addresses
        answers = self._row_type()
        self._run_row(constants, row, 1, answers, scratch)
        return np.ndarray((1, self._outputs), np.float32, memoryview(answers))

    def answer(self, x: Array) -> Array:
        """Return f32[rows, outputs] for f32[rows, columns] without gaps, computed by several threads."""
        answers = np.empty((len(x), self._outputs), np.float32)
        fewest = max(1, NANOSECONDS_OF_A_THREAD // max(1, self._nanoseconds))
        threads = min(usable_processors(), len(x) // fewest)
        if threads <= 1:
            self._answer_part(x, answers)
            return answers
        parts = zip(np.array_split(x, threads), np.array_split(answers, threads), strict=True)
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(self._answer_part, *part) for part in parts]:
                done.result()
        return answers

    def _answer_part(self, x: Array, answers: Array) -> None:
        scratch = np.empty(self._scratch, np.uint8)
        addresses = x.ctypes.data, len(x), answers.ctypes.data, scratch.ctypes.data
        self._run_alone(self._constants.ctypes.data, *addresses)


def _has_lock() -> bool:
    """Return whether one thread at a time runs Python, so that all may share memory during a call."""
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_enabled()


def _nanoseconds(step: Step) -> int:
    """Return about how long a step takes for a row."""
    match step:
        case DenseStep():
            return 5 + step.kernel.size // 16
        case EmbeddingStep():
            return 5 + step.x.width * (3 + step.y.width // 8)
        case ForestStep():
            return 40 * len(step.op.roots.array)
    return 5 + step.y.width // 4
