"""Runs works in turns, this package and the other, each run in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve, frozen

from benchmarks.published.work import Limit, Run, Work

CLIENT = Path(__file__).with_name("client.py")
RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""How near the answers of both must be: weights are random, and networks deep."""

NEAR_PIXELS = 2

WITH_ANSWERS = frozenset(
    {"predict", "published_array", "first_prediction", "published_forest", "forest"}
    | {"latency", "onnx_latency", "tfjs_latency", "litert", "onnxruntime", "laminar"}
)


@frozen
class Figure:
    """One run: seconds, and megabytes of the process's largest resident size."""

    seconds: float
    megabytes: float


@frozen
class Result:
    """A work, measured in several rounds; a ratio is of the runs of a round.

    `limits` are, of each round, the seconds that the machine needs for each of the work's limits.
    """

    work: Work
    ours: tuple[Figure, ...]
    other: tuple[Figure, ...]
    limits: tuple[tuple[float, ...], ...] = ()

    @property
    def seconds(self) -> float:
        """The median of ours."""
        return statistics.median(figure.seconds for figure in self.ours)

    @property
    def megabytes(self) -> float:
        """The median of ours."""
        return statistics.median(figure.megabytes for figure in self.ours)

    @property
    def faster(self) -> float | None:
        """How many times faster ours is: the median of the rounds' ratios."""
        pairs = zip(self.ours, self.other, strict=False)
        ratios = [other.seconds / ours.seconds for ours, other in pairs]
        return statistics.median(ratios) if ratios else None

    @property
    def memory(self) -> float | None:
        """Our memory as a share of the other's."""
        pairs = zip(self.ours, self.other, strict=False)
        ratios = [ours.megabytes / other.megabytes for ours, other in pairs]
        return statistics.median(ratios) if ratios else None

    @property
    def rate(self) -> float:
        """How much is done in a second, in the work's unit."""
        return self.work.amount / self.seconds

    @property
    def share(self) -> float | None:
        """What the machine needs, as a share of our seconds."""
        pairs = zip(self.ours, self.limits, strict=True)
        shares = [sum(seconds) / ours.seconds for ours, seconds in pairs]
        return statistics.median(shares) if self.work.limits else None

    @property
    def limit(self) -> str | None:
        """The name of what the machine needs longest."""
        medians = [statistics.median(seconds) for seconds in zip(*self.limits, strict=True)]
        names = [limit.name for limit in self.work.limits]
        return max(zip(medians, names, strict=True))[1] if names else None

    def to_json(self) -> dict[str, Any]:
        """What the file of records holds."""
        return {
            "work": self.work.name,
            "seconds": self.seconds,
            "megabytes": round(self.megabytes, 4),
            "other_seconds": [figure.seconds for figure in self.other],
            "our_seconds": [figure.seconds for figure in self.ours],
            "times_faster": self.faster,
            "aim": self.work.faster,
            "share_of_memory": self.memory,
            "limits": {
                limit.name: [seconds[index] for seconds in self.limits]
                for index, limit in enumerate(self.work.limits)
            },
            "share_of_limit": self.share,
        }


def measure(work: Work, directory: Path, rounds: int, other_python: str | None) -> Result:
    """Ours and the other's in turns; raises AssertionError where their answers differ."""
    for prepare in work.prepare:
        done = directory / f".{prepare.__qualname__}-{prepare.__module__}-{id(prepare)}"
        if not done.exists():
            prepare(directory)
            done.touch()
    both = [(work.ours, sys.executable)]
    if work.other and other_python:
        both.append((work.other, other_python))
    for what, python in both:
        if what.before:
            run(what.before, python, directory, "before")
    ours, others, limits = [], [], []
    for _ in range(rounds):
        ours.append(run(work.ours, sys.executable, directory, "ours"))
        limits.append(tuple(_measure_limit(limit, directory) for limit in work.limits))
        if work.other and other_python:
            python = sys.executable if work.other.before else other_python
            others.append(run(work.other, python, directory, "other"))
            check_answers(work, directory)
    return Result(work, tuple(ours), tuple(others), tuple(limits))


def _measure_limit(limit: Limit, directory: Path) -> float:
    return limit.times * run(limit.run, sys.executable, directory, "limit").seconds


def run(what: Run, python: str, directory: Path, who: str) -> Figure:
    """One process; raises RuntimeError with what it says where it fails."""
    for path in _answers(directory, who):
        path.unlink(missing_ok=True)
    given = {key: _fill(value, directory) for key, value in what.parameters.items()}
    if what.work in WITH_ANSWERS:
        given["answer"] = str(directory / f"answer-{who}")
    command = [python, str(CLIENT), what.work, json.dumps(given)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (directory / "output").open("w+") as output, (directory / "errors").open("w+") as errors:
        start = time.perf_counter()
        child = subprocess.run(
            command, check=False, stdout=output, stderr=errors, cwd=directory, env=environment
        )
        seconds = time.perf_counter() - start
        output.seek(0)
        errors.seek(0)
        if child.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {errors.read()[-2000:]}")
        figure = Figure(**json.loads(output.read().strip().splitlines()[-1]))
        return evolve(figure, seconds=seconds) if what.whole else figure


def _fill(value: Any, directory: Path) -> Any:
    if isinstance(value, tuple):
        return [_fill(entry, directory) for entry in value]
    return value.replace("{}", str(directory)) if isinstance(value, str) else value


def _answers(directory: Path, who: str) -> Sequence[Path]:
    """Where a client leaves its answer: NumPy adds its suffix."""
    return directory / f"answer-{who}.npy", directory / f"answer-{who}"


def check_answers(work: Work, directory: Path) -> None:
    """Raise AssertionError unless both gave the same answer, up to rounding."""
    ours, other = (_read_answer(directory, who) for who in ("ours", "other"))
    if isinstance(ours, np.ndarray) and isinstance(other, np.ndarray):
        np.testing.assert_allclose(ours, other, RELATIVE, ABSOLUTE, err_msg=work.name)
    elif ours is not None or other is not None:
        assert len(ours) == len(other), f"{work.name}: {len(ours)} boxes against {len(other)}"
        for box, expected in zip(ours, other, strict=True):
            assert box["label"] == expected["label"], work.name
            assert np.abs(np.subtract(box["box"], expected["box"])).max() <= NEAR_PIXELS, work.name


def _read_answer(directory: Path, who: str) -> Any:
    array, boxes = _answers(directory, who)
    if array.exists():
        return np.load(array)
    return json.loads(boxes.read_text()) if boxes.exists() else None
