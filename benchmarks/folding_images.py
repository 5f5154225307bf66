"""How far folding into convolutions moves answers: behind two limits, and the folding of pixels' means.

    python benchmarks/folding_images.py

For random convolutions without padding, on images of 12 × 12 pixels: the largest error, as a share of
1e-6 + 1e-5 · (largest result), of the results as they were and of the folded convolution's, both against the
same in float64, and the largest difference between the two, which is what -O2 promises to keep below 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import patch

import numpy as np

from sensenet.frontend.images import LOADING_METHODS
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.op import Op
from sensenet.ir.ops.convolution import Convolution2D
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import BatchNormalization
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.ops.windows import view_windows
from sensenet.ir.types import Tensor, f32
from sensenet.passes import fold_batch_normalization, fold_pixel_standardization
from sensenet.passes.infrastructure.rules import Pass
from sensenet.signature import Signature

SIZE, IMAGES = 12, 4
KERNELS = ((1, 1, 16, 32), (3, 3, 3, 32), (3, 3, 64, 64), (1, 1, 512, 64))
SHIFTS = (0.0, 1.0, 4.0, 16.0, 64.0, 256.0)
DIRECTIONS = {"kernels of either sign": 0.0, "kernels mostly positive": 0.3}


def kernel(rng: np.random.Generator, shape: tuple[int, ...], tendency: float = 0.0) -> np.ndarray:
    return (rng.normal(size=shape) + tendency) / np.sqrt(np.prod(shape[:3]))


def normalization(mean: np.ndarray, stdev: np.ndarray) -> BatchNormalization:
    ones, zeros = (Tensor.float32(np.full(len(mean), value)) for value in (1.0, 0.0))
    return BatchNormalization(
        gamma=ones, beta=zeros, mean=Tensor.float32(mean), variance=Tensor.float32(stdev**2), epsilon=0.0
    )


def after(rng: np.random.Generator, shape: tuple[int, ...], shift: float) -> tuple[list[Op], np.ndarray]:
    """A convolution whose bias makes the means that the normalization takes away again."""
    mean = shift * rng.choice([-1.0, 1.0], size=shape[3])
    layer = Convolution2D(kernel=Tensor.float32(kernel(rng, shape)), bias=Tensor.float32(mean))
    return [layer, normalization(mean, np.ones(shape[3]))], rng.normal(size=(IMAGES, SIZE, SIZE, shape[2]))


def before(
    rng: np.random.Generator, shape: tuple[int, ...], shift: float, tendency: float
) -> tuple[list[Op], np.ndarray]:
    """Channels with such means, in deviations, which the normalization takes away."""
    stdev = np.exp(rng.normal(size=shape[2]))
    images = rng.normal(size=(IMAGES, SIZE, SIZE, shape[2])) * stdev + shift * stdev
    layer = Convolution2D(kernel=Tensor.float32(kernel(rng, shape, tendency)))
    return [normalization(shift * stdev, stdev), layer], images


def loaded(rng: np.random.Generator, shape: tuple[int, ...], method: str) -> tuple[list[Op], np.ndarray]:
    """Pixels, standardised as a loading method says."""
    mean, stdev = (Tensor.float32(np.asarray(numbers)) for numbers in LOADING_METHODS[method])
    layer = Convolution2D(kernel=Tensor.float32(kernel(rng, shape)))
    return [Standardize(mean=mean, stdev=stdev), layer], rng.integers(0, 256, (IMAGES, SIZE, SIZE, 3))


def in_float64(ops: Iterable[Op], images: np.ndarray) -> np.ndarray:
    value = images.astype(np.float32).astype(np.float64)
    for op in ops:
        match op:
            case Convolution2D(kernel=weights, bias=bias):
                value = np.tensordot(view_windows(value, op.window, (1, 1)), weights.float64, 3)
                value = value if bias is None else value + bias.float64
            case BatchNormalization():
                scale, shift = op.scale_and_shift()
                value = value * scale + shift
            case Standardize(mean=mean, stdev=stdev):
                value = (value - mean.float64) / stdev.float64
    return value


def measure(ops: list[Op], images: np.ndarray, folding: Pass) -> str:
    x = apply(Input(type=f32(None, *images.shape[1:])), name="x")
    value = x.value
    for op in ops:
        value = apply(op, value).value
    graph = Graph.create([x], {"y": value}, Signature())
    folded = folding.run(graph)
    assert len(folded.nodes) == 2
    feed = {"x": images.astype(np.float32)}
    plain, other = (evaluate(each, feed)["y"].astype(np.float64) for each in (graph, folded))
    exact = in_float64(ops, images)
    tolerance = 1e-6 + 1e-5 * np.max(np.abs(exact))
    errors = (np.max(np.abs(a - b)) / tolerance for a, b in ((plain, exact), (other, exact), (plain, other)))
    return " ".join(f"{error:6.3f}" for error in errors)


def report(title: str, make, folding: Pass, choices: Iterable) -> None:
    print(f"\n{title}: error as it was, error folded, difference")
    for shape in KERNELS:
        for choice in choices:
            ops, images = make(np.random.default_rng(0), shape, choice)
            print(f"{shape!s:17} {choice!s:25} {measure(ops, images, folding)}")


def main() -> None:
    with (
        patch.object(fold_batch_normalization, "LARGEST_SHIFT_BEFORE_CONVOLUTION", np.inf),
        patch.object(fold_batch_normalization, "LARGEST_SHIFT_AFTER_CONVOLUTION", np.inf),
    ):
        folding = fold_batch_normalization.PASS
        report("batch normalization after a convolution", after, folding, SHIFTS)
        for title, tendency in DIRECTIONS.items():

            def make(rng, shape, shift, tendency=tendency):
                return before(rng, shape, shift, tendency)

            report(f"batch normalization before a convolution, {title}", make, folding, SHIFTS)
    with patch(f"{__name__}.KERNELS", ((3, 3, 3, 32), (7, 7, 3, 64))):
        report("pixels", loaded, fold_pixel_standardization.PASS, LOADING_METHODS)


if __name__ == "__main__":
    main()
