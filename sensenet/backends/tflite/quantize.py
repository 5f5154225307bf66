"""Stores a model's layers in fewer bits.

- float16: kernels as float16, computed with in float32;
- dynamic: kernels as int8, one scale for each channel; what they are multiplied with is rounded to 8 bits
  too, at a scale that each call chooses;
- int8: kernels, and all between layers, as int8 at scales chosen beforehand, from calibration rows.

Inputs and outputs stay float32, and so does all that `layers` excepts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.optional import import_tensorflow
from sensenet.backends.silence import silence
from sensenet.backends.tflite.flatbuffer import import_schema, pack, unpack
from sensenet.backends.tflite.layers import Layer, find_float_ops, find_layers, kind, name_of
from sensenet.errors import UnsupportedOpError
from sensenet.ir.types import Array

Feed = Mapping[str, Array]

SMALLEST_KERNEL = 1024
"""Fewest weights of a kernel that float16 and dynamic store otherwise: with fewer there is little to save."""

LARGEST_INT8 = 127

FINEST_STEP = 128
"""Into how many steps of a result a step of what it is computed from may fall, at most."""

REPEATING = frozenset({"ADD", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "SUB"})
"""Ops whose results are of the magnitude of what they read, or of a part of it."""


def store_float16(tree: Any) -> Any:
    """Return the model with kernels of layers as float16, if all weights of a kernel are in its range."""
    schema = import_schema()
    main = tree.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.DEQUANTIZE
    number = len(tree.operatorCodes)
    operators = []
    for layer in _large_layers(tree):
        if np.abs(layer.kernel).max() > np.finfo(np.float16).max:
            continue
        half = schema.TensorT()
        half.name = f"{layer.operator.inputs[1]}_float16"
        half.shape, half.type = layer.tensor.shape, schema.TensorType.FLOAT16
        half.buffer = _add_buffer(tree, layer.kernel.astype(np.float16))
        layer.tensor.buffer = 0
        operator = schema.OperatorT()
        operator.opcodeIndex = number
        operator.inputs, operator.outputs = [len(main.tensors)], [layer.operator.inputs[1]]
        main.tensors = [*main.tensors, half]
        operators.append(operator)
    if not operators:
        return tree
    tree.operatorCodes = [*tree.operatorCodes, code]
    main.operators = [*operators, *main.operators]
    return _without_unused(tree)


def store_dynamic(tree: Any) -> Any:
    """Return the model with the kernels of layers as int8."""
    schema = import_schema()
    for layer in _large_layers(tree):
        others = tuple(axis for axis in range(layer.kernel.ndim) if axis != layer.axis)
        largest = np.abs(layer.kernel).max(axis=others, keepdims=True)
        scale = np.where(largest > 0, largest, 1.0).astype(np.float64) / LARGEST_INT8
        parameters = schema.QuantizationParametersT()
        parameters.scale = scale.astype(np.float32).ravel()
        parameters.zeroPoint = np.zeros(scale.size, np.int64)
        parameters.quantizedDimension = layer.axis
        layer.tensor.quantization, layer.tensor.type = parameters, schema.TensorType.INT8
        layer.tensor.buffer = _add_buffer(tree, np.rint(layer.kernel / scale).astype(np.int8))
        if hasattr(layer.operator.builtinOptions, "asymmetricQuantizeInputs"):
            layer.operator.builtinOptions.asymmetricQuantizeInputs = True
    return _without_unused(tree)


def store_int8(tree: Any, calibration: Sequence[Feed], names: Sequence[str]) -> Any:
    """Return the model with int8 layers; `names` are the inputs of a feed in the model's order.

    Raises UnsupportedOpError if TensorFlow's quantizer refuses the model.
    """
    import_tensorflow("quantizing for the target tflite")
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    named, excepted = _name_ops(tree)
    try:
        with silence("tensorflow", "absl"):
            calibrator = Calibrator(named)
            for feed in calibration:
                arrays = [np.ascontiguousarray(feed[name]) for name in names]
                # its own loop prepares for the shape of the first feed only, and images have many sizes
                calibrator._calibrator.Prepare([list(array.shape) for array in arrays])
                calibrator._calibrator.FeedTensor(arrays)
            measured = unpack(bytes(calibrator._calibrator.Calibrate()))
            _forget_ranges(measured, set(excepted))
            _widen_ranges(measured)
            return unpack(mlir_quantize(bytes(pack(measured)), denylisted_nodes=excepted))
    except Exception as error:  # neither has a type of its own that is public
        raise UnsupportedOpError(f"TensorFlow Lite cannot quantize this graph to int8: {error}") from error


def _name_ops(tree: Any) -> tuple[bytes, list[str]]:
    """Return the model with a plain name for each op's result, and the names of those to leave in float32.

    The quantizer knows an op by the name of its result, but not by one that is joined of several with ';'.
    """
    excepted = []
    floating = {id(operator) for operator in find_float_ops(tree)}
    for number, graph in enumerate(tree.subgraphs):
        for operator in graph.operators:
            for index in operator.outputs:
                graph.tensors[index].name = f"tensor_{number}_{index}"
                if id(operator) in floating:
                    excepted.append(f"tensor_{number}_{index}")
    return bytes(pack(tree)), excepted


def _forget_ranges(tree: Any, excepted: set[str]) -> None:
    """Keep ranges only for tensors of ops to be quantized.

    Where it knows a range, the quantizer rounds a tensor also before ops that it has to leave.
    """
    for graph in tree.subgraphs:
        kept = {
            int(index)
            for each in graph.operators
            if not excepted & {name_of(graph.tensors[index]) for index in each.outputs}
            for index in (*each.inputs, *each.outputs)
        }
        for index, tensor in enumerate(graph.tensors):
            if index not in kept:
                tensor.quantization = None


def _widen_ranges(tree: Any) -> None:
    """Widen the range of a result whose steps would be much finer than those that it is computed from.

    A layer whose units are all 0 on the calibration rows has no range at all; kernels refuse such scales.
    """
    main = tree.subgraphs[0]
    kernels = {id(layer.operator): float(np.abs(layer.kernel).max()) for layer in find_layers(tree)}
    for operator in main.operators:
        factor = kernels.get(id(operator), 1.0 if kind(tree, operator) in REPEATING else 0.0)
        result = main.tensors[operator.outputs[0]].quantization
        spans = [_span(main.tensors[index].quantization) for index in operator.inputs if index >= 0]
        if factor and _span(result) is not None and any(span is not None for span in spans):
            least = factor * max(span for span in spans if span is not None) / FINEST_STEP
            if result.max[0] - result.min[0] < least:
                result.max = np.array([result.min[0] + least], np.float32)


def _span(parameters: Any) -> float | None:
    """Return the length of a calibrated range; None if there is none."""
    if parameters is None or parameters.min is None or len(parameters.min) != 1:
        return None
    return float(parameters.max[0] - parameters.min[0])


def _large_layers(tree: Any) -> list[Layer]:
    return [layer for layer in find_layers(tree) if layer.kernel.size >= SMALLEST_KERNEL]


def _add_buffer(tree: Any, array: Array) -> int:
    buffer = import_schema().BufferT()
    buffer.data = array
    tree.buffers = [*tree.buffers, buffer]
    return len(tree.buffers) - 1


def _without_unused(tree: Any) -> Any:
    """Return the model without the content of buffers that nothing refers to any more."""
    used = {tensor.buffer for graph in tree.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in tree.metadata or ()}
    for number, buffer in enumerate(tree.buffers):
        if number not in used:
            buffer.data = None
    return tree


_STORE: Mapping[str, Callable[[Any], Any]] = {
    "none": lambda tree: tree,
    "float16": store_float16,
    "dynamic": store_dynamic,
}

CALIBRATED = "int8"


def quantize(tree: Any, mode: str, calibration: Sequence[Feed], names: Sequence[str]) -> Any:
    """Return the recorded model, as `ModelT`, stored as `mode` says; it may be the same object, changed."""
    return store_int8(tree, calibration, names) if mode == CALIBRATED else _STORE[mode](tree)
