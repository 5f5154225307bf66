"""All ops of the IR. `OPS` is the table that the parser and the tests go by."""

from __future__ import annotations

from sensenet.ir.op import Op
from sensenet.ir.ops import basic, convolution, core, dense, detection, image, tabular

OP_CLASSES: tuple[type[Op], ...] = (
    core.Input,
    core.Constant,
    tabular.Standardize,
    tabular.Destandardize,
    tabular.OneHot,
    tabular.EmbeddingSum,
    tabular.Forest,
    dense.Dense,
    dense.BatchedDense,
    dense.BatchNormalization,
    dense.Activation,
    dense.Dropout,
    convolution.Convolution2D,
    convolution.DepthwiseConvolution2D,
    convolution.SeparableConvolution2D,
    convolution.MaxPool2D,
    convolution.AveragePool2D,
    convolution.GlobalAveragePool2D,
    convolution.GlobalMaxPool2D,
    convolution.Pad2D,
    convolution.Upsample2D,
    image.Index,
    image.Rescale,
    detection.DecodeBoxes,
    detection.ScaleBoxes,
    detection.SuppressBoxes,
    basic.Add,
    basic.Average,
    basic.Mean,
    basic.Subtract,
    basic.Multiply,
    basic.Divide,
    basic.Maximum,
    basic.Minimum,
    basic.Equal,
    basic.LessEqual,
    basic.Greater,
    basic.Select,
    basic.Cast,
    basic.Concatenate,
    basic.Slice,
    basic.Gather,
    basic.Lookup,
    basic.TakeAlong,
    basic.MatMul,
    basic.Reshape,
    basic.Flatten,
    basic.Transpose,
)

OPS: dict[str, type[Op]] = {op_class.mnemonic(): op_class for op_class in OP_CLASSES}
"""Every op class by its name in the text form."""
