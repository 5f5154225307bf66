"""The operators that a .tflite file may have: those that this target writes, and the published package.

For each, its number in the schema and the types of its tensors; `shapes` has the rules for their shapes.
Other operators are refused before an interpreter sees the file, custom ones and TensorFlow's own (flex) first
of all: those can read and write files.
"""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.records import frozen

TYPES: Mapping[int, tuple[str, int]] = {
    0: ("F", 32),
    1: ("H", 16),
    2: ("I", 32),
    4: ("L", 64),
    6: ("B", 8),
    7: ("S", 16),
    9: ("Q", 8),
    17: ("N", 4),
}
"""The types of tensors by their numbers in the schema, and the bits of an element: float32, float16, int32,
int64, bool, int16, int8 and int4."""

OPTIONS: Mapping[str, str] = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), "Pool2DOptions"),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY"), "ReducerOptions"),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimumOptions"),
}
"""The options tables that are not named like their operator."""


def options_of(kind: str) -> str:
    """Return the name of the table of an operator's options."""
    return OPTIONS.get(kind) or kind.title().replace("_", "") + "Options"


OPTION_NUMBERS: Mapping[str, int] = {
    **{"Conv2DOptions": 1, "DepthwiseConv2DOptions": 2, "Pool2DOptions": 5, "FullyConnectedOptions": 8},
    **{"SoftmaxOptions": 9, "ConcatenationOptions": 10, "AddOptions": 11, "ResizeBilinearOptions": 15},
    **{"ReshapeOptions": 17, "MulOptions": 21, "PadOptions": 22, "GatherOptions": 23, "TransposeOptions": 26},
    **{"ReducerOptions": 27, "SubOptions": 28, "DivOptions": 29, "SqueezeOptions": 30, "ExpOptions": 33},
    **{"StridedSliceOptions": 32, "SplitOptions": 35, "LogSoftmaxOptions": 36, "CastOptions": 37},
    **{"DequantizeOptions": 38, "MaximumMinimumOptions": 39, "ArgMaxOptions": 40, "LessOptions": 41},
    **{"NegOptions": 42, "GreaterOptions": 44, "GreaterEqualOptions": 45, "LessEqualOptions": 46},
    **{"SliceOptions": 48, "TileOptions": 51, "ExpandDimsOptions": 52, "EqualOptions": 53},
    **{"NotEqualOptions": 54, "ShapeOptions": 55, "PackOptions": 59, "LogicalOrOptions": 60},
    **{"OneHotOptions": 61, "LogicalAndOptions": 62, "LogicalNotOptions": 63, "SquareOptions": 66},
    **{"FillOptions": 68, "RangeOptions": 73, "ResizeNearestNeighborOptions": 74, "LeakyReluOptions": 75},
    **{"SquaredDifferenceOptions": 76, "AbsOptions": 78, "SplitVOptions": 79, "ReverseV2Options": 81},
    **{"QuantizeOptions": 89, "HardSwishOptions": 91, "WhileOptions": 93, "NonMaxSuppressionV4Options": 95},
    **{"SelectV2Options": 98, "BatchMatMulOptions": 101, "GeluOptions": 116},
}
"""The numbers of the tables of options in the schema. Operators that have no number there have no options."""


@frozen
class Kind:
    """An operator: its number, and the types of its input and output tensors.

    Types are letters as in TYPES, `>` between inputs and outputs, `_` for an input that is absent; a `*`
    behind one says that there may be any number of it.
    """

    number: int
    types: str

    @property
    def patterns(self) -> list[str]:
        return self.types.split()


_FLOAT, _REAL = "F>F", "F>F Q>Q S>S"
_ARITHMETIC, _COMPARISON = "FF>F II>I QQ>Q SS>S", "FF>B II>B"
_LAYER = "FFF>F FQF>F QQI>Q SQL>S"
_REDUCTION = "FI>F II>I QI>Q SI>S"

