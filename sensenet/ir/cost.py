"""The costs of nodes and graphs: parameters and multiplications; `memory` has the bytes that they take.

A size that is unknown until run time counts as 1. So the costs are those of one row, and of one image if its
height and width are known (a graph rescales images to the network's size first, unless it accepts any size);
if they are unknown, a layer's cost is that of one pixel of its result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from sensenet.ir.graph import Graph, Node
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    arithmetic,
    control,
    convolution,
    dense,
    detection,
    pooling,
    quantization,
    reduction,
    shape,
    tabular,
)
from sensenet.ir.printer import tensors_of
from sensenet.ir.region import regions_of
from sensenet.ir.types import DType, Tensor, TensorType


def parameters(node: Node) -> int:
    """Return the number of float32 numbers in the node's op: weights, statistics, thresholds, constants."""
    return _count_floats(tensors_of(node.op))


def graph_parameters(graph: Graph) -> int:
    """Return the number of float32 numbers in the graph; a tensor that several nodes share counts once."""
    tensors = {id(tensor): tensor for node in graph.nodes for tensor in tensors_of(node.op)}
    return _count_floats(tensors.values())


def multiply_adds(node: Node) -> int:
    """Return the number of multiplications or divisions, each with its addition, for one row or image.

    Separate additions, comparisons, activation functions and copies do not count.
    """
    count = MULTIPLY_ADDS.get(type(node.op))
    return 0 if count is None else count(node)


def graph_multiply_adds(graph: Graph) -> int:
    """Return the sum of `multiply_adds` over all nodes."""
    return sum(map(multiply_adds, graph.nodes))


def _count_floats(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.array.size for tensor in tensors if tensor.type.dtype is DType.FLOAT32)


def _size(of: TensorType) -> int:
    """Return the number of entries, unknown sizes as 1."""
    return math.prod(1 if size is None else size for size in of.shape)


def _one_each(node: Node) -> int:
    """Return the number of entries of the result."""
    return _size(node.types[0])


def _dense(node: Node) -> int:
    """Return (entries of the result) · (inputs of each)."""
    return _size(node.types[0]) * _kernel(node.op).shape[0]


def _batched_dense(node: Node) -> int:
    """Return (entries of the result) · (inputs of each)."""
    return _size(node.types[0]) * _kernel(node.op).shape[1]


def _convolution(node: Node) -> int:
    """Return (entries of the result) · (pixels of the window) · (input channels)."""
    return _size(node.types[0]) * math.prod(_kernel(node.op).shape[:3])


def _depthwise_convolution(node: Node) -> int:
    """Return (entries of the result) · (pixels of the window)."""
    return _size(node.types[0]) * math.prod(_kernel(node.op).shape[:2])


def _separable_convolution(node: Node) -> int:
    """Return the multiplications of a depthwise and of a 1x1 convolution."""
    op = node.op
    assert isinstance(op, convolution.SeparableConvolution2D)
    pixels = _size(node.types[0].with_last(1))
    return pixels * (op.depth_kernel.array.size + op.point_kernel.array.size)


def _mat_mul(node: Node) -> int:
    """Return (entries of the result) · (inner size)."""
    inner = node.inputs[0].type.shape[-1]
    return _size(node.types[0]) * (1 if inner is None else inner)


def _upsample(node: Node) -> int:
    """Return, if bilinear, one for each entry of the image enlarged along the rows and of the result."""
    op, result = node.op, _size(node.types[0])
    assert isinstance(op, convolution.Upsample2D)
    return result // op.size[0] + result if op.method is convolution.UpsampleMethod.BILINEAR else 0


def _resize(node: Node) -> int:
    """Return, if bilinear, two for each entry of the result: one per axis."""
    op = node.op
    assert isinstance(op, shape.Resize2D)
    return 2 * _size(node.types[0]) if op.method is convolution.UpsampleMethod.BILINEAR else 0


def _decode_boxes(node: Node) -> int:
    """Return, for each box, one per class for its scores, and 4 each for center, sides and corners."""
    op = node.op
    assert isinstance(op, detection.DecodeBoxes)
    return _size(node.types[1]) * (op.classes + 12)


def _while(node: Node) -> int:
    """Return the multiplications of condition and body, each counted once: the number of steps is unknown."""
    return sum(graph_multiply_adds(region.graph) for region in regions_of(node.op))


def _kernel(op: Op) -> Tensor:
    kernel = getattr(op, "kernel")  # noqa: B009 - of several classes
    assert isinstance(kernel, Tensor)
    return kernel


MULTIPLY_ADDS: dict[type[Op], Callable[[Node], int]] = {
    tabular.Standardize: _one_each,
    tabular.Destandardize: _one_each,
    tabular.Forest: _one_each,  # the division of a mean
    dense.Dense: _dense,
    dense.BatchedDense: _batched_dense,
    dense.BatchNormalization: _one_each,
    convolution.Convolution2D: _convolution,
    convolution.DepthwiseConvolution2D: _depthwise_convolution,
    convolution.SeparableConvolution2D: _separable_convolution,
    pooling.AveragePool2D: _one_each,
    pooling.GlobalAveragePool2D: _one_each,
    convolution.Upsample2D: _upsample,
    detection.DecodeBoxes: _decode_boxes,
    detection.ScaleBoxes: _one_each,
    arithmetic.Average: _one_each,
    reduction.Mean: _one_each,
    arithmetic.Multiply: _one_each,
    arithmetic.Divide: _one_each,
    dense.MatMul: _mat_mul,
    shape.Resize2D: _resize,
    quantization.Quantize: _one_each,
    quantization.Dequantize: _one_each,
    control.While: _while,
}
"""The function that counts the multiply-adds of a node, by op. Other ops have none."""
