"""Checks the sizes of tensors in a file's TensorFlow graph, as far as the file tells.

Before TensorFlow loads it, those that constants give: TensorFlow ends the process if the entries of a shape,
multiplied, are too large for it. Then, before a call, those that TensorFlow infers; it makes any tensor that
fits its numbers. Sizes that a graph computes from its inputs' numbers, and those in functions, are not known.
Numbers of inputs and results, of which TensorFlow makes lists when it loads a node, are attributes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sensenet.backends.graph_loops import data_inputs
from sensenet.errors import ArtifactError
from sensenet.ir.peak_memory import Step, peak_bytes
from sensenet.limits import require_memory
from sensenet.optional_packages import import_package

SHAPES: Mapping[str, tuple[int, ...]] = {
    "Fill": (0,),
    "Reshape": (1,),
    "ResizeBilinear": (1,),
    "ResizeNearestNeighbor": (1,),
    "TensorListFromTensor": (1,),
    "TensorListGetItem": (2,),
    "TensorListReserve": (0,),
    "TensorListStack": (1,),
    "Tile": (1,),
}
"""The inputs of ops that are sizes of axes; multiplied they are a number of entries."""

LENGTHS: Mapping[str, tuple[int, ...]] = {
    "Pad": (1,),
    "PadV2": (1,),
    "Range": (0, 1),
    "TensorListReserve": (1,),
}
"""The inputs of ops each entry of which makes an axis longer by itself."""

PASSED_ON = frozenset({"ConcatV2", "Identity", "Pack"})
"""Ops whose result holds the entries of their inputs."""

RESULT_SIZE = 512
"""Bytes that TensorFlow takes for each result of a node: 434, measured with 100,000 of `Split`."""


def require_counts(nodes: Iterable[Any], where: str) -> None:
    """Raise ArtifactError for a node, a NodeDef, that says it has more inputs than it has.

    Raises LimitError for one with more results than the limit on memory allows. TensorFlow's definitions of
    ops tell which attributes are such numbers.
    """
    definitions = import_package(
        "tensorflow.python.framework.op_def_registry", "tensorflow", "checking a graph"
    )
    for node in nodes:
        definition, present = definitions.get(node.op), len(data_inputs(node))
        what = f"{where}: the node {node.name[:80]!r}"
        for name in _counted(definition.input_arg):
            if node.attr[name].i > present:
                count = node.attr[name].i
                raise ArtifactError(
                    f"{what} is damaged: its attribute {name} is {count}, its inputs {present}"
                )
        for name in _counted(definition.output_arg):
            require_memory(node.attr[name].i * RESULT_SIZE, what)


def require_single_arguments(functions: Iterable[Any], where: str) -> None:
    """Raise ArtifactError for a function, a FunctionDef, with lists of arguments or results.

    Each call says how long they are; TensorFlow writes no such function for a graph.
    """
    for function in functions:
        signature = function.signature
        if any(
            each.number_attr or each.type_list_attr for each in (*signature.input_arg, *signature.output_arg)
        ):
            raise ArtifactError(
                f"{where} is not run: its function {signature.name[:80]!r} takes or gives a list"
            )


def _counted(arguments: Iterable[Any]) -> list[str]:
    """Return the attributes that say how long the lists among an op's arguments, or its results, are."""
    return [each.number_attr for each in arguments if each.number_attr]


def require_sizes(tf: Any, nodes: Iterable[Any], where: str) -> None:
    """Raise LimitError if a constant asks for a tensor of more entries than the limit on memory has bytes.

    The nodes, NodeDefs, are those of a graph, or of one of its functions. Raises ArtifactError for a shape
    with entries less than -1.
    """
    by_name = {node.name: node for node in nodes}
    for node in by_name.values():
        inputs = data_inputs(node)
        what = f"{where}: the node {node.name[:80]!r}"
        for place in SHAPES.get(node.op, ()):
            entries = list(_entries(tf, inputs[place : place + 1], by_name))
            if any(entry < -1 for entry in entries):
                raise ArtifactError(f"{what} is damaged: its shape has an entry less than -1")
            require_memory(math.prod(max(entry, 1) for entry in entries), what)
        for place in LENGTHS.get(node.op, ()):
            require_memory(max(map(abs, _entries(tf, inputs[place : place + 1], by_name)), default=0), what)


def row_memory(graph: Any, fetched: Iterable[Any], where: str) -> int:
    """Return the bytes that a call of a tf.Graph takes with one row, or with a batch of its one size.

    Sizes that are not known count as 1. Raises LimitError if the call takes more than the limit on memory.
    """
    steps = [
        Step(
            reads=[tensor.name for tensor in operation.inputs],
            results={tensor.name: _least_size(tensor) for tensor in operation.outputs},
        )
        for operation in graph.get_operations()
        if operation.type != "Const"
    ]
    size = peak_bytes(steps, {tensor.name for tensor in fetched})
    require_memory(size, f"{where}: a call")
    return size


def _least_size(tensor: Any) -> int:
    sizes = tensor.shape.as_list() if tensor.shape.rank is not None else []
    size: int = (tensor.dtype.size or 1) * math.prod(1 if each is None else each for each in sizes)
    return size


def _entries(tf: Any, names: Iterable[str], nodes: Mapping[str, Any]) -> Iterator[int]:
    """Yield the integers of the constants that results hold, each once."""
    waiting, seen = list(names), set[str]()
    while waiting:
        node = nodes.get(waiting.pop().partition(":")[0])
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op in PASSED_ON:
            waiting += data_inputs(node)
        elif node.op == "Const":
            yield from _integers(tf, node)


def _integers(tf: Any, constant: Any) -> list[int]:
    tensor = constant.attr["value"].tensor
    if tensor.dtype not in (tf.int32.as_datatype_enum, tf.int64.as_datatype_enum):
        return []
    try:
        return [int(entry) for entry in tf.make_ndarray(tensor).flat]
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"the constant {constant.name[:80]!r} is damaged ({error})") from error
