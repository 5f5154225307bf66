"""The target tflite: flatbuffers damaged in bytes, or as trees of objects, with right checksums."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from support.documents import DOCUMENTS

from fuzz.calling import IMAGE, open_and_call
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_json
from sensenet.backends.tflite.flatbuffer import pack, unpack
from sensenet.backends.tflite.metadata import SIGNATURE_FILE, _pack_archive
from sensenet.compile import compile
from sensenet.files.archives import read_members

NAME = "case.tflite"
INTEGERS = (
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    64,
    127,
    255,
    256,
    1000,
    1 << 16,
    1 << 28,
    2**31 - 1,
    -1,
    -2,
    -(2**31),
)
SCALES = (0.0, 1.0, -1.0, 1e-45, 1e-30, 1e-9, 1e6, 1e30, float("inf"), float("nan"))


def seeds(modes: tuple[str, ...] = ("none", "float16", "weights", "weights4", "dynamic")) -> list[Case]:
    return [
        {NAME: bytes(compile(document, "tflite", quantize=mode, calibration=rows, optimize=level))}
        for document, rows in seed_documents()
        for mode in modes
        for level in (0, 2)
    ]


def seed_documents() -> list[tuple[Any, list[Any]]]:
    """Documents of every kind, one of them with kernels that are large enough to quantize; rows of each."""
    documents = [DOCUMENTS[kind]() for kind in sorted(DOCUMENTS)]
    random = np.random.default_rng(0)
    large = [
        {
            "type": "dense",
            "weights": random.normal(size=shape).round(2).tolist(),
            "offset": None,
            "activation_function": activation,
        }
        for shape, activation in (((5, 32), "relu"), ((32, 32), "tanh"), ((32, 2), "softmax"))
    ]
    documents.append({**DOCUMENTS["typed"](), "layers": large})
    return [(document, find_rows(document)) for document in documents]


def find_rows(document: Any) -> list[Any]:
    text = json.dumps(document)
    if "bounding_box" in text:
        return [[IMAGE]]
    return [[IMAGE, 1.0]] if '"image_network"' in text else [[2.5, "green", 4.0], [-1.0, "red", 2.0]]


def mutate(case: Case, random: Random) -> Case:
    content = case[NAME]
    files = {name: text.decode() for name, text in read_members(content, NAME).items()}
    end = content.index(b"PK\x03\x04")
    flatbuffer = content[:end]
    match random.randrange(10):
        case 0:
            return {NAME: mutate_bytes(content, random)}
        case 1:
            signature = mutate_json(json.loads(files[SIGNATURE_FILE]), random)
            files[SIGNATURE_FILE] = json.dumps(signature)
        case 2:
            flatbuffer = mutate_bytes(flatbuffer, random)
        case 3 | 4:
            flatbuffer = mutate_number(flatbuffer, random)
        case _:
            flatbuffer = mutate_tree(flatbuffer, random)
    return {NAME: bytes(flatbuffer) + _pack_archive(flatbuffer, files)}


def open(folder: Path) -> None:
    open_and_call(folder / NAME)


def mutate_number(content: bytes, random: Random) -> bytes:
    """One or two aligned numbers of 32 or 16 bits exchanged."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 2)):
        kind, size = random.choice((("<i", 4), ("<i", 4), ("<h", 2)))
        at = random.randrange(len(changed) // size) * size
        (old,) = struct.unpack_from(kind, changed, at)
        limit = 1 << (8 * size - 1)
        new = random.choice((*INTEGERS, old + 1, old - 1, old + 4, old - 4))
        struct.pack_into(kind, changed, at, (new + limit) % (2 * limit) - limit)
    return bytes(changed)


def mutate_tree(content: bytes, random: Random) -> bytes:
    """One to three parts of the model exchanged; as it was if the tree cannot be packed then."""
    tree = unpack(content)
    try:
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            mutate_part(tree, random)
        return bytes(pack(tree))
    except (ValueError, TypeError, AttributeError, OverflowError, struct.error, IndexError):
        return mutate_number(content, random)


def mutate_part(tree: Any, random: Random) -> None:
    graph = random.choice(tree.subgraphs)
    operator = random.choice(graph.operators) if graph.operators else None
    tensor = random.choice(graph.tensors)
    match random.randrange(15):
        case 0:
            code = random.choice(tree.operatorCodes)
            code.builtinCode = random.randrange(210)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        case 1 if operator:
            operator.opcodeIndex = random.randrange(len(tree.operatorCodes) + 1)
        case 2 | 3 if operator:
            name = random.choice(("inputs", "inputs", "outputs"))
            setattr(operator, name, mutate_vector(getattr(operator, name), len(graph.tensors), random))
        case 4 | 5 if operator and operator.builtinOptions:
            name = random.choice(list(vars(operator.builtinOptions)))
            old = getattr(operator.builtinOptions, name)
            if isinstance(old, bool):
                setattr(operator.builtinOptions, name, not old)
            elif isinstance(old, int):
                setattr(operator.builtinOptions, name, random.choice((*INTEGERS, old + 1, old - 1)))
            elif isinstance(old, float):
                setattr(operator.builtinOptions, name, random.choice(SCALES))
        case 6:
            tensor.type = random.randrange(19)
        case 7:
            tensor.shape = mutate_vector(tensor.shape, 8, random)
            if random.randrange(2):
                tensor.shapeSignature = None
        case 8:
            tensor.shapeSignature = mutate_vector(tensor.shape, 8, random)
        case 9:
            tensor.buffer = random.randrange(len(tree.buffers) + 1)
        case 10 | 11:
            mutate_constant(tree, graph, random)
        case 12:
            quantized = [each for each in graph.tensors if each.quantization is not None]
            if quantized:
                mutate_quantization(random.choice(quantized).quantization, random)
        case 13:
            operators = graph.operators
            at, other = (random.randrange(len(operators)) for _ in range(2))
            operators[at], operators[other] = operators[other], operators[at]
            if random.randrange(2):
                del operators[at]
        case _:
            name = random.choice(("inputs", "outputs"))
            setattr(graph, name, mutate_vector(getattr(graph, name), len(graph.tensors), random))


def mutate_vector(vector: Any, end: int, random: Random) -> Any:
    """The numbers with one exchanged, dropped, doubled or added."""
    numbers = [] if vector is None else [int(number) for number in vector]
    new = random.choice((random.randrange(end), random.randrange(end), *random.sample(INTEGERS, 2)))
    at = random.randrange(len(numbers) + 1)
    match random.randrange(4):
        case 0:
            numbers.insert(at, new)
        case 1:
            del numbers[at : at + 1]
        case _:
            numbers[at : at + 1] = [new]
    return np.array(numbers, np.int32)


def mutate_constant(tree: Any, graph: Any, random: Random) -> None:
    """Another number in a constant of whole numbers: an axis, a size, a position; seldom in one of others."""
    constants = [each for each in graph.tensors if tree.buffers[each.buffer].data is not None]
    whole = [each for each in constants if each.type in (2, 4)]
    chosen = random.choice(whole if whole and random.randrange(8) else constants)
    data = np.frombuffer(bytes(tree.buffers[chosen.buffer].data), np.uint8).copy()
    if data.size >= 4 and data.size % 4 == 0:
        numbers = data.view(np.int32)
        numbers[random.randrange(numbers.size)] = random.choice(INTEGERS)
    tree.buffers[chosen.buffer].data = data


def mutate_quantization(quantization: Any, random: Random) -> None:
    match random.randrange(4):
        case 0 if quantization.scale is not None:
            scale = np.array(quantization.scale, np.float32)
            scale[random.randrange(scale.size)] = random.choice(SCALES)
            quantization.scale = scale
        case 1 if quantization.zeroPoint is not None:
            zero = np.array(quantization.zeroPoint, np.int64)
            zero[random.randrange(zero.size)] = random.choice((-129, -128, 0, 1, 127, 128, 1 << 40))
            quantization.zeroPoint = zero
        case 2:
            quantization.quantizedDimension = random.choice((-1, 0, 1, 2, 3, 4, 1 << 30))
        case _:
            quantization.scale = np.array(random.choice(([], [1.0], [1.0] * 3)), np.float32)
