"""merge-padding: merge paddings of an image, and let the convolution pad if it can.

    %1 = pad_2d(%0) {padding=((0, 1), (0, 0))} : f32[?,8,7,3]
    %2 = pad_2d(%1) {padding=((0, 0), (1, 1))} : f32[?,8,9,3]
    %3 = convolution_2d(%2) {kernel=#…:f32[3,3,3,8], strides=(2, 2), padding=valid, …} : f32[?,3,4,8]
becomes, if %0 is f32[?,7,7,3],
    %2 = pad_2d(%0) {padding=((0, 1), (1, 1))} : f32[?,8,9,3]
    %3 = convolution_2d(%2) {kernel=#…:f32[3,3,3,8], strides=(2, 2), padding=valid, …} : f32[?,3,4,8]
and, with a padding of ((1, 1), (1, 1)) in all,
    %3 = convolution_2d(%0) {kernel=#…:f32[3,3,3,8], strides=(2, 2), padding=same, …} : f32[?,4,4,8]

Valid, and exact, because a convolution with same padding also reads zeros around the image. Its windows must
be the same: as many, and the first one starting as many pixels before the image. The number of zeros after
the last window does not matter. The windows depend on size and stride (for 8 pixels, a window of 3 at stride
2 pads none before and one after), so the size must be known. Must not fire for pools: the padding of a
maximum is less than every number, and an average does not count it. Nor if anything but such convolutions
reads the padded image, which would still have to be computed.
"""

from __future__ import annotations

from attrs import evolve

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.convolution import Pad2D
from sensenet.ir.ops.windows import Padding, Pair, count_windows, same_padding
from sensenet.passes.analysis.linear_layers import CONVOLUTIONS
from sensenet.passes.infrastructure.rules import Declined, Uses, also_read, rewriting_pass


def merge_two(node: Node, uses: Uses) -> Value | Declined | None:
    """Return one padding for two in a row."""
    if not isinstance(node.op, Pad2D):
        return None
    (x,) = node.inputs
    if not isinstance(x.op, Pad2D):
        return None
    if not uses.only(x):
        return also_read(x)
    rows, columns = (
        (inner[0] + outer[0], inner[1] + outer[1])
        for inner, outer in zip(x.op.padding, node.op.padding, strict=True)
    )
    return apply(Pad2D(padding=(rows, columns)), *x.node.inputs, name=node.name).value


def pad_in_convolution(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the convolution with same padding on the image that was padded."""
    if not isinstance(node.op, CONVOLUTIONS):
        return None
    (x,) = node.inputs
    if not isinstance(x.op, Pad2D):
        return None
    if not uses.only_by(x, lambda reader: _pads_as_much(reader, x)):
        return Declined(f"not every reader of {x.node.name!r} would pad as much by itself")
    return apply(evolve(node.op, padding=Padding.SAME), *x.node.inputs, name=node.name).value


def _pads_as_much(reader: Node, x: Value) -> bool:
    """Return whether the reader of padded x is a convolution that could do the padding."""
    layer, padding = reader.op, x.op
    if not isinstance(padding, Pad2D) or not isinstance(layer, CONVOLUTIONS):
        return False
    sizes = x.node.inputs[0].type.shape[1:3]
    return layer.padding is Padding.VALID and all(
        size is not None and _same_windows(size, added, window, stride)
        for size, added, window, stride in zip(
            sizes, padding.padding, layer.window, layer.strides, strict=True
        )
    )


def _same_windows(size: int, padding: Pair, window: int, stride: int) -> bool:
    """Return whether the windows along a padded axis are those of same padding."""
    count = count_windows(size + sum(padding), window, stride, Padding.VALID)
    return (
        count == count_windows(size, window, stride, Padding.SAME)
        and padding[0] == same_padding(size, window, stride)[0]
    )


PASS = rewriting_pass("merge-padding", merge_two, pad_in_convolution)
