"""Which engine answers soonest: networks of growing size × engines × rows at once.

    python benchmarks/engines.py [--engines native,numpy,tflite,keras] [NETWORK…]

Without names, networks of images (three convolutions) and of columns (three dense layers) that grow by
their number of filters or units; a name is that of a pretrained network, its weights from initializers. Each
cell is milliseconds of wall time for one row, and in brackets of processor time of all threads: the best of
several runs of the engine alone, whose inputs are arrays. `ready` is seconds of wall time from the imported
graph to the first answer, without the import of TensorFlow, which is told once. Every engine's answers are
compared with the interpreter's.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from sensenet.errors import UnsupportedOpError
from sensenet.frontend import import_graph
from sensenet.ir.cost import graph_multiply_adds
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph
from sensenet.models.engines import run_graph
from sensenet.pretrained import get_pretrained_network

IMAGES_AT_ONCE, ROWS_AT_ONCE = (1, 16, 64), (1, 64, 4096)
IMAGES = ((32, 4), (32, 8), (64, 8), (64, 16), (112, 16), (112, 32), (160, 32), (160, 64), (224, 64))
"""Sides of images and numbers of filters."""

UNITS = (64, 512, 2048)
COLUMNS, CLASSES = 30, 10
SECONDS, FEWEST_RUNS, MOST_RUNS = 0.3, 3, 200

Json = dict[str, Any]


def convolutional(random: np.random.Generator, side: int, filters: int) -> Json:
    """Three convolutions of 3 × 3 pixels, each of which halves the image."""
    layers: list[Json] = []
    for channels in (3, filters, filters):
        kernel = random.normal(0, np.sqrt(2 / (9 * channels)), (3, 3, channels, filters))
        layers.append(
            {
                "type": "convolution_2d",
                "kernel": kernel.tolist(),
                "bias": [0.0] * filters,
                "strides": [2, 2],
                "padding": "same",
                "activation_function": "relu",
            }
        )
    metadata = {
        "base_image_network": "growing",
        "input_image_shape": [side, side, 3],
        "loading_method": "normalizing",
    }
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {"metadata": metadata, "layers": [*layers, {"type": "global_average_pool_2d"}]},
        **classifier(random, (filters,)),
    }


def tabular(random: np.random.Generator, units: int) -> Json:
    """Three dense layers over numbers."""
    columns = [{"type": "numeric", "index": index, "mean": 0, "stdev": 1} for index in range(COLUMNS)]
    return {"preprocess": columns, **classifier(random, (COLUMNS, units, units, units))}


def classifier(random: np.random.Generator, sizes: tuple[int, ...]) -> Json:
    """Dense layers of those sizes, and one of the classes."""
    layers = [
        {
            "type": "dense",
            "weights": (random.normal(size=(inputs, units)) / np.sqrt(inputs)).tolist(),
            "offset": [0.0] * units,
            "activation_function": "softmax" if last else "relu",
        }
        for inputs, units, last in zip(
            sizes, (*sizes[1:], CLASSES), [False] * (len(sizes) - 1) + [True], strict=True
        )
    ]
    classes = [f"class {number}" for number in range(CLASSES)]
    return {"layers": layers, "output_exposition": {"type": "categorical", "values": classes}}


def networks(names: list[str]) -> Iterator[tuple[str, Graph]]:
    random = np.random.default_rng(0)
    for name in names:
        yield name, import_graph(get_pretrained_network(name))
    if not names:
        for side, filters in IMAGES:
            yield f"{filters} filters, {side} × {side}", import_graph(convolutional(random, side, filters))
        for units in UNITS:
            yield f"{units} units", import_graph(tabular(random, units))


def make_inputs(graph: Graph, rows: int) -> dict[str, np.ndarray]:
    random, image = np.random.default_rng(1), graph.signature.image
    (node,) = graph.inputs
    if image is None:
        return {node.name: random.normal(size=(rows, COLUMNS)).astype(np.float32)}
    pixels = random.integers(0, 256, (rows, image.height, image.width, image.channels))
    return {node.name: pixels.astype(np.float32)}


def best(run: Callable[[], object]) -> tuple[float, float]:
    """Least seconds of wall time and of processor time."""
    run()
    end = time.perf_counter() + SECONDS
    walls, processors = [], []
    while len(walls) < FEWEST_RUNS or (time.perf_counter() < end and len(walls) < MOST_RUNS):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors)


def measure(name: str, graph: Graph, engine: str) -> None:
    counts = IMAGES_AT_ONCE if graph.signature.image else ROWS_AT_ONCE
    start = time.perf_counter()
    try:
        run = run_graph(graph, engine).run
    except UnsupportedOpError:
        return  # native code takes no images
    run(make_inputs(graph, 1))
    cells = [f"{time.perf_counter() - start:.1f} s"]
    run(make_inputs(graph, counts[1]))  # native compiles for many rows, and answers few at first without that
    for count in counts:
        inputs = make_inputs(graph, count)
        wall, processor = (1e3 * seconds / count for seconds in best(lambda inputs=inputs: run(inputs)))
        cells.append(f"{wall:.3g} ({processor:.3g})")
    answers, expected = (each(make_inputs(graph, 2)) for each in (run, lambda feed: evaluate(graph, feed)))
    for output, array in expected.items():
        np.testing.assert_allclose(answers[output], array, 1e-3, 1e-4 * np.abs(array).max(), err_msg=name)
    amount = f"{graph_multiply_adds(graph) / 1e6:.3g} M"
    print(f"| {name} | {amount} | {engine} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NETWORK")
    parser.add_argument("--engines", default="native,numpy,tflite,keras")
    options = parser.parse_args()
    engines = options.engines.split(",")
    if set(engines) - {"native", "numpy", "ir"}:
        start = time.perf_counter()
        run_graph(import_graph(tabular(np.random.default_rng(0), 1)), "keras")
        print(f"Importing TensorFlow and making a first model: {time.perf_counter() - start:.1f} s\n")
    counts = " | ".join(
        f"{few} ({many})" if few != many else f"{few}"
        for few, many in zip(IMAGES_AT_ONCE, ROWS_AT_ONCE, strict=True)
    )
    print(f"| network | multiply-adds | engine | ready | {counts} |\n|---|---|---|---|---|---|---|")
    for name, graph in networks(options.names):
        for engine in engines:
            measure(name, graph, engine)


if __name__ == "__main__":
    main()
