"""The TensorFlow ops that graphs in files may hold, checked before TensorFlow loads any of them.

They are those that sensenet writes, and that bundles of the published package hold. None of them reads or
writes files, opens connections, prints, or runs code other than functions of the same graph.
tests/backends/test_graph_ops.py checks both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from sensenet.errors import ArtifactError
from sensenet.limits import require_memory

OURS = frozenset(
    {
        "Abs",
        "AddV2",
        "Any",
        "ArgMax",
        "AvgPool",
        "BatchMatMulV2",
        "BiasAdd",
        "Cast",
        "ConcatV2",
        "Const",
        "Conv2D",
        "DecodeJpeg",
        "DepthwiseConv2dNative",
        "Elu",
        "EnsureShape",
        "Equal",
        "Erf",
        "Erfc",
        "Exp",
        "ExpandDims",
        "Fill",
        "Floor",
        "FloorDiv",
        "GatherNd",
        "GatherV2",
        "Greater",
        "GreaterEqual",
        "HashTableV2",
        "Identity",
        "IdentityN",
        "IsNan",
        "LeakyRelu",
        "Less",
        "LessEqual",
        "Log",
        "LogSoftmax",
        "LogicalAnd",
        "LogicalNot",
        "LogicalOr",
        "LookupTableFindV2",
        "LookupTableImportV2",
        "MatMul",
        "Max",
        "MaxPool",
        "Maximum",
        "Mean",
        "Min",
        "Minimum",
        "Mul",
        "Neg",
        "NoOp",
        "NotEqual",
        "Pack",
        "Pad",
        "PadV2",
        "PartitionedCall",
        "Placeholder",
        "Range",
        "ReadVariableOp",
        "RealDiv",
        "Relu",
        "Relu6",
        "Reshape",
        "ResizeBilinear",
        "ResizeNearestNeighbor",
        "Round",
        "SelectV2",
        "Shape",
        "Sigmoid",
        "Size",
        "Slice",
        "Softmax",
        "Split",
        "StatefulPartitionedCall",
        "StatelessIf",
        "StatelessWhile",
        "StridedSlice",
        "StringLength",
        "Sub",
        "Sum",
        "Tanh",
        "TensorListFromTensor",
        "TensorListGetItem",
        "TensorListReserve",
        "TensorListSetItem",
        "TensorListStack",
        "Tile",
        "Transpose",
        "Unpack",
    }
)
"""Ops of the graphs that sensenet writes."""

PUBLISHED = frozenset(
    {
        "All",
        "Ceil",
        "FusedBatchNormV3",
        "L2Loss",
        "ReverseV2",
        "Rsqrt",
        "Select",
        "Softplus",
        "SplitV",
        "TopKV2",
    }
)
"""Further ops in bundles of the published package, whose trees have been replaced by stock ops."""

ALLOWED = OURS | PUBLISHED

TEXT_SIZE = 8
"""Bytes that a text takes at least."""


def require_ops(nodes: Iterable[Any], where: str) -> None:
    """Raise ArtifactError for the first node, a NodeDef, whose op is not allowed."""
    for node in nodes:
        if node.op not in ALLOWED:
            raise ArtifactError(
                f"{where} is not run: its node {node.name[:80]!r} is the op {node.op[:40]!r}, which sensenet "
                "does not write"
            )


def require_constants(tf: Any, nodes: Iterable[Any], size: int, where: str) -> None:
    """Raise LimitError if the constants of a graph take too much memory beyond the file's size in bytes.

    Raises ArtifactError for one of another dtype than its node says: TensorFlow would end the process.
    """
    constants = [node for node in nodes if node.op == "Const"]
    for node in constants:
        if node.attr["value"].tensor.dtype != node.attr["dtype"].type:
            raise ArtifactError(f"{where} is damaged: its constant {node.name[:80]!r} is of another dtype")
    total = sum(_constant_size(tf, node.attr["value"].tensor) for node in constants)
    require_memory(total - size, f"{where}: holding its constants")


def _constant_size(tf: Any, tensor: Any) -> int:
    try:
        dtype = tf.dtypes.as_dtype(tensor.dtype)
    except TypeError as error:
        raise ArtifactError(f"a constant has no dtype ({error})") from error
    item = TEXT_SIZE if dtype == tf.string else int(dtype.size or 1)
    size: int = item * math.prod(max(dimension.size, 0) for dimension in tensor.tensor_shape.dim)
    return size
