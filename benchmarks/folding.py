"""How far folding moves answers, as a share of the tolerance of -O2: the numbers behind three limits.

    python benchmarks/folding.py

For each number of columns and each shift, which is the Euclidean length of the vector mean / stdev: 60 random
networks (so many columns, 16 units with relu, one output) on 400 normally distributed rows each; the worst
error of the optimised graph against the graph as it was, as a share of 1e-6 + 1e-5 · |answer|, in the median
network and in the worst.
"""

from __future__ import annotations

from unittest.mock import patch

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, BatchNormalization, Dense
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Tensor, f32
from sensenet.passes import fold_batch_normalization, fold_standardization
from sensenet.passes.infrastructure.rules import Pass
from sensenet.signature import Signature

ROWS, NETWORKS, UNITS = 400, 60, 16


def layer(rng: np.random.Generator, inputs: int, outputs: int, bias: np.ndarray) -> Dense:
    kernel = rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
    return Dense(kernel=Tensor.float32(kernel), bias=Tensor.float32(bias))


def normalization(rng: np.random.Generator, mean: np.ndarray, stdev: np.ndarray) -> BatchNormalization:
    return BatchNormalization(
        gamma=Tensor.float32(np.exp(0.3 * rng.normal(size=len(mean)))),
        beta=Tensor.float32(0.3 * rng.normal(size=len(mean))),
        mean=Tensor.float32(mean),
        variance=Tensor.float32(stdev**2),
        epsilon=0.0,
    )


def direction(rng: np.random.Generator, size: int, length: float) -> np.ndarray:
    vector = rng.normal(size=size)
    return vector * length / np.linalg.norm(vector)


def standardized(rng: np.random.Generator, columns: int, shift: float) -> tuple[Graph, np.ndarray]:
    """Standardised columns."""
    stdev = np.exp(2 * rng.normal(size=columns))
    mean = stdev * direction(rng, columns, shift)
    op = Standardize(mean=Tensor.float32(mean), stdev=Tensor.float32(stdev))
    first = layer(rng, columns, UNITS, 0.1 * rng.normal(size=UNITS))
    return network(rng, [op, first], columns), rng.normal(size=(ROWS, columns)) * stdev + mean


def normalized_before(rng: np.random.Generator, columns: int, shift: float) -> tuple[Graph, np.ndarray]:
    """Batch normalization before a layer."""
    stdev = np.exp(rng.normal(size=columns))
    mean = stdev * direction(rng, columns, shift)
    first = layer(rng, columns, UNITS, 0.1 * rng.normal(size=UNITS))
    graph = network(rng, [normalization(rng, mean, stdev), first], columns)
    return graph, rng.normal(size=(ROWS, columns)) * stdev + mean


def normalized_after(rng: np.random.Generator, columns: int, shift: float) -> tuple[Graph, np.ndarray]:
    """Batch normalization after a layer."""
    mean = direction(rng, UNITS, shift)
    first = layer(rng, columns, UNITS, mean + 0.1 * rng.normal(size=UNITS))
    graph = network(rng, [first, normalization(rng, mean, np.ones(UNITS))], columns)
    return graph, rng.normal(size=(ROWS, columns))


def network(rng: np.random.Generator, ops: list, columns: int) -> Graph:
    """These ops, then relu and a layer of one unit."""
    x = apply(Input(type=f32(None, columns)), name="x")
    value = x.value
    for op in (*ops, Activation(function=ActivationFunction.RELU), layer(rng, UNITS, 1, np.zeros(1))):
        value = apply(op, value).value
    return Graph.create([x], {"y": value}, Signature())


def error(graph: Graph, folding: Pass, x: np.ndarray) -> float:
    inputs = {"x": x.astype(np.float32)}
    before, after = (evaluate(each, inputs)["y"] for each in (graph, folding.run(graph)))
    return float(np.max(np.abs(after - before) / (1e-6 + 1e-5 * np.abs(before))))


def report(title: str, make, folding: Pass, shifts: tuple[float, ...]) -> None:
    print(f"\n{title}: median/worst share of the tolerance")
    print("columns " + "".join(f"{f'shift {shift:g}':>13}" for shift in shifts))
    for columns in (1, 4, 16, 64, 256):
        cells = []
        for shift in shifts:
            rng = np.random.default_rng(0)
            errors = [
                error(graph, folding, x) for graph, x in (make(rng, columns, shift) for _ in range(NETWORKS))
            ]
            cells.append(f"{np.median(errors):.2f}/{max(errors):.2f}")
        print(f"{columns:7d} " + "".join(f"{cell:>13}" for cell in cells))


def main() -> None:
    shifts = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 128.0)
    with patch.object(fold_standardization, "LARGEST_SHIFT", np.inf):
        report("standardisation, all folded", standardized, fold_standardization.PASS, shifts)
    with patch.object(fold_standardization, "LARGEST_SHIFT", -1.0):
        report("standardisation, subtraction kept", standardized, fold_standardization.PASS, shifts)
    with (
        patch.object(fold_batch_normalization, "LARGEST_SHIFT_BEFORE", np.inf),
        patch.object(fold_batch_normalization, "LARGEST_SHIFT_AFTER", np.inf),
    ):
        report("batch normalization before a layer", normalized_before, fold_batch_normalization.PASS, shifts)
        report("batch normalization after a layer", normalized_after, fold_batch_normalization.PASS, shifts)


if __name__ == "__main__":
    main()
