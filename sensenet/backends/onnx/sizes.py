"""Finds the memory that a call of an .onnx file takes, as far as the file tells, before onnxruntime sees it.

Sizes follow from the shapes of the inputs and from constants; one that follows from the numbers in an input,
or that a loop changes, counts as 1. So what has such a size must depend on an input, or else onnxruntime
would compute something large when it opens the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sensenet.backends.onnx.nodes import bodies_of, read_by
from sensenet.backends.onnx.operators import CODES
from sensenet.errors import ArtifactError
from sensenet.ir.peak_memory import Step, peak_bytes
from sensenet.limits import require_memory
from sensenet.optional_packages import import_package

SMALL = 4096
"""Bytes of a constant that sizes may be computed from; larger ones are not looked at."""

ARITHMETIC = frozenset({"Add", "Mul", "Sub"})
"""The operators whose results ONNX computes in 32 bits if it infers sizes from them."""

ITEM_SIZES: Mapping[int, int] = {code: dtype.itemsize for dtype, code in CODES.items()}


def row_memory(model: Any, where: str) -> int:
    """Return the bytes that a call takes with a row, or with a batch if the file is for batches of one size.

    The model is one whose operators `verify` has checked. Raises ArtifactError if they do not fit each other,
    or something of unknown size would be computed in advance; LimitError if the file computes too much.

    Sizes that are constants come first: with those that are computed from others, ONNX makes a list as long
    as a vector is.
    """
    onnx = import_package("onnx", "onnx", "opening .onnx files")
    light = _without_weights(onnx, model)
    sizes: dict[str, int] = {}
    for computed in (False, True):
        shapes = _infer_shapes(onnx, light, computed, where)
        sizes = {name: _least_size(declared) for name, declared in shapes.items()}
        for name, size in sizes.items():
            require_memory(size, f"{where}: computing {name[:80]!r}")
    for node in _computed_in_advance(model.graph, {"", *(each.name for each in model.graph.initializer)}):
        for name in node.output:
            if not _is_certain(node, shapes.get(name)):
                raise ArtifactError(
                    f"{where} is not run: its value {name[:80]!r} depends on no input, and has no known size"
                )
    peak = _peak(model.graph, sizes)
    require_memory(peak, f"{where}: a call")
    return peak


def _least_size(declared: Any) -> int:
    known = [size.dim_value for size in declared.shape.dim if size.HasField("dim_value")]
    size: int = ITEM_SIZES.get(declared.elem_type, 8) * math.prod(known)
    return size


def _infer_shapes(onnx: Any, light: Any, computed: bool, where: str) -> dict[str, Any]:
    """Return the types of all results, by name; also with sizes that are computed from others."""
    try:
        onnx.checker.check_model(light)
        inferred = onnx.shape_inference.infer_shapes(
            light, check_type=True, strict_mode=True, data_prop=computed
        )
    except Exception as error:  # several types
        raise ArtifactError(
            f"{where} is not run: its operators do not fit each other: {str(error)[:120]!r}"
        ) from error
    return {each.name: each.type.tensor_type for each in _declared_in(inferred.graph)}


def _without_weights(onnx: Any, model: Any) -> Any:
    """Return the model for one row, with its large constants as inputs: only their sizes are asked for."""
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = light.graph
    graph.name = "main"
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    for declared in graph.input:
        for rows in declared.type.tensor_type.shape.dim[:1]:
            if not rows.HasField("dim_value"):
                rows.dim_value = 1
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) <= SMALL:
            graph.initializer.append(tensor)
        else:
            declared = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(declared)
    return light


def _peak(graph: Any, sizes: Mapping[str, int]) -> int:
    """Return the most bytes at once while a graph runs, its inputs included."""
    inputs = {each.name: sizes.get(each.name, 0) for each in graph.input}
    steps = [Step(reads=(), results=inputs)]
    for node in graph.node:
        inner = [_peak(each, sizes) for each in bodies_of([node])]
        given = {name: sizes.get(name, 0) for name in node.output}
        steps.append(Step(reads=[*read_by(node)], results=given, working=sum(inner)))
    return peak_bytes(steps, {each.name for each in graph.output})


def _declared_in(graph: Any) -> Iterator[Any]:
    """Yield what has a type in a graph, and in its loops."""
    yield from (*graph.input, *graph.value_info, *graph.output)
    for body in bodies_of(graph.node):
        yield from _declared_in(body)


def _computed_in_advance(graph: Any, constants: set[str]) -> Iterator[Any]:
    """Yield the nodes whose results follow from constants, to which they are added: onnxruntime runs them
    when it opens the file."""
    for node in graph.node:
        for body in bodies_of([node]):
            yield from _computed_in_advance(body, constants)
        if constants.issuperset(node.input) and node.op_type != "Loop":
            constants.update(node.output)
            yield node


def _is_certain(node: Any, declared: Any) -> bool:
    """Return whether the size of a node's result is known, and sizes that may be computed from it are."""
    if declared is None or not declared.HasField("shape"):
        return False
    wrapped = node.op_type in ARITHMETIC and declared.elem_type == CODES[np.dtype(np.int64)]
    return not wrapped and all(size.HasField("dim_value") for size in declared.shape.dim)
