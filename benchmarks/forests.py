"""What forests cost in TensorFlow Lite and Keras, by strategy: the numbers of docs/forests.md.

    python benchmarks/forests.py

Each line is an op of random forests (so many trees each, grown to so many leaves and at most so many levels,
two values a leaf, splitting some of 20 features, 2% of the cells missing), lowered with each strategy that
can hold it, converted by the target tflite and run by LiteRT on one thread. It tells the processor time of
the interpreter alone for one row (the best of 500 times 50 runs) and for 10,000, 1,000 at a time (the best of
10), that of a Keras model, the ops before conversion, and the size of the file. A star marks what
`choose_strategies` takes for one row in LiteRT, a plus what it takes for many in Keras.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import numpy as np

from sensenet.artifact import Report
from sensenet.backends import keras, tflite
from sensenet.backends.tflite.interpreter import find_interpreter
from sensenet.errors import UnsupportedOpError
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Tensor, f32
from sensenet.passes.lowering.forest.rule import lower_with
from sensenet.passes.lowering.forest.strategy import Strategy, choose_strategies, forest_sizes
from sensenet.signature import Signature

FEATURES, OUTPUTS, MANY, BLOCK = 20, 2, 10_000, 1000
CASES = (  # forests, trees in each, leaves of each, most levels; features that each forest splits, if not all
    (1, 8, 5, 3),
    (10, 8, 5, 3),
    (10, 8, 5, 3, 4),
    (10, 8, 8, 3, 4),
    (60, 8, 5, 3, 3),
    (60, 8, 5, 3),
    (200, 8, 5, 3),
    (1, 8, 16, 6),
    (1, 8, 42, 16),
    (10, 8, 42, 16),
    (1, 8, 64, 10),
    (1, 8, 90, 12),
    (1, 8, 128, 12),
    (1, 8, 256, 14),
    (1, 100, 16, 6),
    (1, 100, 32, 8),
    (1, 100, 64, 10),
    (1, 1, 64, 10),
    (1, 1, 256, 14),
    (1, 1, 128, 127),
    (1, 1, 256, 255),
)


def grow(rng: np.random.Generator, case: Sequence[int]) -> Forest:
    """Trees that grow by splitting a random leaf above the lowest level, or always the newest one."""
    forests, trees, leaves, levels, features = (*case, FEATURES)[:5]
    left: list[int] = []
    right: list[int] = []
    roots = []
    feature: list[int] = []
    for tree in range(forests * trees):
        roots.append(len(left))
        depth = {roots[-1]: 0}
        left.append(roots[-1])
        right.append(roots[-1])
        while len(depth) < leaves:
            open_leaves = [leaf for leaf, level in depth.items() if level < levels]
            node = open_leaves[-1] if levels == leaves - 1 else int(rng.choice(open_leaves))
            level = depth.pop(node) + 1
            left[node], right[node] = len(left), len(left) + 1
            for child in (left[node], right[node]):
                depth[child] = level
                left.append(child)
                right.append(child)
        first = tree // trees * features % (FEATURES - features + 1)
        feature += rng.integers(first, first + features, size=len(left) - len(feature)).tolist()
    return Forest(
        feature=Tensor.int32(feature),
        threshold=Tensor.float32(rng.normal(size=len(left))),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=Tensor.float32(rng.normal(size=(len(left), OUTPUTS))),
        roots=Tensor.int32(roots),
        sizes=(trees,) * forests,
    )


def lower(forest: Forest, strategy: Strategy | None) -> Graph:
    """The forest by itself, in basic ops where a strategy is given."""
    x = apply(Input(type=f32(None, FEATURES)), name="x")
    if strategy in (None, Strategy.WALK):
        y = apply(forest, x.value, name="forest").value
    else:
        y = lower_with([strategy] * len(forest.sizes), forest, x.value, "forest")
    return Graph.create([x], {"y": y}, Signature())


class Model:
    """A converted model in an interpreter for so many rows, with the best time of its runs."""

    def __init__(self, content: bytes, rows: np.ndarray) -> None:
        self.interpreter = find_interpreter()(model_content=content, num_threads=1)
        index = self.interpreter.get_input_details()[0]["index"]
        self.interpreter.resize_tensor_input(index, rows.shape)
        self.interpreter.allocate_tensors()
        self.interpreter.set_tensor(index, rows)
        self.interpreter.invoke()
        self.seconds = np.inf

    def time(self, rounds: int, repeats: int) -> None:
        """Best of some rounds; processor time, so that other processes count as little as can be."""
        for _ in range(rounds):
            start = time.thread_time()
            for _ in range(repeats):
                self.interpreter.invoke()
            self.seconds = min(self.seconds, (time.thread_time() - start) / repeats)

    @property
    def answer(self) -> np.ndarray:
        return self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"])


def best_seconds(run: Callable[[], object], rounds: int) -> float:
    """Processor time of one call, the best of some; the first is left out."""
    run()
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def describe(forest: Forest, strategy: Strategy, rows: np.ndarray, expected: np.ndarray) -> str:
    """The figures of a strategy; raises UnsupportedOpError where it can't hold the forests."""
    graph = lower(forest, strategy)
    ops = sum(type(node.op).__name__ not in ("Constant", "Input") for node in graph.nodes)
    litert = f"{'–':>10}{'–':>11}" if strategy is Strategy.WALK else describe_litert(graph, rows, expected)
    size = "–" if strategy is Strategy.WALK else f"{len(convert(graph)) / 1024:.0f} KiB"
    run = keras.load(keras.build(graph, Report(target="keras", level=2), keras.KerasOptions())).run
    keras_one = best_seconds(lambda: run({"x": rows[:1]}), 200)
    keras_many = best_seconds(lambda: run({"x": rows}), 10)
    np.testing.assert_allclose(run({"x": rows})["y"], expected, atol=1e-6, rtol=1e-5)
    return f"{litert} {keras_one * 1e6:7.0f} µs {keras_many * 1e3:7.1f} ms {ops:6d} {size:>10}"


