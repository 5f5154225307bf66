"""fold-channel-order: permute the kernel of a convolution instead of the channels of its input.

    %1 = gather(%0) {axis=-1, indices=i32[3]{2, 1, 0}} : f32[?,8,8,3]
    %2 = subtract(%1, f32[3]{103.9, 116.8, 123.7}) {} : f32[?,8,8,3]
    %3 = convolution_2d(%2) {kernel=K, padding=same, …} : f32[?,8,8,4]
becomes
    %2 = subtract(%0, f32[3]{123.7, 116.8, 103.9}) {} : f32[?,8,8,3]
    %3 = convolution_2d(%2) {kernel=K[:, :, [2, 1, 0], :], padding=same, …} : f32[?,8,8,4]

The gather moves behind paddings and arithmetic with a constant, whose channels are permuted inversely, until
a convolution reads it. Valid up to the order in which the convolution's products are summed. A gather of
adjacent channels leaves a slice. Must not fire for a gather that takes a channel twice, skips one, has
another reader, or leads to no convolution; nor before a depthwise convolution, whose results have the order
of its channels.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.ops.arithmetic import Subtract
from sensenet.ir.ops.convolution import Pad2D
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.rearrangement import Gather, Slice
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Array, Tensor
from sensenet.passes.analysis.linear_layers import Mixing, permute_inputs
from sensenet.passes.infrastructure.rules import Uses, rounding_pass


def permute_kernel(node: Node, uses: Uses) -> Value | None:
    """Return the convolution on the gather's input, with the input channels of its kernel permuted."""
    if not isinstance(node.op, Mixing):
        return None
    (x,) = node.inputs
    found = _without_order(x)
    if found is None or not uses.only_by(x, _mixes):
        return None
    source, order = found
    return apply(permute_inputs(node.op, order), source, name=node.name).value


def permute_later(node: Node, uses: Uses) -> Value | None:
    """Return the gather behind a padding, a standardization or the subtraction of a constant."""
    if not node.inputs or not uses.only(node.inputs[0]):
        return None
    x, *others = node.inputs
    found = _without_order(x)
    if found is None or not uses.only_by(node.value, _leads_to_convolution):
        return None
    source, order = found
    if node.value.type.rank != 4 or node.value.type.shape[3] != len(order):
        return None
    op = node.op
    match op:
        case Pad2D():
            pass
        case Standardize(mean=mean, stdev=stdev):
            op = Standardize(mean=_restore(mean, order), stdev=_restore(stdev, order))
        case Subtract() if isinstance(others[0].op, Constant):
            others = [constant(_restore(others[0].op.value, order), others[0].node.name)]
        case _:
            return None
    moved = apply(op, source, *others, name=node.name).value
    return apply(Gather(indices=Tensor.int32(order)), moved, name=x.node.name).value


def _mixes(reader: Node) -> bool:
    return isinstance(reader.op, Mixing)


def _leads_to_convolution(reader: Node) -> bool:
    return _mixes(reader) or isinstance(reader.op, Pad2D | Standardize | Subtract)


def _without_order(value: Value) -> tuple[Value, Array] | None:
    """Return the input of a gather of channels, and the order that it puts them in.

    The input may be a slice of the image: some adjacent channels. None for any other value.
    """
    if not isinstance(value.op, Gather) or value.type.rank != 4 or value.op.axis % 4 != 3:
        return None
    indices = value.op.indices.array
    if not len(indices):
        return None
    source = value.node.inputs[0]
    start = int(indices.min())
    stop = start + len(indices)
    if not np.array_equal(np.sort(indices), np.arange(start, stop)):
        return None
    if source.type.shape[3] != len(indices):
        source = apply(Slice(start=start, stop=stop), source, name=f"{value.node.name}_channels").value
    return source, indices - start


def _restore(tensor: Tensor, order: Array) -> Tensor:
    """Return numbers that broadcast to images of permuted channels, for the original order."""
    if not tensor.shape or tensor.shape[-1] == 1:
        return tensor
    return Tensor.owning(tensor.array[..., np.argsort(order)])


PASS = rounding_pass("fold-channel-order", permute_kernel, permute_later)
