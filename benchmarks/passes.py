"""What the passes are worth: writes benchmarks/passes.md, which is the end of docs/passes.md.

    python benchmarks/passes.py [MODEL…]

For the example models, two made-up tables and the seven pretrained networks, whose weights come from
initializers: nodes, float parameters and multiply-adds for one row or image at each level, the size of what
each target writes, and how long it takes for one row or image of the network's own size (processor time of
one thread, the best of several runs, without encoding and decoding). Then the same at -O2 with each pass left
out, where that changes the graph. With names, only those models are measured, and nothing is written.
"""

from __future__ import annotations

import os

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # LiteRT has a thread for each processor
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sensenet
from benchmarks.published.inputs import CLASSES, make_dense, make_document, make_numeric
from sensenet.artifact import Artifact
from sensenet.backends import get_target
from sensenet.frontend import import_graph
from sensenet.ir.cost import graph_multiply_adds, graph_parameters
from sensenet.ir.graph import Graph
from sensenet.ir.printer import print_graph
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.pretrained import NETWORKS, get_pretrained_network

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "passes.md"
EXAMPLES = {name: ROOT / "examples" / file for name, file in (
    ("iris", "iris.json"), ("diabetes", "diabetes.json"), ("shapes", "shapes.json.gz")
)}  # fmt: skip

SIZED = ("numpy", "tflite", "keras", "savedmodel", "tfjs")
TIMED = ("numpy", "tflite", "keras", "savedmodel")
LEFT_OUT_TIMED = ("numpy", "tflite")

SECONDS = 1.0
"""About so long each call is repeated."""

MOST_IN_NUMPY = 5e9
"""Multiply-adds beyond which the interpreter is not timed."""


def make_categories() -> dict[str, Any]:
    """Six columns, three of them categories of 500 values; two layers."""
    random = np.random.default_rng(0)
    values = [f"value {code}" for code in range(500)]
    columns = [make_numeric(index) for index in range(3)]
    columns += [{"type": "categorical", "index": 3 + index, "values": values} for index in range(3)]
    layers = [make_dense(random, 3 + 3 * 500, 64), make_dense(random, 64, CLASSES, "softmax")]
    return make_document(columns, layers)


def make_ensemble() -> dict[str, Any]:
    """Twenty columns, eight networks of two layers of 32 units."""
    random = np.random.default_rng(0)
    networks = [
        {
            "layers": [
                make_dense(random, 20, 32),
                make_dense(random, 32, 32),
                make_dense(random, 32, CLASSES, "softmax"),
            ],
            "trees": None,
            "output_exposition": {
                "type": "categorical",
                "values": [f"class {number}" for number in range(CLASSES)],
            },
        }
        for _ in range(8)
    ]
    document = make_document([make_numeric(index) for index in range(20)], [])
    return document | {"networks": networks}


def read_models() -> dict[str, Callable[[], Graph]]:
    """Each model's name, and how its graph is made."""
    sources: dict[str, Callable[[], Any]] = {
        **{name: lambda path=path: str(path) for name, path in EXAMPLES.items()},
        "categories": make_categories,
        "ensemble": make_ensemble,
        **{name: lambda name=name: get_pretrained_network(name) for name in NETWORKS},
    }
    return {name: lambda make=make: import_graph(make()) for name, make in sources.items()}


@frozen
class Figures:
    """What one graph costs: of sizes and times by target, in bytes and seconds."""

    nodes: int
    parameters: int
    multiply_adds: int
    sizes: dict[str, int]
    seconds: dict[str, float]


def make_feed(graph: Graph) -> dict[str, np.ndarray]:
    """One row or image, of the network's own size where the graph takes any."""
    random = np.random.default_rng(0)
    image = graph.signature.image
    pixels = () if image is None else (image.height or 64, image.width or 64, image.channels)
    feed = {}
    for node in graph.inputs:
        shape = (1, *pixels) if len(node.types[0].shape) == 4 else (1, node.types[0].shape[1] or 0)
        numbers = random.integers(0, 256, shape) if len(shape) == 4 else random.normal(size=shape)
        feed[node.name] = numbers.astype(np.float32)
    return feed


def best_seconds(run: Callable[[], object]) -> float:
    """Processor time of one call, the first left out."""
    run()
    start = time.process_time()
    run()
    once = max(time.process_time() - start, 1e-6)
    repeats = max(1, round(SECONDS / 5 / once))
    best = once
    for _ in range(5):
        start = time.process_time()
        for _ in range(repeats):
            run()
        best = min(best, (time.process_time() - start) / repeats)
    return best


