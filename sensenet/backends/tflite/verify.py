"""Checks an untrusted .tflite file before an interpreter reads it, since LiteRT does not.

A file that passes has only operators of `kinds.KINDS`, which run in order and read what is there; tensors
whose content has the size of their shape; loops that end (see `loops`); and takes no more memory than
`sensenet.limits` allows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import Factory, define, evolve

from sensenet.backends.tflite.kinds import KINDS, OPTION_NUMBERS, TYPES, WHILE, options_of
from sensenet.backends.tflite.layer_shapes import LAYER_RULES
from sensenet.backends.tflite.loops import Subgraph, most_steps
from sensenet.backends.tflite.reading import TABLES, Record, defaults, read_model
from sensenet.backends.tflite.shapes import ARRAY_RULES, MOST_AXES, Known, Sizes
from sensenet.backends.tflite.sizes import evaluate
from sensenet.errors import ArtifactError, LimitError
from sensenet.ir.ops.control import MOST_STEPS
from sensenet.ir.types import FLOAT32_TINY, DType, TensorType
from sensenet.limits import require_memory
from sensenet.records import frozen

SCHEMA_VERSION = 3
METADATA = frozenset({"", "TFLITE_METADATA", "min_runtime_version", "CONVERSION_METADATA"})
"""The names of metadata that change nothing in how a file is run."""

RULES = {**ARRAY_RULES, **LAYER_RULES}

DTYPES = {"F": DType.FLOAT32, "I": DType.INT32, "B": DType.BOOL}
BITS = dict(TYPES.values())
ACTIVATIONS = range(4)
"""The fused activations: none, relu, relu from -1 to 1, relu6."""

SUMS = frozenset({"ADD", "SUB"})
WHOLE = frozenset("QSN")
"""The types of tensors that have scales."""

MOST_RESCALING = {"Q": 2.0**19, "S": 2.0**14}
"""How many times coarser than a sum of a type its terms may be: from there on kernels abort the process."""

LAYER_OPERANDS = 2
MOST_LAYER_RESCALING = 2.0**8
"""The same of a layer's result, and the product of the steps of its operand and of its kernel."""

OPTIONAL = frozenset({"CAST", "RESHAPE", "SQUEEZE"})
"""The operators whose options may be left out."""

MISDECLARED = frozenset({"NON_MAX_SUPPRESSION_V4"})
"""The operators to whose results TensorFlow's converter gives one axis more than they have."""

