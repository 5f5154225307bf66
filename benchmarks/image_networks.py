"""What -O2 does to the pretrained networks: nodes, seconds of the passes, milliseconds for an image.

    python benchmarks/image_networks.py [NETWORK…]

Weights come from initializers; an image has the network's own size. Processor time of one thread: of the
passes of -O2, once; of the interpreter (numpy), of LiteRT (tflite) and of Keras, the best of several runs; at
-O2 in LiteRT also that of two images in one batch.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import numpy as np

import sensenet
from sensenet.backends import get_target
from sensenet.frontend import import_graph
from sensenet.ir.graph import Graph
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.pretrained import NETWORKS, get_pretrained_network

RUNS = 7
TARGETS = ("numpy", "tflite", "keras")


def best(run: Callable[[], object]) -> float:
    """Milliseconds of processor time, the first run left out."""
    run()
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def images(graph: Graph, count: int) -> dict[str, np.ndarray]:
    image = graph.signature.image
    assert image is not None
    shape = (count, image.height, image.width, image.channels)
    numbers = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    return {node.name: numbers for node in graph.inputs}


def measure(name: str) -> None:
    graph = import_graph(get_pretrained_network(name))
    start = time.process_time()
    optimized, _ = run_passes(graph, PIPELINES[2])
    cells = [f"{len(graph.nodes)} → {len(optimized.nodes)}", f"{time.process_time() - start:.1f} s"]
    for target, level in itertools.product(TARGETS, (0, 2)):
        run = get_target(target).load(sensenet.compile(graph, target, optimize=level)).run
        counts = (1, 2) if (target, level) == ("tflite", 2) else (1,)
        cells += [f"{best(functools.partial(run, images(graph, count))):.0f}" for count in counts]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    levels = " | ".join(
        f"{target} -O0 | -O2" + (" | two images" if target == "tflite" else "") for target in TARGETS
    )
    print(f"| network | nodes | passes | {levels} |")
    for name in sys.argv[1:] or NETWORKS:
        measure(name)


if __name__ == "__main__":
    main()
