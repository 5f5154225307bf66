"""fold-average: merge an ensemble's last layers and their average.

    %3 = dense(%1) {kernel=#…:f32[8,1], bias=…, activation=linear} : f32[?,1]
    %4 = dense(%2) {kernel=#…:f32[4,1], bias=…, activation=linear} : f32[?,1]
    %5 = average(%3, %4) {} : f32[?,1]
becomes
    %6 = concatenate(%1, %2) {axis=-1} : f32[?,12]
    %5 = dense(%6) {kernel=#…:f32[12,1], bias=…, activation=linear} : f32[?,1]
and
    %3 = dense(%1) {kernel=#…:f32[8,3], bias=…, activation=softmax} : f32[?,3]
    %4 = dense(%2) {kernel=#…:f32[4,3], bias=…, activation=softmax} : f32[?,3]
    %5 = average(%3, %4) {} : f32[?,3]
becomes
    %3 = dense(%1) {kernel=#…:f32[8,3], bias=…, activation=linear} : f32[?,3]
    %4 = dense(%2) {kernel=#…:f32[4,3], bias=…, activation=linear} : f32[?,3]
    %6 = concatenate(%3, %4) {axis=-1} : f32[?,6]
    %7 = reshape(%6) {shape=(none, 2, 3)} : f32[?,2,3]
    %8 = activation(%7) {function=softmax} : f32[?,2,3]
    %5 = mean(%8) {axis=1} : f32[?,3]

Valid because the mean of linear functions is linear, up to rounding, and a softmax reads one network's
classes alone. The layers that are then parallel are left to merge-parallel-dense. They are sorted by
activation and size, so that more of the layers below may be merged.

Must not fire if something else reads a layer, if the activations differ or are neither linear nor softmax,
nor for softmax if the layers could not be merged afterwards (see merge-parallel-dense).
"""

from __future__ import annotations

from attrs import evolve

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.arithmetic import Average
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.ops.rearrangement import Reshape
from sensenet.ir.ops.reduction import Mean
from sensenet.passes.analysis.columns import join
from sensenet.passes.analysis.linear_layers import apply_layer
from sensenet.passes.analysis.parallel_layers import ParallelLayers
from sensenet.passes.analysis.weights import with_weights
from sensenet.passes.infrastructure.rules import Declined, Uses, also_read, rounding_pass


def average_linear_layers(node: Node, uses: Uses) -> Value | Declined | None:
    """Return one linear layer on the inputs of all the linear layers."""
    last = _last_layers(node, uses)
    if not isinstance(last, ParallelLayers):
        return last
    if last.layers[0].activation is not ActivationFunction.LINEAR:
        return None
    kernel, bias = last.sum()
    layer = with_weights(last.layers[0], {"kernel": kernel / len(last.values)}, bias / len(last.values))
    return apply_layer(layer, join(last.sources, f"{node.name}_inputs"), node.name)


def average_softmax_layers(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the mean over networks of one softmax on the concatenated results of linear layers."""
    last = _last_layers(node, uses)
    if not isinstance(last, ParallelLayers) or last.layers[0].activation is not ActivationFunction.SOFTMAX:
        return None
    if not last.pays:
        return Declined("the merged layer would have a kernel of mostly zeros, larger than all of theirs")
    linear = [
        apply(evolve(layer, activation=ActivationFunction.LINEAR), *value.node.inputs, name=value.node.name)
        for layer, value in zip(last.layers, last.values, strict=True)
    ]
    joined = join([each.value for each in linear], f"{node.name}_inputs")
    shape = (None, len(linear), last.layers[0].units)
    networks = apply(Reshape(shape=shape), joined, name=f"{node.name}_networks")
    softmax = Activation(function=ActivationFunction.SOFTMAX)
    classes = apply(softmax, networks.value, name=f"{node.name}_softmax")
    return apply(Mean(axis=1), classes.value, name=node.name).value


def _last_layers(node: Node, uses: Uses) -> ParallelLayers | Declined | None:
    """Return the layers that a node averages, by input; None if it averages other values."""
    if not isinstance(node.op, Average) or len(node.inputs) < 2 or node.types[0].rank != 2:
        return None
    activations = {value.op.activation for value in node.inputs if isinstance(value.op, Dense)}
    if not all(isinstance(value.op, Dense) for value in node.inputs):
        return None
    shared = next((value for value in node.inputs if not uses.only(value)), None)
    if shared is not None:
        return also_read(shared)
    if len(activations) > 1:
        return Declined("the last layers have different activations")
    return ParallelLayers(values=tuple(sorted(node.inputs, key=_below)))


def _below(value: Value) -> tuple[str, int]:
    """Return the activation of the layer below a layer, by name, and how many weights it has."""
    below = value.node.inputs[0].op
    return (below.activation.value, below.kernel.array.size) if isinstance(below, Dense) else ("", 0)


PASS = rounding_pass("fold-average", average_linear_layers, average_softmax_layers)