LAYERS = {"FULLY_CONNECTED": 0, "CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""The operators whose kernel may have a scale for each channel, and the axis of those."""

NAMES = {kind.number: name for name, kind in KINDS.items()} | {WHILE: "WHILE"}


@frozen(kw_only=True)
class Interface:
    """The inputs and outputs of a file, in order, by the names of its signature or of its tensors.

    `size` is the bytes that the results of all operators take for a row, or for a batch of the file's one
    size.
    """

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    signature: str | None
    size: int


@define
class _File:
    """A file that is being checked, the subgraphs that loops have run so far, and the bytes of results."""

    model: Record
    codes: tuple[str, ...]
    used: set[int] = Factory(set)
    size: int = 0


def verify(content: bytes | memoryview, where: str) -> Interface:
    """Return the interface of a file; raise ArtifactError or LimitError if it is not safe.

    `content` begins with the flatbuffer; what follows it is not looked at.
    """
    try:
        model = read_model(content)
        _require(model["version"] == SCHEMA_VERSION, "the version of the schema")
        _require(not len(model["metadata_buffer"]), "the list of buffers of metadata")
        for entry in model["metadata"]:
            _require(entry["name"] in METADATA and entry["buffer"] < len(model["buffers"]), "the metadata")
        _require(len(model["buffers"]) > 0 and not len(model["buffers"][0]["data"]), "the first buffer")
        file = _File(model, tuple(map(name_operator, model["operator_codes"])))
        _require(len(model["subgraphs"]) > 0, "the number of subgraphs")
        main = model["subgraphs"][0]
        _check_graph(file, main, None)
        _require(len(file.used) == len(model["subgraphs"]) - 1, "the number of subgraphs")
        return _interface(file, main)
    except LimitError as error:
        raise LimitError(f"{where}: {error}") from None
    except ArtifactError as error:
        raise ArtifactError(f"{where}: {error}") from None


def _require(condition: Any, what: str) -> None:
    if not condition:
        raise ArtifactError(f"{what} is not as sensenet or the published package writes it")


def name_operator(code: Record) -> str:
    """Return the name of an operator; raises ArtifactError for one that is not among KINDS."""
    number = max(code["old_code"], code["code"])
    if number not in NAMES:
        raise ArtifactError(f"it has the operator {number}, which sensenet does not run")
    return NAMES[number]


def _check_graph(file: _File, graph: Record, given: Sequence[Known] | None) -> Subgraph:
    """Return what is known of a subgraph with inputs like those given, or as in the file."""
    tensors = graph["tensors"]
    declared = [_declare(file.model, tensor) for tensor in tensors]
    inputs = [int(index) for index in graph["inputs"]]
    computed = {int(index) for operator in graph["operators"] for index in operator["outputs"]}.union(inputs)
    known: dict[int, Known] = {
        index: each
        for index, each in enumerate(declared)
        if each.constant or (0 in each.shape and index not in computed)
    }
    _require(all(0 <= i < len(tensors) for i in (*inputs, *graph["outputs"])), "the number of a tensor")
    _require(len(set(inputs)) == len(inputs) and known.keys().isdisjoint(inputs), "an input")
    for place, index in enumerate(inputs):
        known[index] = declared[index]
        if given is not None:
            _require(given[place].type == declared[index].type, "the type of a loop's tensor")
            known[index] = evolve(given[place], value=None, constant=False)
    for operator in graph["operators"]:
        _check_operator(file, operator, declared, tensors, known)
    _require(all(int(index) in known for index in graph["outputs"]), "an output")
    return Subgraph(graph, file.codes, known)


def _declare(model: Record, tensor: Record) -> Known:
    """Return the tensor as declared in the file, with its content if it is constant and integer."""
    _require(tensor["type"] in TYPES and tensor["buffer"] < len(model["buffers"]), "a tensor")
    kind, _ = TYPES[tensor["type"]]
    shape = tuple(int(each) for each in tensor["shape"])
    _require(min(shape, default=0) >= 0 and len(shape) <= MOST_AXES, "the shape of a tensor")
    signature = tuple(int(each) for each in tensor["signature"])
    pairs = zip(signature, shape, strict=False)
    fits = not signature or (
        len(signature) == len(shape) and all(each in (-1, known) for each, known in pairs)
    )
    _require(fits and not tensor["is_variable"], "the shape of a tensor")
    data = model["buffers"][tensor["buffer"]]["data"]
    _require(not len(data) or len(data) == _bytes_of(kind, shape), "the size of a buffer")
    require_memory(_bytes_of(kind, shape), "a tensor")
    value = None
    if len(data) and kind in "IL":
        value = np.frombuffer(data, np.int32 if kind == "I" else np.int64).reshape(shape)
    quantization = tensor["quantization"]
    return Known(
        type=kind,
        shape=shape,
        value=value,
        scales=_scales(kind, shape, quantization),
        axis=quantization["dimension"] if quantization else 0,
        constant=len(data) > 0,
    )


def _bytes_of(kind: str, shape: Sizes) -> int:
    """Return the bytes of a tensor of a type; of int4, two share one."""
    return -(-math.prod(shape) * BITS[kind] // 8)


def _scales(kind: str, shape: Sizes, parameters: Record | None) -> tuple[float, ...]:
    """Return the scales of an int8 or int16 tensor or its bias; raise ArtifactError if they are invalid."""
    if parameters is None or not len(parameters["scale"]):
        _require(kind not in WHOLE, "a tensor of whole numbers without a scale")
        return ()
    scales, points = parameters["scale"], np.asarray(parameters["zero_point"])
    axis = parameters["dimension"]
    counts = {1} | ({shape[axis]} if 0 <= axis < len(shape) else set())
    _require(len(scales) in counts and len(points) in (0, len(scales)), "the number of scales")
    _require(parameters["details_type"] == 0, "the kind of quantization")
    _require(np.all(np.isfinite(scales) & (scales >= FLOAT32_TINY)), "a scale")
    _require(np.all((points >= -128) & (points <= 127)), "a zero point")
    _require((len(scales) == 1 and kind != "S") or not points.any(), "a zero point")
    return tuple(map(float, scales))


def _check_operator(
    file: _File, operator: Record, declared: list[Known], tensors: Sequence[Record], known: dict[int, Known]
) -> None:
    """Check an operator, and add its results to what is known."""
    _require(operator["opcode"] < len(file.codes), "the number of an operator")
    kind = file.codes[operator["opcode"]]
    inputs, outputs = ([int(index) for index in operator[name]] for name in ("inputs", "outputs"))
    _require(not len(operator["intermediates"]) and not any(operator["mutating"]), kind)
    _require(inputs and outputs and all(i in known or i == -1 for i in inputs), f"an input of {kind}")
    fresh = all(0 <= index < len(tensors) and index not in known for index in outputs)
    _require(fresh and len(set(outputs)) == len(outputs), f"an output of {kind}")
    options = _read_options(kind, operator)
    read = [known[index] for index in inputs if index != -1]
    given = [declared[index] for index in outputs]
    value = None
    if kind == "WHILE":
        _require(-1 not in inputs and all(each.type != "N" for each in read), "an input of WHILE")
        shapes: Sequence[Sizes | None] = _check_loop(file, options, read, given)
    else:
        _check_types(kind, "".join("_" if i == -1 else known[i].type for i in inputs), read, given, options)
        try:
            shapes = RULES[kind](read, options)
            _require(len(shapes) == len(outputs), f"the number of outputs of {kind}")
            if given[0].type in "IL" and shapes[0] is not None:
                value = evaluate(kind, read, options, shapes[0])
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise ArtifactError(f"an operator {kind} is not sound ({error})") from error
    for place, (index, shape) in enumerate(zip(outputs, shapes, strict=True)):
        found = given[place].shape if shape is None else shape
        file.size += _bytes_of(given[place].type, found)
        require_memory(file.size, "a call of the model")
        agrees = kind in MISDECLARED or _agrees(found, tensors[index])
        _require(agrees, f"the shape of an output of {kind}")
        known[index] = evolve(given[place], shape=found, value=None if place else value)


def _read_options(kind: str, operator: Record) -> Record:
    """Return the options of an operator, of the one table that it may have."""
    name, given = options_of(kind), operator["options"]
    number = OPTION_NUMBERS.get(name, 0)
    _require(operator["options_type"] in (0, number), f"the kind of options of {kind}")
    if given is None or not operator["options_type"]:
        _require(given is None and (name not in TABLES or kind in OPTIONAL), f"the options of {kind}")
        return defaults(name)
    options: Record = given(name)
    _require(options.get("activation", 0) in ACTIVATIONS, f"the activation of {kind}")
    return options


def _check_types(
    kind: str, types: str, read: Sequence[Known], given: Sequence[Known], options: Record
) -> None:
    """Raise ArtifactError unless an operator takes tensors of such types and scales, and gives such ones."""
    found = f"{types}>{''.join(each.type for each in given)}"
    known = any(re.fullmatch(pattern.replace("*", "+"), found) for pattern in KINDS[kind].patterns)
    _require(known, f"the types of {kind}")
    for name in ("type", "output_type"):
        declared = TYPES.get(options.get(name, 0), ("",))[0]
        _require(name not in options or declared == given[0].type, f"the type of {kind}")
    for place, each in enumerate(read):
        _require(len(each.scales) <= 1 or _has_channels(kind, place, each), f"the scales of {kind}")
    if given[0].type in WHOLE:
        steps = [max(each.scales) for each in read if each.type in WHOLE]
        least = _rescaling(kind, given[0].type, steps)
        sound = all(len(each.scales) == 1 for each in given) and least < given[0].scales[0]
        powers = options.get("power_of_two", False) and given[0].type == "S"
        _require(not powers, f"the kind of scales of {kind}")
        _require(sound, f"the scales of {kind}")


def _has_channels(kind: str, place: int, each: Known) -> bool:
    """Return whether an operand may have a scale for each channel: a kernel, or one to be read as float."""
    if kind == "DEQUANTIZE":
        return each.constant and each.axis in LAYERS.values()
    layer = each.constant and place > 0 and kind in LAYERS
    return layer and each.axis == (LAYERS[kind] if place == 1 else 0)


def _rescaling(kind: str, given: str, steps: Sequence[float]) -> float:
    """Return the scale at or below which kernels for results of these steps abort the process."""
    if kind in SUMS:
        return max(steps, default=0.0) / MOST_RESCALING[given]
    if kind in LAYERS and len(steps) == LAYER_OPERANDS:
        return math.prod(steps) / MOST_LAYER_RESCALING
    return 0.0


def _check_loop(
    file: _File, options: Record, read: Sequence[Known], given: Sequence[Known]
) -> Sequence[Sizes]:
    """Return the shapes of a loop's results, which are those of what it reads."""
    condition, body = (_check_region(file, options[name], read) for name in ("condition", "body"))
    _require([(each.type, math.prod(each.shape)) for each in condition.results] == [("B", 1)], "a condition")
    _require(len(read) == len(given) == len(body.results), "the results of a loop")
    pairs = zip(read, given, strict=True)
    _require(all(before.type == after.type for before, after in pairs), "the types of a loop")
    same = all(x.type == y.type and x.shape == y.shape for x, y in zip(read, body.results, strict=True))
    _require(same, "the shapes of a loop")
    steps = most_steps(condition, body, read)
    _require(steps is not None and steps <= MOST_STEPS, "a loop without a bound on its steps")
    return [each.shape for each in read]


def _check_region(file: _File, number: int, read: Sequence[Known]) -> Subgraph:
    """Return a subgraph that a loop runs, which nothing else does; it has no loop itself."""
    fresh = 0 < number < len(file.model["subgraphs"]) and number not in file.used
    _require(fresh, "a subgraph of a loop")
    file.used.add(number)
    graph = file.model["subgraphs"][number]
    _require(len(graph["inputs"]) == len(read), "the inputs of a loop")
    kinds = {file.codes[each["opcode"]] for each in graph["operators"] if each["opcode"] < len(file.codes)}
    _require("WHILE" not in kinds, "a loop in a loop")
    return _check_graph(file, graph, read)


def _agrees(shape: Sizes, tensor: Record) -> bool:
    """Return whether the file declares that shape; LiteRT's delegates rely on it."""
    declared = tensor["signature"] if len(tensor["signature"]) else tensor["shape"]
    return len(shape) == len(declared) and all(
        each in (-1, size) for size, each in zip(shape, declared, strict=True)
    )


def _interface(file: _File, main: Record) -> Interface:
    """Return the inputs and outputs of the main subgraph, and the signature that names them."""
    signatures = file.model["signatures"]
    keys = [each["key"] for each in signatures]
    _require(len(keys) <= 1 and all(each["subgraph"] == 0 for each in signatures), "the signatures")
    sides = []
    for side in ("inputs", "outputs"):
        tensors = [int(index) for index in main[side]]
        names = [(main["tensors"][index]["name"] or f"{side}_{index}", index) for index in tensors]
        if keys:
            maps = signatures[0][side]
            names = [(each["name"], each["tensor"]) for each in maps]
            _require({index for _, index in names} == set(tensors), f"the signature's {side}")
        _require(len(dict(names)) == len(names) and all(name for name, _ in names), f"the names of {side}")
        sides.append({name: _type_of(main["tensors"][index]) for name, index in names})
    return Interface(inputs=sides[0], outputs=sides[1], signature=keys[0] if keys else None, size=file.size)


def _type_of(tensor: Record) -> TensorType:
    letter, _ = TYPES[tensor["type"]]
    _require(letter in DTYPES, "the type of an input or output")
    sizes = tensor["signature"] if len(tensor["signature"]) else tensor["shape"]
    return TensorType(DTYPES[letter], [None if size < 0 else int(size) for size in sizes])