def measure(graph: Graph, options: dict[str, Any], targets: Sequence[str]) -> Figures:
    """Compile a graph for targets with these options of `compile`, and run it."""
    artifacts: dict[str, Artifact] = {
        target: sensenet.compile(graph, target, **options) for target in targets
    }
    optimized = artifacts["numpy"].graph
    work = graph_multiply_adds(optimized)
    feed = make_feed(graph)
    seconds = {}
    for target in targets:
        if target in TIMED and (target != "numpy" or work <= MOST_IN_NUMPY):
            run = get_target(target).load(artifacts[target]).run
            seconds[target] = best_seconds(lambda run=run: run(feed))
    return Figures(
        nodes=len(optimized.nodes),
        parameters=graph_parameters(optimized),
        multiply_adds=work,
        sizes={target: sum(map(len, artifact.files.values())) for target, artifact in artifacts.items()},
        seconds=seconds,
    )


def count(number: float) -> str:
    """A number of parameters or multiply-adds, in thousands, millions or billions."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:g}"


def milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:.3g}"


def level_lines(name: str, graph: Graph) -> Iterator[str]:
    """A line for each level."""
    for level in PIPELINES:
        found = measure(graph, {"optimize": level}, SIZED)
        cells = [name, f"-O{level}", str(found.nodes), count(found.parameters), count(found.multiply_adds)]
        for target in SIZED:
            size = f"{found.sizes[target] / 1e3:,.0f}"
            time_taken = f"; {milliseconds(found.seconds.get(target))}" if target in TIMED else ""
            cells.append(size + time_taken)
        yield f"| {' | '.join(cells)} |"


def left_out_lines(name: str, graph: Graph) -> Iterator[str]:
    """A line for each pass of -O2 without which the graph is another."""
    text = print_graph(run_passes(graph, PIPELINES[2])[0])
    names = [
        each.name
        for each in PIPELINES[2]
        if print_graph(run_passes(graph, tuple(p for p in PIPELINES[2] if p is not each))[0]) != text
    ]
    full = measure(graph, {"optimize": 2}, LEFT_OUT_TIMED) if names else None
    for left_out in names:
        assert full is not None
        found = measure(
            graph, {"passes": [each.name for each in PIPELINES[2] if each.name != left_out]}, LEFT_OUT_TIMED
        )
        cells = [left_out, name, f"{found.nodes - full.nodes:+d}"]
        cells += [
            ratio(found.parameters, full.parameters),
            ratio(found.multiply_adds, full.multiply_adds),
            ratio(found.sizes["tflite"], full.sizes["tflite"]),
        ]
        cells += [
            ratio(found.seconds[target], full.seconds[target]) if target in full.seconds else "–"
            for target in LEFT_OUT_TIMED
        ]
        yield f"| {' | '.join(cells)} |"


def ratio(found: float, full: float) -> str:
    """`×1.25`; nothing where it is the same."""
    text = f"×{found / full:.2f}" if full else f"{found:g}"
    return "" if text == "×1.00" else text


def by_pass(line: str) -> int:
    """Where a line's pass stands in the pipeline."""
    return list(ALL_PASSES).index(line.split("|")[1].strip())


LEVELS = """\
`python benchmarks/passes.py` measures this, with one processor of {processor} ({system}): the graph's nodes,
float parameters and multiply-adds; for each target the size of its files in kB, and if it runs here the
processor time for one row or image in ms, without encoding and decoding. `categories` has three columns of
500 values each, `ensemble` is eight networks of two layers; their weights, and those of the pretrained
networks, are random. Initializers give layers of one shape the same numbers, which are stored once until a
pass makes them differ, so these networks are smaller here than trained ones.

| model | | nodes | parameters | multiply-adds | numpy | tflite | keras | savedmodel | tfjs |
|---|---|---|---|---|---|---|---|---|---|
"""

LEFT_OUT = """

With one pass of `-O2` left out, if that changes the graph: the number of additional nodes, and the ratio of
each other number, if it changes. The last two columns are processor time, of which up to a quarter either way
is noise.

| left out | model | nodes | parameters | multiply-adds | tflite file | numpy time | tflite time |
|---|---|---|---|---|---|---|---|
"""


def find_processor() -> str:
    """The processor's name, where Linux tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    wanted = sys.argv[1:]
    levels, left_out = [], []
    for name, make in read_models().items():
        if wanted and name not in wanted:
            continue
        graph = make()
        for lines, found in ((level_lines, levels), (left_out_lines, left_out)):
            for line in lines(name, graph):
                print(line, flush=True)
                found.append(line)
    if not wanted:
        left_out.sort(key=by_pass)
        introduction = LEVELS.format(
            processor=find_processor(), system=f"{platform.system()} {platform.machine()}"
        )
        RESULT.write_text(introduction + "\n".join(levels) + LEFT_OUT + "\n".join(left_out) + "\n")


if __name__ == "__main__":
    main()
