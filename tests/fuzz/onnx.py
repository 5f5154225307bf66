"""The target onnx: files damaged in bytes, or as messages that parse."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.mutators import mutate_bytes, mutate_json
from fuzz.tflite import INTEGERS, SCALES, seed_documents
from sensenet.backends.onnx.opening import parse
from sensenet.backends.onnx.verify import OPERATORS
from sensenet.compile import compile

NAME = "case.onnx"
KINDS = sorted(OPERATORS)


def seeds() -> list[Case]:
    documents = [document for document, _ in seed_documents()]
    plain = [bytes(compile(each, "onnx", optimize=level)) for each in documents for level in (0, 2)]
    fields = [bytes(compile(each, "onnx", inputs="fields")) for each in documents]
    return [{NAME: content} for content in (*plain, *fields)]


def mutate(case: Case, random: Random) -> Case:
    if not random.randrange(4):
        return {NAME: mutate_bytes(case[NAME], random)}
    model = parse(case[NAME], NAME)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        mutate_part(model, random)
    return {NAME: model.SerializeToString()}


def open(folder: Path) -> None:
    open_and_call(folder / NAME)


def mutate_part(model: Any, random: Random) -> None:
    attributes = [each for node in model.graph.node for each in node.attribute]
    graph = random.choice([model.graph, *(each.g for each in attributes if each.HasField("g"))])
    node = random.choice(graph.node)
    names = [*(each.name for each in graph.input), *(name for each in graph.node for name in each.output), ""]
    constants = model.graph.initializer
    match random.randrange(13):
        case 0:
            node.op_type = random.choice(KINDS)
        case 1 | 2 if node.input:
            node.input[random.randrange(len(node.input))] = random.choice(
                [*names, random.choice(constants).name]
            )
        case 3:
            node.input.append(random.choice(names))
        case 4 if node.input:
            del node.input[random.randrange(len(node.input))]
        case 5 | 6 if node.attribute:
            mutate_attribute(random.choice(node.attribute), random)
        case 7 if node.attribute:
            del node.attribute[random.randrange(len(node.attribute))]
        case 8:
            mutate_type(random.choice([*graph.input, *graph.output]).type.tensor_type, random)
        case 9:
            record = mutate_json(json.loads(model.metadata_props[0].value), random)
            model.metadata_props[0].value = json.dumps(record)
        case 10 if model.graph.value_info:
            changed = random.choice(model.graph.value_info)
            if random.randrange(2):
                changed.name = random.choice(names)
            else:
                mutate_type(changed.type.tensor_type, random)
        case 11:
            del graph.node[random.randrange(len(graph.node))]
        case _:
            mutate_constant(random.choice(constants), random)


def mutate_attribute(attribute: Any, random: Random) -> None:
    """Another number, or a number more or less."""
    if attribute.ints:
        at = random.randrange(len(attribute.ints))
        if random.randrange(4):
            attribute.ints[at] = random.choice(INTEGERS)
        else:
            del attribute.ints[at]
    elif attribute.HasField("i"):
        attribute.i = random.choice((*INTEGERS, attribute.i + 1, 1 << 40))
    elif attribute.HasField("f"):
        attribute.f = random.choice(SCALES)
    elif attribute.HasField("s"):
        attribute.s = random.choice((b"", b"VALID", b"SAME_LOWER", b"cubic", b"reflect", b"\xff"))


def mutate_type(declared: Any, random: Random) -> None:
    if declared.shape.dim and random.randrange(3):
        random.choice(declared.shape.dim).dim_value = random.choice(INTEGERS)
    else:
        declared.elem_type = random.randrange(20)


def mutate_constant(tensor: Any, random: Random) -> None:
    """Another number in it; or another shape or dtype, seldom of the same size."""
    size = 8 if tensor.data_type == 7 else 4
    content = bytearray(tensor.raw_data)
    match random.randrange(8):
        case 0 if tensor.dims:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(INTEGERS)
        case 1:
            tensor.dims.append(1)
        case 2:
            tensor.data_type = random.choice((1, 6, 7, 8, 9, 11, 16))
        case _ if content:
            at = random.randrange(-(-len(content) // size)) * size
            new = random.choice((*INTEGERS, 1 << 40, -(1 << 60)))
            content[at : at + size] = struct.pack("<q", new)[:size]
            tensor.raw_data = bytes(content)