KINDS: Mapping[str, Kind] = {
    "ABS": Kind(101, _FLOAT),
    "ADD": Kind(0, _ARITHMETIC),
    "ARG_MAX": Kind(56, "FI>I FI>L"),
    "AVERAGE_POOL_2D": Kind(1, _REAL),
    "BATCH_MATMUL": Kind(126, "FF>F"),
    "CAST": Kind(53, "B>F B>I F>I I>F L>I I>L"),
    "CONCATENATION": Kind(2, "F*>F I*>I Q*>Q S*>S"),
    "CONV_2D": Kind(3, _LAYER),
    "DEPTHWISE_CONV_2D": Kind(4, _LAYER),
    "DEQUANTIZE": Kind(6, "H>F Q>F S>F N>F"),
    "DIV": Kind(42, "FF>F"),
    "ELU": Kind(111, _FLOAT),
    "EQUAL": Kind(71, _COMPARISON),
    "EXP": Kind(47, _FLOAT),
    "EXPAND_DIMS": Kind(70, "FI>F II>I"),
    "FILL": Kind(94, "IF>F II>I"),
    "FLOOR": Kind(8, _FLOAT),
    "FULLY_CONNECTED": Kind(9, f"{_LAYER} FF_>F FQ_>F QQ_>Q SQ_>S"),
    "GATHER": Kind(36, "FI>F II>I BI>B QI>Q SI>S"),
    "GELU": Kind(150, _REAL),
    "GREATER": Kind(61, _COMPARISON),
    "GREATER_EQUAL": Kind(62, _COMPARISON),
    "HARD_SWISH": Kind(117, _REAL),
    "LEAKY_RELU": Kind(98, _REAL),
    "LESS": Kind(58, _COMPARISON),
    "LESS_EQUAL": Kind(63, _COMPARISON),
    "LOG": Kind(73, _FLOAT),
    "LOGICAL_AND": Kind(86, "BB>B"),
    "LOGICAL_NOT": Kind(87, "B>B"),
    "LOGICAL_OR": Kind(84, "BB>B"),
    "LOGISTIC": Kind(14, _REAL),
    "LOG_SOFTMAX": Kind(50, _FLOAT),
    "MAXIMUM": Kind(55, _ARITHMETIC),
    "MAX_POOL_2D": Kind(17, _REAL),
    "MEAN": Kind(40, _REDUCTION),
    "MINIMUM": Kind(57, _ARITHMETIC),
    "MUL": Kind(18, _ARITHMETIC),
    "NEG": Kind(59, _FLOAT),
    "NON_MAX_SUPPRESSION_V4": Kind(120, "FFIFF>II"),
    "NOT_EQUAL": Kind(72, _COMPARISON),
    "ONE_HOT": Kind(85, "IIFF>F IIII>I IIBB>B"),
    "PACK": Kind(83, "F*>F I*>I"),
    "PAD": Kind(34, "FI>F QI>Q SI>S"),
    "QUANTIZE": Kind(114, "F>Q Q>Q F>S S>S"),
    "RANGE": Kind(96, "III>I"),
    "REDUCE_ANY": Kind(91, "BI>B"),
    "REDUCE_MAX": Kind(82, _REDUCTION),
    "REDUCE_MIN": Kind(89, _REDUCTION),
    "RELU": Kind(19, _REAL),
    "RELU6": Kind(21, _REAL),
    "RELU_0_TO_1": Kind(152, _REAL),
    "RELU_N1_TO_1": Kind(20, _REAL),
    "RESHAPE": Kind(22, "FI>F II>I BI>B QI>Q SI>S F>F I>I Q>Q S>S"),
    "RESIZE_BILINEAR": Kind(23, "FI>F QI>Q SI>S"),
    "RESIZE_NEAREST_NEIGHBOR": Kind(97, "FI>F QI>Q SI>S"),
    "REVERSE_V2": Kind(105, "FI>F"),
    "ROUND": Kind(116, _FLOAT),
    "RSQRT": Kind(76, _FLOAT),
    "SELECT_V2": Kind(123, "BFF>F BII>I"),
    "SHAPE": Kind(77, "F>I I>I Q>I S>I"),
    "SLICE": Kind(65, "FII>F III>I QII>Q SII>S"),
    "SOFTMAX": Kind(25, _FLOAT),
    "SPLIT": Kind(49, "IF>F*"),
    "SPLIT_V": Kind(102, "FII>F*"),
    "SQRT": Kind(75, _FLOAT),
    "SQUARE": Kind(92, _FLOAT),
    "SQUARED_DIFFERENCE": Kind(99, "FF>F"),
    "SQUEEZE": Kind(43, "F>F I>I Q>Q S>S"),
    "STRIDED_SLICE": Kind(45, "FIII>F IIII>I BIII>B QIII>Q SIII>S"),
    "SUB": Kind(41, _ARITHMETIC),
    "SUM": Kind(74, _REDUCTION),
    "TANH": Kind(28, _REAL),
    "TILE": Kind(69, "FI>F II>I"),
    "TRANSPOSE": Kind(39, "FI>F II>I BI>B QI>Q SI>S"),
}
"""By their names in the schema."""

WHILE = 119
"""The number of the operator that runs subgraphs."""
