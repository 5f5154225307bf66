"""Weights are worked out in float64 and rounded once: each is as near to the exact number as can be."""

from __future__ import annotations

import numpy as np
import pytest

from sensenet.ir.graph import Graph, apply
from sensenet.ir.op import Op
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.tabular import Destandardize, Standardize
from sensenet.ir.types import Tensor, f32
from sensenet.passes import ALL_PASSES
from sensenet.signature import Signature

SIZE = 64
COLUMNS, IMAGE = (SIZE,), (3, 3, 8)
"""Of the inputs; a window as large as the image gives one pixel, so that each weight can be seen."""

ROUNDING = 0.5 + 1e-4
"""Of the distance between float32 neighbors: one rounding, and a little for those of float64."""

RNG = np.random.default_rng(11)


def numbers(*shape: int, scale: float = 1.0) -> Tensor:
    return Tensor.float32(RNG.normal(size=shape) * scale)


def positive(*shape: int) -> Tensor:
    return Tensor.float32(RNG.uniform(0.5, 2, shape))


def normalization(size: int) -> BatchNormalization:
    gamma, beta, mean = (numbers(size, scale=0.3) for _ in range(3))
    return BatchNormalization(gamma=gamma, beta=beta, mean=mean, variance=positive(size))


def standardization(size: int) -> Standardize:
    return Standardize(mean=numbers(size, scale=0.1), stdev=positive(size))


def dense() -> Dense:
    return Dense(kernel=numbers(SIZE, SIZE), bias=numbers(SIZE))


def convolution(window: int) -> Convolution2D:
    return Convolution2D(kernel=numbers(window, window, 8, 8), bias=numbers(8))


def depthwise() -> DepthwiseConvolution2D:
    return DepthwiseConvolution2D(kernel=numbers(3, 3, 8, 2), bias=numbers(16))


PAIRS = Gather(indices=Tensor.int32(np.append(np.arange(SIZE // 2), np.arange(SIZE // 2))))

CASES = {
    "dense, normalization": ("fold-batch-normalization", dense(), normalization(SIZE)),
    "normalization, dense": ("fold-batch-normalization", normalization(SIZE), dense()),
    "convolution, normalization": ("fold-batch-normalization", convolution(3), normalization(8)),
    "normalization, convolution": ("fold-batch-normalization", normalization(8), convolution(3)),
    "depthwise, normalization": ("fold-batch-normalization", depthwise(), normalization(16)),
    "normalization, depthwise": ("fold-batch-normalization", normalization(8), depthwise()),
    "standardization, dense": ("fold-standardization", standardization(SIZE), dense()),
    "dense, objective": ("fold-destandardization", dense(), Destandardize(mean=numbers(), stdev=positive())),
    "standardization, convolution": ("fold-pixel-standardization", standardization(8), convolution(3)),
    "dense, dense": ("merge-dense", dense(), dense()),
    "convolution, single pixels": ("merge-convolutions", convolution(3), convolution(1)),
    "single pixels, convolution": ("merge-convolutions", convolution(1), convolution(3)),
    "gather, dense": ("fold-gathers", PAIRS, dense()),
}
"""A pass, and two ops of which it makes one."""


def scaled(op: Op, x: np.ndarray) -> np.ndarray:
    """What an op makes of float64 numbers, but for what it adds to all of them."""
    match op:
        case Dense():
            return x @ op.kernel.float64
        case BatchNormalization():
            return x * op.gamma.float64 / np.sqrt(op.variance.float64 + op.epsilon)
        case Standardize():
            return x / op.stdev.float64
        case Destandardize():
            return x * op.stdev.float64
        case Gather():
            return x[..., op.indices.array]
        case Convolution2D() if op.window == (1, 1):
            return x @ op.kernel.float64[0, 0]
        case Convolution2D():
            return np.einsum("bijc,ijco->bo", x, op.kernel.float64)[:, None, None]
        case DepthwiseConvolution2D():
            return np.einsum("bijc,ijcm->bcm", x, op.kernel.float64).reshape(len(x), 1, 1, -1)
    raise AssertionError(op)


def added(op: Op) -> np.ndarray | float:
    match op:
        case BatchNormalization():
            return op.beta.float64 - scaled(op, op.mean.float64)
        case Standardize():
            return -scaled(op, op.mean.float64)
        case Destandardize():
            return op.mean.float64
        case Dense() | Convolution2D() | DepthwiseConvolution2D():
            return op.bias.float64
    return 0.0


def assert_rounded_once(got: np.ndarray, exact: np.ndarray) -> None:
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert np.all(np.abs(got - exact) <= ROUNDING * unit)


@pytest.mark.parametrize("case", CASES)
def test_each_weight_is_rounded_once(case):
    name, first, second = CASES[case]
    shape = IMAGE if "convolution" in case or "depthwise" in case else COLUMNS
    shape = (SIZE // 2,) if first is PAIRS else shape
    x = apply(Input(type=f32(None, *shape)), name="x")
    y = apply(second, apply(first, x.value).value).value
    after = ALL_PASSES[name].run(Graph.create([x], {"y": y}, Signature()))
    (op,) = (node.op for node in after.nodes if node.inputs)
    each = np.eye(np.prod(shape)).reshape(-1, *shape)
    assert_rounded_once(scaled(op, each), scaled(second, scaled(first, each)))
    shift = scaled(second, scaled(first, np.zeros((1, *shape))) + added(first)) + added(second)
    assert_rounded_once(np.broadcast_to(added(op), shift.shape), shift)
