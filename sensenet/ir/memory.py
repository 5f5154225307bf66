"""The memory that graphs take while they run.

A size that is unknown until run time counts as 1, unless the shapes of the inputs tell it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from sensenet.errors import VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import convolution, core, pooling, tabular
from sensenet.ir.ops.windows import BUFFER_ELEMENTS, Pair, within_image
from sensenet.ir.peak_memory import Step, peak_bytes
from sensenet.ir.types import DType, Tensor, TensorType, bytes_of


def activation_bytes(graph: Graph, inputs: Mapping[str, tuple[int, ...]]) -> int:
    """Return the peak memory in bytes, without weights, while the graph runs on inputs of these shapes.

    Counts the values that are still needed, and the temporary arrays of the running node. Types with unknown
    sizes are inferred again from the shapes of the inputs.
    """
    return peak_bytes(_steps(graph, inputs), set(graph.outputs.values()))


def _steps(graph: Graph, inputs: Mapping[str, tuple[int, ...]]) -> Iterator[Step]:
    types: dict[Value, TensorType] = {}
    for node in graph.nodes:
        types |= dict(zip(node.values, _concrete_types(node, types, inputs), strict=True))
        if isinstance(node.op, core.Constant):
            continue
        results, operands = ([types[value] for value in values] for values in (node.values, node.inputs))
        yield Step(
            reads=node.inputs,
            results={value: bytes_of(types[value]) for value in node.values},
            working=_working_bytes(node.op, results, operands),
        )


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
    return op.copies


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
            return _depthwise_bytes(operands[0], kernel) + (1 + op.copies) * between
        case pooling.Pool():
            return _pool_bytes(operands[0], op)
    return 0


def _depthwise_bytes(x: TensorType, kernel: Tensor) -> int:
    """Return the bytes of the image with repeated channels, its padded copy, and a row of kernels."""
    height, width, channels, multiplier = kernel.shape
    padded = _padded(x, (height, width)).with_last(channels * multiplier)
    kernels = padded.with_shape((height, width, *padded.shape[2:]))
    return 2 * bytes_of(padded) + min(bytes_of(kernels), max(bytes_of(kernel.type), BUFFER_BYTES))


def _pool_bytes(x: TensorType, op: pooling.Pool) -> int:
    """Return the bytes of a padded copy and of the results by column; a mean also counts pixels so."""
    height, width = (size or 1 for size in x.shape[1:3])
    padded = _padded(x, within_image(op.pool_size, (height, width), op.padding))
    counts = isinstance(op, pooling.AveragePool2D)
    return 2 * (bytes_of(padded) + counts * bytes_of(padded.with_last(1)))


def _padded(x: TensorType, window: Pair) -> TensorType:
    """Return the type of a copy of the image with the most padding that a window may need."""
    batch, height, width, channels = (size or 1 for size in x.shape)
    return x.with_shape((batch, height + window[0], width + window[1], channels))


GELU_COPIES = 16
"""As `Op.copies`, for GELU, whose error function is computed with Python floats."""

BUFFER_BYTES = DType.FLOAT32.numpy.itemsize * BUFFER_ELEMENTS
"""The bytes of windows or kernels that are copied at a time, unless one row of them has more."""

FOREST_BYTES = 64
"""The bytes for each pair of a tree and a row."""
