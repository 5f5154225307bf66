"""remove-identities: remove ops that return their input.

    %1 = dropout(%0) {kind=zero, rate=0.5, block_size=1} : f32[?,4]
    %2 = activation(%1) {function=linear} : f32[?,4]
    %3 = dense(%2) {…} : f32[?,2]
becomes
    %3 = dense(%0) {…} : f32[?,2]

Dropout has an effect in training only. Other identities: a linear activation, an average or concatenation of
one value, a cast to the same dtype, a reshape or flattening to the same shape, a transposition in order, a
slice of everything, a gather of all positions in order; a padding of zero width, a pool of single pixels, an
upsampling by 1.

Valid because each result is its input bit for bit; -O0 keeps them all, so that a network can be trained
further. Must not fire if a size is unknown, so that the op might not select all positions, or if the shape
would change.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Average, Cast
from sensenet.ir.ops.convolution import Pad2D, Upsample2D, UpsampleMethod
from sensenet.ir.ops.dense import Activation, Dropout
from sensenet.ir.ops.pooling import AveragePool2D, MaxPool2D
from sensenet.ir.ops.rearrangement import Concatenate, Flatten, Gather, Reshape, Slice, Transpose
from sensenet.ir.types import TensorType
from sensenet.passes.infrastructure.rules import Uses, rewriting_pass


def remove_identity(node: Node, _: Uses) -> Value | None:
    """Return the node's input, if the op returns it unchanged."""
    if len(node.inputs) != 1:
        return None
    (x,) = node.inputs
    return x if node.types == (x.type,) and _is_identity(node.op, x.type) else None


def _is_identity(op: Op, x: TensorType) -> bool:
    """Return whether an op of one input returns it unchanged, given that the types are equal."""
    match op:
        case Dropout() | Activation(function=ActivationFunction.LINEAR) | Average() | Concatenate() | Cast():
            return True
        case Reshape():
            return x.shape.count(None) <= 1  # two unknown sizes might be swapped
        case Flatten():
            return x.rank == 2
        case Transpose(permutation=permutation):
            return permutation == tuple(range(x.rank))
        case Slice(axis=axis, start=start, stop=stop):
            return start == 0 and stop == x.shape[axis]
        case Gather(axis=axis, indices=indices):
            size = x.shape[axis]
            return size is not None and np.array_equal(indices.array, np.arange(size))
        case Pad2D(padding=padding):
            return padding == ((0, 0), (0, 0))
        case MaxPool2D(pool_size=size, strides=strides) | AveragePool2D(pool_size=size, strides=strides):
            return size == strides == (1, 1)
        case Upsample2D(size=size, method=UpsampleMethod.NEAREST):
            return size == (1, 1)
    return False


PASS = rewriting_pass("remove-identities", remove_identity)
