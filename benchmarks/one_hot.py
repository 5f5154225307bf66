"""What a layer on categories costs, multiplied by their one-hot encoding or looked up in a table.

    python benchmarks/one_hot.py

Each line is a layer (relu) on 10 numbers and some columns of categories, all with as many of them; one code
in ten is unknown. It tells the time for one row and for 1,000 rows of the graph before and after the pass
look-up-categories without its limits: in NumPy, as the target keras runs it, and in LiteRT; all on one
thread, and processor time but for Keras. A star marks what the pass takes with its limits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from forests import Model

from sensenet.artifact import Report
from sensenet.backends import get_target, keras, tflite
from sensenet.compiler.pipelines import lowering_passes
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import prepare
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.rearrangement import Concatenate, Slice
from sensenet.ir.ops.tabular import OneHot
from sensenet.ir.types import Tensor, f32
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.look_up_categories import PASS, look_up_categories
from sensenet.signature import NUMERIC_INPUT, Signature

NUMBERS, MANY = 10, 1000
CASES = (  # columns, categories of each, units
    (1, 128, 64),
    (1, 256, 64),
    (1, 1000, 64),
    (4, 16, 64),
    (4, 32, 64),
    (4, 64, 64),
    (4, 200, 256),
    (20, 8, 64),
    (20, 16, 64),
    (20, 16, 256),
    (20, 32, 64),
    (20, 32, 256),
    (20, 500, 256),
    (100, 8, 64),
    (100, 16, 64),
    (100, 32, 64),
    (100, 32, 256),
    (100, 200, 256),
)


def make_layer(columns: int, categories: int, units: int, rng: np.random.Generator) -> Graph:
    """The layer as it stands in an optimised graph, without lookups."""
    x = apply(Input(type=f32(None, NUMBERS + columns)), name=NUMERIC_INPUT)
    numbers = apply(Slice(start=0, stop=NUMBERS), x.value)
    codes = apply(Slice(start=NUMBERS, stop=NUMBERS + columns), x.value)
    one_hot = apply(OneHot(depths=(categories,) * columns), codes.value)
    joined = apply(Concatenate(), numbers.value, one_hot.value)
    width = NUMBERS + columns * categories
    layer = Dense(
        kernel=Tensor.float32(rng.normal(size=(width, units)) / np.sqrt(NUMBERS + columns)),
        bias=Tensor.float32(rng.normal(size=units)),
        activation=ActivationFunction.RELU,
    )
    return Graph.create([x], {"y": apply(layer, joined.value).value}, Signature())


def best(
    call: Callable[[], object], rounds: int, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of one call: the best of some rounds of repeated calls."""
    seconds = np.inf
    for _ in range(rounds):
        start = clock()
        for _ in range(repeats):
            call()
        seconds = min(seconds, (clock() - start) / repeats)
    return float(seconds)


def time_numpy(graph: Graph, rows: np.ndarray) -> tuple[float, float]:
    program = prepare(graph)
    one = best(lambda: program({NUMERIC_INPUT: rows[:1]}), 20, 200, time.thread_time)
    return one, best(lambda: program({NUMERIC_INPUT: rows}), 10, 3, time.thread_time)


def time_keras(graph: Graph, rows: np.ndarray) -> tuple[float, float]:
    report = Report(target="keras", level=2)
    run = keras.load(keras.build(lower(graph, "keras"), report, keras.KerasOptions())).run
    one = best(lambda: run({NUMERIC_INPUT: rows[:1]}), 20, 100)
    return one, best(lambda: run({NUMERIC_INPUT: rows}), 10, 3)


def time_tflite(graph: Graph, rows: np.ndarray) -> tuple[float, float]:
    report = Report(target="tflite", level=2)
    content = bytes(tflite.build(lower(graph, "tflite"), report, tflite.TfliteOptions()))
    one, many = Model(content, rows[:1]), Model(content, rows)
    one.time(50, 50)
    many.time(5, 1)
    return one.seconds, many.seconds


def lower(graph: Graph, target: str) -> Graph:
    return run_passes(graph, lowering_passes(get_target(target)))[0]


def main() -> None:
    print(f"{'columns × categories, units':28}{'NumPy':38}{'Keras':38}LiteRT")
    for columns, categories, units in CASES:
        rng = np.random.default_rng(0)
        graph = make_layer(columns, categories, units, rng)
        looked_up = look_up_categories(1, 1).run(graph)
        codes = rng.integers(0, categories, size=(MANY, columns)).astype(np.float32)
        codes[rng.random(codes.shape) < 0.1] = -1
        rows = np.concatenate([rng.normal(size=(MANY, NUMBERS)).astype(np.float32), codes], axis=1)
        star = "*" if PASS.run(graph) is not graph else ""
        line = f"{f'{columns} × {categories}, {units}{star}':28}"
        for measure in (time_numpy, time_keras, time_tflite):
            before, after = measure(graph, rows), measure(looked_up, rows)
            line += f"{before[0] * 1e6:6.1f} → {after[0] * 1e6:5.1f} µs "
            line += f"{before[1] * 1e3:6.2f} → {after[1] * 1e3:5.2f} ms  "
        print(line, flush=True)


if __name__ == "__main__":
    main()
