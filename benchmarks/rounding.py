"""How far -O2 moves what pretrained networks compute, next to what the last bit of their weights does.

    python benchmarks/rounding.py [NETWORK…]

Kernels are random, and every batch normalization is fitted to what it reads for a random image, so that all
numbers are of ordinary size. For each output (for a detector, what its branches say): the largest number, the
largest change by -O2, and that by adding or taking the last bit of every kernel's weights at random.
"""

from __future__ import annotations

import sys

import attrs
import numpy as np

from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.op import Op
from sensenet.ir.ops.convolution import DepthwiseConvolution2D
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import BatchNormalization
from sensenet.ir.ops.detection import DecodeBoxes
from sensenet.ir.types import Array, Tensor
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.pretrained import NETWORKS, get_pretrained_network

SIZE = 180
KERNELS = ("kernel", "depth_kernel", "point_kernel")


def make_image(rng: np.random.Generator) -> Array:
    """A coarse pattern with some noise."""
    blocks = rng.integers(0, 236, (1, SIZE // 20, SIZE // 20, 3)).repeat(20, axis=1).repeat(20, axis=2)
    image: Array = (blocks + rng.integers(0, 20, blocks.shape)).astype(np.float32)
    return image


def with_kernels(op: Op, change) -> Op:
    """The op with `change(name, kernel)` for each of its kernels."""
    kernels = {name: change(name, getattr(op, name)) for name in KERNELS if hasattr(op, name)}
    return attrs.evolve(op, **kernels) if kernels else op


def fit(graph: Graph, image: Array, rng: np.random.Generator) -> Graph:
    """The graph with random kernels, and normalizations for this image."""
    values: dict[Value, Array] = {node.value: image for node in graph.inputs}

    def draw(name: str, kernel: Tensor, by_channel: bool) -> Tensor:
        read = kernel.shape[:2] if by_channel or name == "depth_kernel" else kernel.shape[:-1]
        return Tensor.float32(rng.normal(size=kernel.shape) / np.sqrt(np.prod(read)))

    def normalize(op: BatchNormalization, x: Array) -> BatchNormalization:
        pixels = x.reshape(-1, x.shape[-1]).astype(np.float64)
        channels = pixels.shape[1]
        return attrs.evolve(
            op,
            mean=Tensor.float32(pixels.mean(axis=0)),
            variance=Tensor.float32(pixels.var(axis=0) + 1e-3 * pixels.var()),
            gamma=Tensor.float32(rng.uniform(0.5, 1.5, channels)),
            beta=Tensor.float32(rng.normal(size=channels) * 0.3),
        )

    def replace(node: Node) -> tuple[Value, ...]:
        inputs = [values[value] for value in node.inputs]
        if isinstance(node.op, BatchNormalization):
            op: Op = normalize(node.op, inputs[0])
        else:
            by_channel = isinstance(node.op, DepthwiseConvolution2D)
            op = with_kernels(node.op, lambda name, kernel: draw(name, kernel, by_channel))
        made = apply(op, *node.inputs, name=node.name)
        results = op.value.array if isinstance(op, Constant) else op.evaluate(*inputs)
        values.update(zip(made.values, results if isinstance(results, tuple) else (results,), strict=True))
        return made.values

    return rebuild(graph, replace)


def with_branches(graph: Graph) -> Graph:
    """A detector's graph with what its branches say as the only outputs; another graph itself."""
    branches = {node.name: node.inputs[0] for node in graph.nodes if isinstance(node.op, DecodeBoxes)}
    return Graph.create(graph.inputs, branches, graph.signature) if branches else graph


def with_other_last_bits(graph: Graph, rng: np.random.Generator) -> Graph:
    def move(_: str, kernel: Tensor) -> Tensor:
        targets = np.where(rng.random(kernel.shape) < 0.5, np.inf, -np.inf).astype(np.float32)
        return Tensor(np.nextafter(kernel.array, targets))

    return rebuild(
        graph, lambda node: apply(with_kernels(node.op, move), *node.inputs, name=node.name).values
    )


def main() -> None:
    print("network output largest -O2 last bits")
    for name in sys.argv[1:] or NETWORKS:
        rng = np.random.default_rng(0)
        image = make_image(rng)
        with np.errstate(all="ignore"):
            graph = with_branches(fit(import_graph(get_pretrained_network(name)), image, rng))
        optimized, _ = run_passes(graph, PIPELINES[2])
        feed = {node.name: image for node in graph.inputs}
        before, *others = (
            evaluate(each, feed) for each in (graph, optimized, with_other_last_bits(graph, rng))
        )
        for output, numbers in before.items():
            changes = " ".join(f"{np.max(np.abs(other[output] - numbers)):.1e}" for other in others)
            print(f"{name} {output} {np.max(np.abs(numbers)):.2g} {changes}", flush=True)


if __name__ == "__main__":
    main()
