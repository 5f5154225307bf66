"""Quantizes a graph to 8 or 16 bits: layers, and the ops between them, read and return whole numbers.

    %1 = dense(%0) {…} : f32[?,10]
    %2 = dense(%1) {…} : f32[?,3]
becomes
    %1 = dense(%0) {…} : f32[?,10]
    %1.steps = quantize(%1) {scale, zero_point} : i32[?,10]
    %1.rounded = dequantize(%1.steps) {scale, zero_point} : f32[?,10]
    %2 = dense(%1.rounded) {… in steps of a scale for each channel} : f32[?,3]
    …

A node between `dequantize` and `quantize` is what a target computes with whole numbers, and the graph says
what that means: the interpreter runs it in float32, on numbers that are whole multiples of the scales.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sensenet.ir.evaluate import Feed
from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.types import DType
from sensenet.passes.quantization.kernels import round_layer
from sensenet.passes.quantization.operators import Operator, find_operators
from sensenet.passes.quantization.ranges import Range, measure_ranges
from sensenet.passes.quantization.scales import Scales, choose_scales, may_be_quantized, range_of_constant
from sensenet.passes.quantization.selection import LAYERS, find_layers, find_quantizable
from sensenet.passes.quantization.steps import Steps, may_be_whole
from sensenet.records import frozen


@frozen(kw_only=True)
class Quantizer:
    """Quantizes layers of a graph, by the ranges of all values that layers and nodes between them have."""

    graph: Graph
    layers: tuple[Node, ...]
    ranges: Mapping[Value, Range]
    bits: int

    @classmethod
    def calibrate(cls, graph: Graph, feeds: Sequence[Feed], bits: int = 8) -> Quantizer:
        """Return a quantizer with the ranges of a graph's values that it computes from these inputs.

        Values between layers have that many bits, 8 or 16; kernels have 8. Raises as the interpreter does for
        inputs that do not fit.
        """
        layers = find_layers(graph)
        values = [
            value
            for node in find_quantizable(graph, layers)
            for value in (*node.inputs, *node.values)
            if value.type.dtype is DType.FLOAT32 and not isinstance(value.op, Constant)
        ]
        return cls(graph=graph, layers=layers, ranges=measure_ranges(graph, values, feeds), bits=bits)

    def quantize(self, layers: Iterable[Node]) -> Quantized:
        """Return the graph with these layers, and the nodes between them, quantized.

        A node stays unchanged if an input or its result is not finite, or if its result is so much smaller
        than its inputs that no kernel takes the scales.
        """
        operators = find_operators(self.graph, find_quantizable(self.graph, layers))
        left = [each for each in operators if _is_in_range(each, self.ranges)]
        while True:
            operators, scales = left, choose_scales(left, self.ranges, self.bits)
            left = [each for each in operators if _is_sound(each, scales)]
            if len(left) == len(operators):
                graph = _rewrite(self.graph, operators, scales) if operators else self.graph
                return Quantized(graph=graph, nodes=frozenset(each.node for each in operators))


@frozen(kw_only=True)
class Quantized:
    """A quantized graph, and the nodes of the original one that it computes in steps."""

    graph: Graph
    nodes: frozenset[Node]


def quantize_graph(graph: Graph, feeds: Sequence[Feed], bits: int = 8) -> Graph:
    """Return the graph with all layers quantized that may be; raises as `Quantizer.calibrate` does."""
    quantizer = Quantizer.calibrate(graph, feeds, bits)
    return quantizer.quantize(quantizer.layers).graph


def _is_in_range(operator: Operator, ranges: Mapping[Value, Range]) -> bool:
    """Return whether all numbers of an operator are finite, and of a size whose scale is a float32."""
    ends = [ranges[value] for value in (*operator.inputs, operator.result)]
    return all(map(may_be_quantized, (*ends, *map(range_of_constant, operator.constants))))


def _is_sound(operator: Operator, scales: Scales) -> bool:
    """Return whether kernels take the scales of an operator."""
    read = [scales.read[value] for value in operator.inputs]
    read += [scales.of_constant(operator, value) for value in operator.constants]
    return may_be_whole(operator.node.op, read, scales.of_result(operator.result))


def _rewrite(graph: Graph, operators: Sequence[Operator], scales: Scales) -> Graph:
    """Return the graph with these operators between `dequantize` and `quantize`."""
    firsts = {each.node: each for each in operators}
    results = {each.result for each in operators}
    exact: dict[Value, Value] = {}
    rounded: dict[Value, Value] = {}
    for node in graph.nodes:
        operator = firsts.get(node)
        if operator is not None:
            rounded |= {v: _round(v, scales.of_constant(operator, v)) for v in operator.constants}
            current = _quantize(operator, [rounded.get(v, exact[v]) for v in node.inputs], scales)
        else:
            current = _move(node, [exact[value] for value in node.inputs])
        for old, new in zip(node.values, current.values, strict=True):
            exact[old] = _round(new, scales.of_result(old)) if old in results else new
            if old in scales.read:
                is_read_as_given = old in results and old not in scales.given
                rounded[old] = exact[old] if is_read_as_given else _round(exact[old], scales.read[old])
    outputs = {name: exact[value] for name, value in graph.outputs.items()}
    return Graph.create(graph.inputs, outputs, graph.signature)


def _quantize(operator: Operator, inputs: Sequence[Value], scales: Scales) -> Node:
    """Return an operator's node with other inputs; a layer with its weights in steps."""
    node = operator.node
    if not isinstance(node.op, LAYERS):
        return apply(node.op, *inputs, name=node.name)
    (x,) = operator.inputs
    return apply(round_layer(node.op, scales.read[x].scale), *inputs, name=node.name)


def _move(node: Node, inputs: Sequence[Value]) -> Node:
    """Return a node with other inputs, or as it is."""
    if isinstance(node.op, Input) or tuple(inputs) == node.inputs:
        return node
    return apply(node.op, *inputs, name=node.name, shares=node.shares)


def _round(value: Value, steps: Steps) -> Value:
    """Return a value in steps, as f32."""
    name = value.node.name
    quantized = apply(steps.quantize(), value, name=f"{name}.steps")
    return apply(steps.dequantize(), quantized.value, name=f"{name}.rounded").value
