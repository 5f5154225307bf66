"""The version of each operator that a file needs, and the oldest runtime that has it.

A runtime refuses an operator of a version that it does not know. If a file declares too low a version, an
older runtime takes it and may answer anything: before 2.17, FULLY_CONNECTED read one scale of an int8 kernel
and ignored those of the other channels. The numbers are those of TensorFlow's `op_version.cc` and
`runtime_version.cc` in `tensorflow/lite/tools/versioning`, for the types that this target writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of
from sensenet.records import frozen

ENTRY = "min_runtime_version"
"""The metadata entry of the oldest runtime, and the size of its buffer in bytes."""
ENTRY_SIZE = 16

LARGEST_DEPRECATED_CODE = 127
"""What the field that old runtimes read holds for codes beyond it."""


@frozen(kw_only=True)
class Usage:
    """The inputs of an operator's version: the types of its tensors by name, and its options.

    `rank` is the largest of its inputs, `broadcasts` says whether the first two differ in shape,
    `per_channel` whether one of those has a scale for each channel, and `rescaling` is the product of the
    scales of the first two divided by that of the output, or 0 if one has none.
    """

    inputs: tuple[str, ...]
    output: str
    options: Any
    rank: int
    broadcasts: bool
    per_channel: bool
    rescaling: float

    @property
    def is_int8(self) -> bool:
        return self.inputs[0] == "INT8"

    @property
    def is_int16(self) -> bool:
        return self.inputs[0] == "INT16"

    @property
    def is_bool(self) -> bool:
        return self.inputs[0] == "BOOL"

    @property
    def is_hybrid(self) -> bool:
        """Whether a kernel of int8 is multiplied with float32."""
        return self.inputs[:2] == ("FLOAT32", "INT8") and self.output == "FLOAT32"


Rule = Callable[[Usage], int]


def _first(_: Usage) -> int:
    return 1


def _int8(usage: Usage) -> int:
    return 2 if usage.is_int8 else 1


def _int16(version: int, otherwise: Rule = _int8) -> Rule:
    return lambda usage: version if usage.is_int16 else otherwise(usage)


def _fully_connected(usage: Usage) -> int:
    if usage.is_hybrid:
        return 12 if usage.per_channel else 9 if usage.options.asymmetricQuantizeInputs else 3
    if usage.is_int16:
        return 7
    return 5 if usage.options.keepNumDims else 4 if usage.is_int8 else 1


def _convolution(int16: int, per_channel: int, per_tensor: int) -> Rule:
    def rule(usage: Usage) -> int:
        if usage.is_int16:
            return int16
        if usage.is_hybrid:
            return per_channel if usage.per_channel else per_tensor
        return 3 if usage.is_int8 else 1

    return rule


def _batch_matmul(usage: Usage) -> int:
    return 2 if usage.is_int8 else 4 if usage.is_hybrid and usage.options.asymmetricQuantizeInputs else 1


def _gather(usage: Usage) -> int:
    return 5 if usage.options.batchDims else 4 if usage.is_int16 else 3 if usage.is_bool else _int8(usage)


def _multiply(usage: Usage) -> int:
    return 4 if usage.is_int16 else 3 if usage.rescaling >= 1 else _int8(usage)


def _resize(usage: Usage) -> int:
    if usage.is_int16:
        return 4
    return 3 if usage.options.halfPixelCenters or usage.options.alignCorners else _int8(usage)


def _beyond_four_axes(version: int, otherwise: Rule) -> Rule:
    return lambda usage: version if usage.rank > 4 else otherwise(usage)


def _broadcast_beyond_four_axes(version: int, otherwise: Rule) -> Rule:
    return lambda usage: version if usage.rank > 4 and usage.broadcasts else otherwise(usage)


def _with_bool(usage: Usage) -> int:
    return 3 if usage.is_bool else _int8(usage)


def _transpose(usage: Usage) -> int:
    if usage.rank <= 5 and usage.is_int16:
        return 5
    return 6 if usage.rank > 5 else 4 if usage.rank > 4 else _with_bool(usage)


def _dequantize(usage: Usage) -> int:
    if usage.inputs[0] == "INT4":
        return 6
    return 5 if usage.per_channel else 3 if usage.inputs[0] in ("FLOAT16", "INT16") else _int8(usage)


def _quantize(usage: Usage) -> int:
    return 2 if usage.output == "INT16" else 1


def _cast(usage: Usage) -> int:
    types = {usage.inputs[0], usage.output}
    return 5 if "FLOAT16" in types else 3 if "INT8" in types else 1


def _fill(usage: Usage) -> int:
    return {"FLOAT16": 4, "INT8": 3, "BOOL": 2}.get(usage.inputs[1], 1)


_EXTREMES = {1: "1.14.0", 2: "1.14.0", 3: "2.3.0", 4: "2.3.0"}

VERSIONS: Mapping[str, tuple[Rule, Mapping[int, str]]] = {
    "ABS": (_int8, {1: "1.13.0", 2: "2.4.0"}),
    "ADD": (_int16(3), {1: "1.5.0", 2: "1.14.0", 3: "2.4.0"}),
    "ARG_MAX": (_with_bool, {1: "1.9.0", 2: "1.14.0", 3: "2.9.0"}),
    "AVERAGE_POOL_2D": (_int16(3), {1: "1.5.0", 2: "1.14.0", 3: "2.3.0"}),
    "BATCH_MATMUL": (_batch_matmul, {1: "2.3.0", 2: "2.3.0", 4: "2.5.0"}),
    "CAST": (_cast, {1: "1.5.0", 3: "2.8.0", 5: "2.12.0"}),
    "CONCATENATION": (_int16(3), {1: "1.5.0", 2: "1.14.0", 3: "2.3.0"}),
    "CONV_2D": (_convolution(4, 5, 2), {1: "1.5.0", 2: "1.14.0", 3: "1.14.0", 4: "2.3.0", 5: "2.4.0"}),
    "DEPTHWISE_CONV_2D": (
        _convolution(5, 6, 4),
        {1: "1.5.0", 3: "1.14.0", 4: "2.2.0", 5: "2.3.0", 6: "2.3.0"},
    ),
    "DEQUANTIZE": (_dequantize, {1: "1.13.1", 2: "1.14.0", 3: "1.15.0", 5: "2.7.0", 6: "2.18.0"}),
    "DIV": (_broadcast_beyond_four_axes(2, _first), {1: "1.6.0", 2: "2.3.0"}),
    "ELU": (_first, {1: "1.14.0"}),
    "EQUAL": (_int8, {1: "1.14.0", 2: "1.14.0"}),
    "EXP": (_int8, {1: "1.7.0", 2: "2.12.0"}),
    "EXPAND_DIMS": (_first, {1: "1.10.0"}),
    "FILL": (_fill, {1: "1.13.0", 2: "2.3.0", 3: "2.5.0", 4: "2.12.0"}),
    "FLOOR": (_first, {1: "1.9.0"}),
    "FULLY_CONNECTED": (
        _fully_connected,
        {1: "1.5.0", 3: "1.14.0", 4: "1.14.0", 5: "2.0.0", 7: "2.3.0", 9: "2.3.0", 12: "2.17.0"},
    ),
    "GATHER": (_gather, {1: "1.6.0", 2: "1.14.0", 3: "1.15.0", 4: "2.4.0", 5: "2.5.0"}),
    "GELU": (_int8, {1: "2.9.0", 2: "2.9.0"}),
    "GREATER": (_int8, {1: "1.14.0", 2: "1.14.0"}),
    "GREATER_EQUAL": (_int8, {1: "1.14.0", 2: "1.14.0"}),
    "HARD_SWISH": (_first, {1: "1.15.0"}),
    "LEAKY_RELU": (_int16(2, _first), {1: "1.13.1", 2: "2.3.0"}),
    "LESS": (_int8, {1: "1.14.0", 2: "1.14.0"}),
    "LESS_EQUAL": (_int8, {1: "1.14.0", 2: "1.14.0"}),
    "LOG": (_int8, {1: "1.14.0", 2: "2.15.0"}),
    "LOGICAL_AND": (_first, {1: "1.11.0"}),
    "LOGICAL_NOT": (_first, {1: "1.11.0"}),
    "LOGICAL_OR": (_first, {1: "1.11.0"}),
    "LOGISTIC": (_int16(3), {1: "1.14.0", 2: "1.14.0", 3: "2.3.0"}),
    "LOG_SOFTMAX": (_int8, {1: "1.14.0", 2: "1.14.0"}),
    "MAXIMUM": (_int16(4, _broadcast_beyond_four_axes(3, _int8)), _EXTREMES),
    "MAX_POOL_2D": (_int16(3), {1: "1.5.0", 2: "1.14.0", 3: "2.3.0"}),
    "MEAN": (_int16(3), {1: "1.6.0", 2: "1.14.0", 3: "2.4.0"}),
    "MINIMUM": (_int16(4, _broadcast_beyond_four_axes(3, _int8)), _EXTREMES),
    "MUL": (_multiply, {1: "1.5.0", 2: "1.14.0", 3: "1.15.0", 4: "2.3.0"}),
    "NEG": (_first, {1: "1.9.0"}),
    "NOT_EQUAL": (_int8, {1: "1.14.0", 2: "1.14.0"}),
    "ONE_HOT": (_first, {1: "1.11.0"}),
    "PACK": (_int8, {1: "1.11.0", 2: "1.14.0"}),
    "PAD": (_beyond_four_axes(4, _int16(3)), {1: "1.5.0", 2: "1.14.0", 3: "2.4.0", 4: "2.6.0"}),
    "QUANTIZE": (_quantize, {1: "1.14.0", 2: "1.15.0"}),
    "RANGE": (_first, {1: "1.13.0"}),
    "REDUCE_ANY": (_first, {1: "1.11.0"}),
    "REDUCE_MAX": (_int16(3), {1: "1.11.0", 2: "1.14.0", 3: "2.5.0"}),
    "REDUCE_MIN": (_int8, {1: "1.11.0", 2: "1.14.0"}),
    "RELU": (_int16(3), {1: "1.5.0", 2: "2.1.0", 3: "2.5.0"}),
    "RELU6": (_int16(3), {1: "1.5.0", 2: "1.14.0", 3: "2.5.0"}),
    "RELU_0_TO_1": (_first, {1: "2.10.0"}),
    "RELU_N1_TO_1": (_first, {1: "1.5.0"}),
    "RESHAPE": (_first, {1: "1.5.0"}),
    "RESIZE_BILINEAR": (_resize, {1: "1.7.0", 2: "1.14.0", 3: "2.2.0", 4: "2.5.0"}),
    "RESIZE_NEAREST_NEIGHBOR": (_resize, {1: "1.13.1", 2: "1.14.0", 3: "2.3.0", 4: "2.4.0"}),
    "ROUND": (_first, {1: "1.14.0"}),
    "RSQRT": (_int8, {1: "1.10.0", 2: "2.5.0"}),
    "SELECT_V2": (_first, {1: "2.2.0"}),
    "SHAPE": (_first, {1: "1.10.0"}),
    "SLICE": (_beyond_four_axes(5, _int16(4)), {1: "1.14.0", 2: "1.14.0", 4: "2.4.0", 5: "2.5.0"}),
    "SOFTMAX": (_int8, {1: "1.5.0", 2: "1.14.0"}),
    "SQRT": (_first, {1: "1.10.0"}),
    "SQUARE": (_first, {1: "1.12.0"}),
    "SQUARED_DIFFERENCE": (_int8, {1: "1.13.1", 2: "2.5.0"}),
    "SQUEEZE": (_first, {1: "1.6.0"}),
    "STRIDED_SLICE": (
        _beyond_four_axes(4, _with_bool),
        {1: "1.6.0", 2: "1.14.0", 3: "2.1.0", 4: "2.2.0"},
    ),
    "SUB": (
        _int16(5, _broadcast_beyond_four_axes(3, _int8)),
        {1: "1.6.0", 2: "1.14.0", 3: "2.3.0", 5: "2.4.0"},
    ),
    "SUM": (_int8, {1: "1.10.0", 2: "1.15.0"}),
    "TANH": (_int16(3), {1: "1.14.0", 2: "1.14.0", 3: "2.3.0"}),
    "TRANSPOSE": (
        _transpose,
        {1: "1.6.0", 2: "1.14.0", 3: "1.15.0", 4: "2.3.0", 5: "2.4.0", 6: "2.12.0"},
    ),
    "WHILE": (_first, {1: "1.15.0"}),
}
"""For each kind of operator: its version from how it is used, and the first runtime of each version."""


def declare_versions(tree: Any) -> Any:
    """Return the `ModelT` with the version of each operator, and the oldest runtime that has them all."""
    schema = import_schema()
    kinds, types = names_of(schema.BuiltinOperator), names_of(schema.TensorType)
    numbers: dict[tuple[int, int], int] = {}
    runtimes = []
    for graph in tree.subgraphs:
        for operator in graph.operators:
            code = kind_of(tree, operator)
            rule, first_runtimes = VERSIONS[kinds[code]]
            version = rule(_usage(graph, operator, types))
            runtimes.append(first_runtimes[version])
            operator.opcodeIndex = numbers.setdefault((code, version), len(numbers))
    tree.operatorCodes = [_operator_code(schema, *each) for each in numbers]
    oldest = max(runtimes, key=_as_numbers, default="")
    _set_metadata(schema, tree, oldest.encode().ljust(ENTRY_SIZE, b"\0"))
    return tree


def _as_numbers(runtime: str) -> tuple[int, ...]:
    return tuple(map(int, runtime.split(".")))


def _operator_code(schema: Any, builtin: int, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = builtin, version
    code.deprecatedBuiltinCode = min(builtin, LARGEST_DEPRECATED_CODE)
    return code


def _set_metadata(schema: Any, tree: Any, content: bytes) -> None:
    """Add an entry for the oldest runtime, or replace it."""
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(content, np.uint8)
    entry.name, entry.buffer = ENTRY, len(tree.buffers)
    others = [each for each in tree.metadata or () if each.name not in (ENTRY, ENTRY.encode())]
    tree.metadata, tree.buffers = [*others, entry], [*tree.buffers, buffer]


def _usage(graph: Any, operator: Any, types: Mapping[int, str]) -> Usage:
    inputs = [graph.tensors[index] if index >= 0 else None for index in operator.inputs]
    output = graph.tensors[operator.outputs[0]]
    shapes = [_shape(tensor) for tensor in inputs if tensor is not None]
    scales = [_scales(tensor) for tensor in (*inputs[:2], output)]
    single = [float(each[0]) for each in scales if len(each) == 1]
    return Usage(
        inputs=tuple("" if tensor is None else types[tensor.type] for tensor in inputs),
        output=types[output.type],
        options=operator.builtinOptions,
        rank=max(map(len, shapes), default=0),
        broadcasts=len(shapes) > 1 and shapes[0] != shapes[1],
        per_channel=any(len(each) > 1 for each in scales[:-1]),
        rescaling=single[0] * single[1] / single[2] if len(single) == 3 else 0.0,
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    sizes = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return () if sizes is None else tuple(map(int, sizes))


def _scales(tensor: Any) -> Any:
    known = tensor is not None and tensor.quantization is not None
    return () if not known or tensor.quantization.scale is None else tensor.quantization.scale
