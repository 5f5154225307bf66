"""Runs works in turns, this package and the published one, each run in a process of its own."""

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

from benchmarks.published.works import Run, Work

CLIENT = Path(__file__).with_name("client.py")
RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""How near the answers of both must be: weights are random, and networks deep."""

NEAR_PIXELS = 2

SIDE = 4096
"""Of the square matrices whose product shows the machine's peak."""

PEAK = Run("multiply", {"size": SIDE, "repeats": 5})

WITH_ANSWERS = frozenset(
    {"predict", "published_array", "first_prediction", "published_forest", "forest"}
    | {"latency", "onnx_latency", "tfjs_latency"}
)


@frozen
class Figure:
    """One run: seconds, and megabytes of the process's largest resident size."""

    seconds: float
    megabytes: float


@frozen
class Result:
    """A work, measured in several rounds; a ratio is of the two runs of a round.

    `products` are the runs of PEAK beside ours, where the share of the machine's peak is told.
    """

    work: Work
    ours: tuple[Figure, ...]
    published: tuple[Figure, ...]
    products: tuple[Figure, ...] = ()

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
        pairs = zip(self.ours, self.published, strict=False)
        ratios = [published.seconds / ours.seconds for ours, published in pairs]
        return statistics.median(ratios) if ratios else None

    @property
    def memory(self) -> float | None:
        """Our memory as a share of the other's."""
        pairs = zip(self.ours, self.published, strict=False)
        ratios = [ours.megabytes / published.megabytes for ours, published in pairs]
        return statistics.median(ratios) if ratios else None

    @property
    def peak(self) -> float | None:
        """Our multiply-adds a second as a share of those of a matrix product on the same machine."""
        pairs = zip(self.ours, self.products, strict=False)
        work = self.work.calls * self.work.multiply_adds / SIDE**3
        ratios = [work * product.seconds / ours.seconds for ours, product in pairs]
        return statistics.median(ratios) if ratios else None

    def to_json(self) -> dict[str, Any]:
        """What the file of records holds."""
        return {
            "work": self.work.name,
            "seconds": self.seconds,
            "megabytes": round(self.megabytes, 4),
            "published_seconds": [figure.seconds for figure in self.published],
            "our_seconds": [figure.seconds for figure in self.ours],
            "times_faster": self.faster,
            "aim": self.work.faster,
            "share_of_memory": self.memory,
            "share_of_peak": self.peak,
        }


def measure(work: Work, directory: Path, rounds: int, published_python: str | None) -> Result:
    """Ours and the published package's in turns; raises AssertionError where their answers differ."""
    for prepare in work.prepare:
        done = directory / f".{prepare.__qualname__}-{prepare.__module__}-{id(prepare)}"
        if not done.exists():
            prepare(directory)
            done.touch()
    both = [(work.ours, sys.executable)]
    if work.published and published_python:
        both.append((work.published, published_python))
    for what, python in both:
        if what.before:
            run(what.before, python, directory, "before")
    ours, published, products = [], [], []
    for _ in range(rounds):
        ours.append(run(work.ours, sys.executable, directory, "ours"))
        if work.multiply_adds:
            products.append(run(PEAK, sys.executable, directory, "peak"))
        if work.published and published_python:
            python = sys.executable if work.published.before else published_python
            published.append(run(work.published, python, directory, "published"))
            check_answers(work, directory)
    return Result(work, tuple(ours), tuple(published), tuple(products))


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
    """Raise AssertionError unless both packages gave the same answer, up to rounding."""
    ours, published = (_read_answer(directory, who) for who in ("ours", "published"))
    if isinstance(ours, np.ndarray) and isinstance(published, np.ndarray):
        np.testing.assert_allclose(ours, published, RELATIVE, ABSOLUTE, err_msg=work.name)
    elif ours is not None or published is not None:
        assert len(ours) == len(published), f"{work.name}: {len(ours)} boxes against {len(published)}"
        for box, other in zip(ours, published, strict=True):
            assert box["label"] == other["label"], work.name
            assert np.abs(np.subtract(box["box"], other["box"])).max() <= NEAR_PIXELS, work.name


def _read_answer(directory: Path, who: str) -> Any:
    array, boxes = _answers(directory, who)
    if array.exists():
        return np.load(array)
    return json.loads(boxes.read_text()) if boxes.exists() else None
