"""The costs of nodes and graphs: parameters, multiplications, and memory.

A size that is unknown until run time counts as 1. So the costs are those of one row, and of one image if its
height and width are known (a graph rescales images to the network's size first, unless it accepts any size);
if they are unknown, a layer's cost is that of one pixel of its result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from sensenet.errors import VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    basic,
    control,
    convolution,
    core,
    dense,
    detection,
    image,
    quantization,
    shape,
    tabular,
)
from sensenet.ir.ops.windows import BUFFER_ELEMENTS, Pair, within_image
from sensenet.ir.printer import tensors_of
from sensenet.ir.region import regions_of
from sensenet.ir.types import DType, Tensor, TensorType, bytes_of


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


def activation_bytes(graph: Graph, inputs: Mapping[str, tuple[int, ...]]) -> int:
    """Return the peak memory in bytes, without weights, while the graph runs on inputs of these shapes.

    Counts the values that are still needed, and the temporary arrays of the running node. Types with unknown
    sizes are inferred again from the shapes of the inputs.
    """
    types: dict[Value, TensorType] = {}
    last_reader = {value: node for node in graph.nodes for value in node.inputs}
    live = most = 0
    for node in graph.nodes:
        types |= dict(zip(node.values, _concrete_types(node, types, inputs), strict=True))
        if isinstance(node.op, core.Constant):
            continue
        results, operands = ([types[value] for value in values] for values in (node.values, node.inputs))
        live += sum(map(bytes_of, results))
        most = max(most, live + _working_bytes(node.op, results, operands))
        read = [value for value in dict.fromkeys(node.inputs) if last_reader[value] is node]
        unread = [value for value in node.values if value not in last_reader]
        freed = [value for value in (*read, *unread) if value not in graph.outputs.values()]
        live -= sum(bytes_of(types[value]) for value in freed if not isinstance(value.op, core.Constant))
    return most


def _concrete_types(
    node: Node, types: Mapping[Value, TensorType], inputs: Mapping[str, tuple[int, ...]]
) -> tuple[TensorType, ...]:
    """Return the types of a node's results; the declared ones if they only leave the number of rows open."""
    if isinstance(node.op, core.Input) and node.name in inputs:
        return (node.types[0].with_shape(inputs[node.name]),)
    if all(None not in declared.shape[1:] for declared in node.types):
        return node.types
    try:
        inferred = node.op.infer(*(types[value] for value in node.inputs))
    except VerifyError:  # running the graph will raise an error for these sizes
        return node.types
    return inferred if isinstance(inferred, tuple) else (inferred,)


def _working_bytes(op: Op, results: Sequence[TensorType], operands: Sequence[TensorType]) -> int:
    """Return an upper bound on the bytes of a node's temporary arrays, besides operands and results."""
    return _result_copies(op) * sum(map(bytes_of, results)) + _window_bytes(op, results, operands)


def _result_copies(op: Op) -> int:
    """Return the most temporary arrays of the size of the result."""
    if ActivationFunction.GELU in (getattr(op, name, None) for name in ("activation", "function")):
        return GELU_COPIES
    interpolates = isinstance(op, convolution.Upsample2D | shape.Resize2D | image.Rescale)
    return INTERPOLATED_COPIES if interpolates else COPIES


def _window_bytes(op: Op, results: Sequence[TensorType], operands: Sequence[TensorType]) -> int:
    """Return the bytes of padded images, of copied windows, and of the state of walking trees."""
    match op:
        case tabular.Forest():
            return FOREST_BYTES * len(op.roots.array)
        case convolution.Convolution2D():
            windows = results[0].with_last(math.prod(op.kernel.shape[:3]))
            at_a_time = max(bytes_of(windows.with_shape((1, 1, *windows.shape[2:]))), BUFFER_BYTES)
            return bytes_of(_padded(operands[0], op.window)) + min(bytes_of(windows), at_a_time)
        case convolution.DepthwiseConvolution2D(kernel=kernel):
            return _depthwise_bytes(operands[0], kernel)
        case convolution.SeparableConvolution2D(depth_kernel=kernel, point_kernel=point_kernel):
            between = bytes_of(results[0].with_last(point_kernel.shape[2]))
            return _depthwise_bytes(operands[0], kernel) + (1 + COPIES) * between
        case convolution.Pool():
            return _pool_bytes(operands[0], op)
    return 0


def _depthwise_bytes(x: TensorType, kernel: Tensor) -> int:
    """Return the bytes of the image with repeated channels, its padded copy, and a row of kernels."""
    height, width, channels, multiplier = kernel.shape
    padded = _padded(x, (height, width)).with_last(channels * multiplier)
    kernels = padded.with_shape((height, width, *padded.shape[2:]))
    return 2 * bytes_of(padded) + min(bytes_of(kernels), max(bytes_of(kernel.type), BUFFER_BYTES))


def _pool_bytes(x: TensorType, op: convolution.Pool) -> int:
    """Return the bytes of a padded copy and of the results by column; a mean also counts pixels so."""
    height, width = (size or 1 for size in x.shape[1:3])
    padded = _padded(x, within_image(op.pool_size, (height, width), op.padding))
    counts = isinstance(op, convolution.AveragePool2D)
    return 2 * (bytes_of(padded) + counts * bytes_of(padded.with_last(1)))


def _padded(x: TensorType, window: Pair) -> TensorType:
    """Return the type of a copy of the image with the most padding that a window may need."""
    batch, height, width, channels = (size or 1 for size in x.shape)
    return x.with_shape((batch, height + window[0], width + window[1], channels))


COPIES = 2
"""The most temporary arrays of the size of the result: `x * sigmoid(x)` has two."""

INTERPOLATED_COPIES = 4
"""As COPIES, for ops that interpolate: both neighbors, their difference, and a share of it."""

GELU_COPIES = 16
"""As COPIES, for GELU, whose error function is computed with Python floats."""

BUFFER_BYTES = DType.FLOAT32.numpy.itemsize * BUFFER_ELEMENTS
"""The bytes of windows or kernels that are copied at a time, unless one row of them has more."""

FOREST_BYTES = 64
"""The bytes for each pair of a tree and a row."""


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
    convolution.AveragePool2D: _one_each,
    convolution.GlobalAveragePool2D: _one_each,
    convolution.Upsample2D: _upsample,
    detection.DecodeBoxes: _decode_boxes,
    detection.ScaleBoxes: _one_each,
    basic.Average: _one_each,
    basic.Mean: _one_each,
    basic.Multiply: _one_each,
    basic.Divide: _one_each,
    basic.MatMul: _mat_mul,
    shape.Resize2D: _resize,
    quantization.Quantize: _one_each,
    quantization.Dequantize: _one_each,
    control.While: _while,
}
"""The function that counts the multiply-adds of a node, by op. Other ops have none."""
