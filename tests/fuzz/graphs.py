"""Damage of graphs whose types still fit: an attribute of an op, or a part of the signature."""

from __future__ import annotations

import enum
import functools
import json
import re
from random import Random
from typing import Any

import attrs
import numpy as np
from support.documents import DOCUMENTS, dense

from fuzz.mutators import mutate_json, mutate_text
from sensenet.compile import compile
from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Input
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.types import Array, DType, Tensor, TensorType

SIZES = (0, 1, 2, 3, 5, 8, 64, 1000, 32_000, 1 << 20, 1 << 28, 1 << 31, 1 << 40)
FLOATS = (0.0, 1.0, -1.0, 0.5, 1e-45, 1e30, -1e30, 1e308, float("nan"), float("inf"))

Arrays = dict[str, Array]


@functools.cache
def seed_graphs() -> tuple[tuple[str, Arrays], ...]:
    """Graphs of every kind, and of two images that share layers, as imported and as optimized."""
    texts = []
    images = DOCUMENTS["image"]()
    images["preprocess"] = [{"type": "image", "index": index} for index in range(2)]
    images["layers"] = [dense(6, 2, "softmax")]
    for document in (*(DOCUMENTS[kind]() for kind in sorted(DOCUMENTS)), images):
        graph = import_graph(document)
        for level in (0, 2):
            made = compile(graph, "ir", optimize=level).graph
            texts.append((print_graph(made), weights(made)))
    return tuple(texts)


def mutate_graph(text: str, arrays: Arrays, random: Random) -> tuple[str, Arrays]:
    """A graph's text and weights, damaged where its syntax shows, or where only its meaning does."""
    match random.randrange(6):
        case 0:
            return mutate_signature(text, random), arrays
        case 1 | 2:
            return mutate_text(text, random), arrays
        case 3:
            return text, mutate_arrays(arrays, random)
    try:
        graph = mutate_op(parse_graph(text, arrays), random)
        return print_graph(graph), weights(graph)
    except (SensenetError, ArithmeticError, LookupError, TypeError, ValueError, MemoryError):
        return mutate_text(text, random), arrays


def mutate_signature(text: str, random: Random) -> str:
    """The text with another signature."""
    match = re.search(r"^signature (.*)$", text, re.MULTILINE)
    if match is None:
        return text
    try:
        signature = json.dumps(mutate_json(json.loads(match[1]), random))
    except ValueError:
        return text
    return text[: match.start(1)] + signature + text[match.end(1) :]


def mutate_arrays(arrays: Arrays, random: Random) -> Arrays:
    """One array exchanged, dropped, or of another dtype or shape."""
    if not arrays:
        return arrays
    name, other = random.choice(sorted(arrays)), random.choice(sorted(arrays))
    changed = dict(arrays)
    match random.randrange(5):
        case 0:
            del changed[name]
        case 1:
            changed[name] = arrays[other]
        case 2:
            changed[name] = arrays[name].astype(random.choice([np.float64, np.int64, np.uint8, np.bool_]))
        case 3:
            changed[name] = arrays[name].ravel()
        case 4:
            changed[name] = arrays[name].T
    return changed


def mutate_op(graph: Graph, random: Random) -> Graph:
    """The graph with another attribute of one op, and the types that follow from it."""
    chosen = random.choice([node.name for node in graph.nodes])
    results: dict[Value, Value] = {}
    inputs: list[Node] = []
    for node in graph.nodes:
        op = mutate_attribute(node.op, random) if node.name == chosen else node.op
        made = apply(op, *(results[value] for value in node.inputs), name=node.name)
        results |= dict(zip(node.values, made.values, strict=False))
        if isinstance(op, Input):
            inputs.append(made)
    outputs = {name: results[value] for name, value in graph.outputs.items()}
    return Graph.create(inputs, outputs, graph.signature)


def mutate_attribute(op: Op, random: Random) -> Op:
    """The op with another value of the same type for one attribute."""
    fields = [f.name for f in attrs.fields(type(op)) if f.init and not f.name.startswith("_")]  # type: ignore[arg-type]
    if not fields:
        return op
    name = random.choice(fields)
    changed: Op = attrs.evolve(op, **{name: mutate_value(getattr(op, name), random)})  # type: ignore[misc]
    return changed


def mutate_value(value: Any, random: Random) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return random.choice((*SIZES, -1, value + 1, value - 1))
        case float():
            return random.choice(FLOATS)
        case enum.Enum():
            return random.choice(list(type(value)))
        case Tensor():
            return mutate_tensor(value, random)
        case TensorType():
            return mutate_type(value, random)
        case tuple() if value:
            at = random.randrange(len(value))
            parts = [value[:at], (mutate_value(value[at], random),), value[at + 1 :]]
            return sum(parts[: random.choice((1, 2, 3, 3))], ())
    return value


def mutate_tensor(tensor: Tensor, random: Random) -> Tensor:
    """Another constant: other numbers, axes, or an axis less long."""
    array = np.array(tensor.array)
    match random.randrange(5):
        case 0:
            array = array.ravel()
        case 1:
            array = array.T
        case 2:
            array = array[: len(array) // 2] if array.ndim else array[None]
        case 3:
            array = array.astype(random.choice([np.float32, np.int32, np.bool_]))
        case _ if array.size:
            array.flat[random.randrange(array.size)] = random.choice((0, 1, -1, 7, 1e9, -1e9, 1e30, -1e30))
    return Tensor(np.ascontiguousarray(array))


def mutate_type(declared: TensorType, random: Random) -> TensorType:
    """Another dtype, axis or size."""
    shape = list(declared.shape)
    match random.randrange(4):
        case 0:
            return declared.with_dtype(random.choice(list(DType)))
        case 1 if shape:
            del shape[random.randrange(len(shape))]
        case 2:
            shape.insert(random.randint(0, len(shape)), random.choice((None, *SIZES)))
        case _ if shape:
            shape[random.randrange(len(shape))] = random.choice((None, *SIZES))
    return declared.with_shape(shape)
