"""Finds the nodes that TensorFlow Lite computes with whole numbers, and makes their operators.

They read what `dequantize` gives, and `quantize` alone reads what they give (see
`sensenet.passes.quantization`): both then need no operator of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import evolve

from sensenet.backends.tflite.emit import EMIT
from sensenet.backends.tflite.operators import Operand, Operator, Stored, TensorSteps, operator
from sensenet.backends.tflite.storage import KERNEL, channel_steps, with_kernel
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.types import DType, Tensor
from sensenet.passes.quantization.kernels import is_in_steps, layer_steps
from sensenet.passes.quantization.selection import LAYERS
from sensenet.passes.quantization.steps import Steps, may_be_whole
from sensenet.records import frozen

BIAS = 2
"""The position of a layer's bias among its operator's inputs."""

BIAS_TYPES = {8: np.int32, 16: np.int64}
"""The types of biases that kernels take, for inputs of so many bits."""

SUMS = ("ADD", "SUB")
"""The operators whose scales of 16 bits are powers of two, unless an option says otherwise."""


@frozen(kw_only=True)
class WholeNumbers:
    """The nodes that are computed with whole numbers, each with the node that has its result in steps.

    `absorbed` are the nodes that need no operator.
    """

    results: Mapping[Node, Node]
    absorbed: frozenset[Node]


def find_whole_numbers(graph: Graph, ends: Mapping[Node, Node]) -> WholeNumbers:
    """Return the nodes that are computed with whole numbers; `ends` are the activations that nodes absorb."""
    inner = {last: node for node, last in ends.items()}
    results = {}
    for node in graph.nodes:
        if not isinstance(node.op, Quantize):
            continue
        (x,) = node.inputs
        source = inner.get(x.node, x.node)
        if graph.uses[x] == 1 and _is_whole(source, node.op):
            results[source] = node
    absorbed = {node for node in graph.nodes if isinstance(node.op, Quantize) and _is_constant(node)}
    exact = set(graph.outputs.values())
    exact |= {value for node in graph.nodes if not _takes_steps(node, results) for value in node.inputs}
    absorbed |= {node for node in graph.nodes if isinstance(node.op, Dequantize) and node.value not in exact}
    return WholeNumbers(results=results, absorbed=frozenset(absorbed | set(results.values())))


def _is_whole(node: Node, result: Quantize) -> bool:
    """Return whether whole numbers give what a node does, followed by `quantize`."""
    read = [value for value in node.inputs if value.type.dtype is DType.FLOAT32]
    sources = [value.node.inputs[0].op for value in read if isinstance(value.op, Dequantize)]
    steps = [Steps.of(op) for op in sources if isinstance(op, Quantize)]
    if not read or len(steps) < len(read) or not may_be_whole(node.op, steps, Steps.of(result)):
        return False
    return not isinstance(node.op, LAYERS) or is_in_steps(node.op, steps[0].scale)


def emit_whole_numbers(node: Node, bits: int) -> Operator:
    """Return the operator of a node that is computed with whole numbers of so many bits.

    It is without its activation.
    """
    if not isinstance(node.op, LAYERS):
        made = EMIT[type(node.op)](node.op, node)
        any_scales = {"potScaleInt16": False} if bits == 16 and made.kind in SUMS else {}
        return evolve(made, inputs=tuple(map(in_steps, made.inputs)), options={**made.options, **any_scales})
    (x,) = node.inputs
    assert isinstance(x.op, Dequantize)
    steps = layer_steps(node.op, float(x.op.scale.array))
    kernel = Tensor.owning(steps.kernel.reshape(node.op.kernel.shape))
    bias = None if node.op.bias is None else Tensor.owning(steps.bias)
    made = EMIT[type(node.op)](evolve(node.op, kernel=kernel, bias=bias), node)
    rounded = Stored(
        array=np.asarray(made.inputs[KERNEL]).astype(np.int8),
        steps=channel_steps(made.kind, steps.kernel_scale.array),
    )
    layer = with_kernel(evolve(made, inputs=(in_steps(x), *made.inputs[1:])), rounded)
    if layer.inputs[BIAS] is None:
        return layer
    added = Stored(
        array=np.asarray(layer.inputs[BIAS]).astype(BIAS_TYPES[bits]),
        steps=TensorSteps(scale=steps.bias_scale.array, zero_point=np.zeros(steps.bias.size, np.int64)),
    )
    return evolve(layer, inputs=(*layer.inputs[:BIAS], added))


def emit_conversion(node: Node) -> Operator:
    """Return the operator of `quantize` or `dequantize`."""
    (x,) = node.inputs
    return operator("QUANTIZE", in_steps(x)) if isinstance(node.op, Quantize) else operator("DEQUANTIZE", x)


def in_steps(operand: Operand) -> Operand:
    """Return the steps of a value that `dequantize` gives; any other operand as it is."""
    if not isinstance(operand, Value) or not isinstance(operand.op, Dequantize):
        return operand
    (steps,) = operand.node.inputs
    if not isinstance(steps.op, Quantize) or not _is_constant(steps.node):
        return steps
    constant = steps.node.inputs[0].op
    assert isinstance(constant, Constant)
    numbers = steps.op.evaluate(constant.value.array).astype(f"int{steps.op.bits}")
    return Stored(array=numbers, steps=steps_of(steps.op))


def steps_of(op: Quantize) -> TensorSteps:
    """Return the steps of what `quantize` gives."""
    zero_point = op.zero_point.array.reshape(-1).astype(np.int64)
    return TensorSteps(scale=op.scale.array.reshape(-1), zero_point=zero_point)


def _is_constant(node: Node) -> bool:
    return isinstance(node.inputs[0].op, Constant)


def _takes_steps(node: Node, results: Mapping[Node, Node]) -> bool:
    """Return whether the operator of a node reads whole numbers where the node reads `dequantize`."""
    return node in results or isinstance(node.op, Quantize)