def describe_litert(graph: Graph, rows: np.ndarray, expected: np.ndarray) -> str:
    """The time for one row, and for all."""
    content = convert(graph)
    one, many = Model(content, rows[:1]), Model(content, rows[:BLOCK])
    one.time(500, 50)
    many.time(10, 1)
    np.testing.assert_allclose(many.answer, expected[:BLOCK], atol=1e-6, rtol=1e-5)
    return f"{one.seconds * 1e6:7.1f} µs {many.seconds * 1e3 * len(rows) / BLOCK:7.1f} ms"


def convert(graph: Graph) -> bytes:
    """The graph as a .tflite file."""
    return bytes(tflite.build(graph, Report(target="tflite", level=2), tflite.TfliteOptions()))


def main() -> None:
    print(
        f"{'forests × trees × leaves, levels':36}strategy          LiteRT 1     10,000    Keras 1     10,000"
    )
    for case in CASES:
        rng = np.random.default_rng(0)
        forest = grow(rng, case)
        rows = rng.normal(size=(MANY, FEATURES)).astype(np.float32)
        rows[rng.random(rows.shape) < 0.02] = np.nan
        want = evaluate(lower(forest, None), {"x": rows})["y"]
        (chosen,) = set(choose_strategies(forest, "forest"))
        (for_many,) = set(choose_strategies(forest, "forest", MANY, walks=True))
        depth = max(size.depth for size in forest_sizes(forest))
        each = f" of {case[4]} features" if len(case) > 4 else ""
        label = f"{case[0]} × {case[1]} × {case[2]}, {depth}{each}"
        for strategy in Strategy:
            marks = ("*" if strategy is chosen else "") + ("+" if strategy is for_many else "")
            try:
                figures = describe(forest, strategy, rows, want)
            except UnsupportedOpError:
                continue
            print(f"{label:36}{strategy.value + marks:15}{figures}", flush=True)


if __name__ == "__main__":
    main()
