"""What a model costs in a target: the bytes of its files, and the time of a row on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sensenet.backends import get_target
from sensenet.compiler.driver import compile_targets
from sensenet.inspection.rows import draw_rows
from sensenet.models.create import create_model
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.records import frozen

ROWS, IMAGES = 1000, 8
"""How many rows, or images, the measured batch has."""

SECONDS = 0.3
"""How long one row, and then batches, are predicted again and again."""

LEAST_CALLS = 3


@frozen(kw_only=True)
class Latency:
    """Times that were measured on this machine, after a first call, in seconds.

    `row` is the median of `calls` calls with one row, as Python calls a model: it includes reading the row.
    `batch` is the least time of a call with `batch_rows` rows.
    """

    row: float
    calls: int
    batch: float
    batch_rows: int


@frozen(kw_only=True)
class TargetFacts:
    """What a model is in a target: the bytes of the files that were compiled, and measured times, if wanted.

    `latency` is None too if the target's files do not predict in Python.
    """

    target: str
    size: int
    latency: Latency | None = None


def describe_targets(
    source: Any, targets: Sequence[str], settings: Any, *, measured: bool
) -> Iterator[TargetFacts]:
    """Compile a source for targets at their defaults, and yield what came of each.

    Raises what `compile` raises.
    """
    for artifact in compile_targets(source, targets, settings=settings):
        target = get_target(artifact.target)
        runs = target.runs or target.executes
        latency = measure_latency(create_model(artifact)) if measured and runs else None
        size = sum(map(len, artifact.files.values()))
        yield TargetFacts(target=target.name, size=size, latency=latency)


def measure_latency(model: Deepnet | ObjectDetector) -> Latency:
    """Return the times of predictions for drawn rows, in this process and with all its processors."""
    images = model.signature.image is not None
    rows = draw_rows(model.signature, IMAGES if images else ROWS)
    one: Any = rows[0] if isinstance(rows[0], dict) else [rows[0]]
    single = _time_calls(lambda: model(one))
    batch = _time_calls(lambda: model(rows))
    return Latency(row=statistics.median(single), calls=len(single), batch=min(batch), batch_rows=len(rows))


def _time_calls(call: Callable[[], Any]) -> Sequence[float]:
    """Return the seconds of each call after the first, for SECONDS, but at least LEAST_CALLS."""
    call()
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    while len(times) < LEAST_CALLS or time.perf_counter() < until:
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return times
