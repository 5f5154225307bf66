"""Reads the text form of a graph (see `sensenet.ir.printer`) back.

The parser is generic: which attributes an op has, and of what type, it takes from the op's class. Every
error is a `TextFormError` that begins with `line:column`.
"""

from __future__ import annotations

import enum
import functools
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from sensenet.errors import ArtifactError, TextFormError, VerifyError
from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.op import Op
from sensenet.ir.ops import OPS
from sensenet.ir.ops.core import Input
from sensenet.ir.printer import HEADER
from sensenet.ir.signature import Signature
from sensenet.ir.types import Array, DType, Tensor, TensorType

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<value>%[A-Za-z_][\w.]*)
    | (?P<digest>\#[0-9a-f]+)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<number>[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|inf|nan)(?![\w.]))
    | (?P<word>[A-Za-z_][\w]*)
    | (?P<mark>[=(){}\[\],:?])
    )""",
    re.VERBOSE,
)


def parse_graph(text: str, weights: Mapping[str, Array] | None = None) -> Graph:
    """The graph of a text form; `weights` maps the digests it names to arrays.

    Raises TextFormError for text that is none, or that names unknown ops, values, attributes or weights, or
    whose types are not those that the ops infer.
    """
    lines = text.splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise TextFormError(f"1:1: expected {HEADER!r}")
    signature = Signature()
    nodes: dict[str, Node] = {}
    outputs: dict[str, Value] = {}
    for number, line in enumerate(lines[1:], start=2):
        reader = _Line(line, number, nodes, weights or {})
        content = line.strip()
        if not content or content.startswith("//"):
            continue
        if content.startswith("signature "):
            signature = reader.signature()
        elif content.startswith("output "):
            name, value = reader.output()
            outputs[name] = value
        else:
            node = reader.node()
            nodes[node.name] = node
    if not outputs:
        raise TextFormError(f"{len(lines)}:1: the graph has no output")
    inputs = [node for node in nodes.values() if isinstance(node.op, Input)]
    return Graph.create(inputs, outputs, signature)


def parse_op(text: str, weights: Mapping[str, Array]) -> Op:
    """The op of `mnemonic {attributes}`."""
    reader = _Line(text, 1, {}, weights)
    return reader.op_attributes(reader.op_class())


class _Line:
    """Reads one line from left to right."""

    def __init__(
        self, text: str, number: int, nodes: Mapping[str, Node], weights: Mapping[str, Array]
    ) -> None:
        self.text, self.number, self.nodes, self.weights = text, number, nodes, weights
        self.position = 0

    def error(self, message: str) -> TextFormError:
        return TextFormError(f"{self.number}:{self.position + 1}: {message}")

    def peek(self) -> tuple[str, str]:
        """The kind and text of the next token; ("end", "") at the end of the line."""
        match = _TOKEN.match(self.text, self.position)
        if match is None or match.lastgroup is None:
            rest = self.text[self.position :].strip()
            if rest:
                raise self.error(f"unexpected {rest[:20]!r}")
            return "end", ""
        return match.lastgroup, match[match.lastgroup]

    def take(self, kind: str, text: str | None = None) -> str:
        """The next token, which must be of that kind (and text)."""
        found_kind, found = self.peek()
        if found_kind != kind or text not in (None, found):
            raise self.error(f"expected {text or kind}, found {found or 'the end of the line'!r}")
        match = _TOKEN.match(self.text, self.position)
        self.position = match.end() if match else len(self.text)
        return found

    def take_if(self, text: str) -> bool:
        """Whether the next token is this mark, which is then taken."""
        if self.peek() != ("mark", text):
            return False
        self.take("mark")
        return True

    def signature(self) -> Signature:
        self.take("word", "signature")
        try:
            return Signature.from_json(json.loads(self.text[self.position :]))
        except (ValueError, ArtifactError, RecursionError) as error:
            raise self.error(f"not a signature: {error}") from error

    def output(self) -> tuple[str, Value]:
        self.take("word", "output")
        name = self.take("word")
        self.take("mark", "=")
        value = self.value()
        self.take("end")
        return name, value

    def node(self) -> Node:
        name = self.take("value")[1:]
        if name in self.nodes:
            raise self.error(f"%{name} is defined twice")
        self.take("mark", "=")
        op_class = self.op_class()
        inputs: list[Value] = []
        self.take("mark", "(")
        while not self.take_if(")"):
            inputs.append(self.value())
            if self.peek() != ("mark", ")"):
                self.take("mark", ",")
        op = self.op_attributes(op_class)
        self.take("mark", ":")
        declared = [self.tensor_type()]
        while self.take_if(","):
            declared.append(self.tensor_type())
        self.take("end")
        try:
            node = apply(op, *inputs, name=name)
        except VerifyError as error:
            raise self.error(str(error)) from error
        if list(node.types) != declared:
            raise self.error(f"declared {_join(declared)}, but the op gives {_join(node.types)}")
        return node

    def op_class(self) -> type[Op]:
        name = self.take("word")
        if name not in OPS:
            raise self.error(f"there is no op {name!r}")
        return OPS[name]

    def op_attributes(self, op_class: type[Op]) -> Op:
        op: Op = self.attrs_object(op_class)
        return op

    def value(self) -> Value:
        name = self.take("value")[1:]
        node = self.nodes.get(name)
        if node is None:
            raise self.error(f"%{name} is not defined above")
        index = int(self.take("number")) if self.take_if(":") else 0
        if index >= len(node.types):
            raise self.error(f"%{name} has {len(node.types)} results")
        return Value(node, index)

    def tensor_type(self) -> TensorType:
        name = self.take("word")
        try:
            dtype = DType(name)
        except ValueError:
            raise self.error(f"there is no dtype {name!r}") from None
        self.take("mark", "[")
        shape: list[int | None] = []
        while not self.take_if("]"):
            shape.append(None if self.take_if("?") else self.integer())
            if self.peek() != ("mark", "]"):
                self.take("mark", ",")
        return TensorType(dtype, tuple(shape))

    def integer(self) -> int:
        text = self.take("number")
        try:
            return int(text)
        except ValueError:
            raise self.error(f"expected an integer, found {text}") from None

    def attrs_object(self, cls: type[Any]) -> Any:
        """`{name=value, …}` as an instance of an attrs class."""
        annotations = _annotations(cls)
        given: dict[str, Any] = {}
        self.take("mark", "{")
        while not self.take_if("}"):
            name = self.take("word")
            if name not in annotations or name in given:
                raise self.error(f"{cls.__name__} takes no attribute {name!r} (or not twice)")
            self.take("mark", "=")
            given[name] = self.attribute(annotations[name])
            if self.peek() != ("mark", "}"):
                self.take("mark", ",")
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise self.error(f"{cls.__name__}: {error}") from error

    def attribute(self, annotation: Any) -> Any:
        """A value of the annotated type."""
        if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
            return self.union(typing.get_args(annotation))
        if typing.get_origin(annotation) is tuple:
            return self.items(typing.get_args(annotation))
        if annotation is Tensor:
            return self.tensor()
        if annotation is TensorType:
            return self.tensor_type()
        if annotation is bool:
            return self.boolean()
        if annotation is int:
            return self.integer()
        if annotation is float:
            return float(self.take("number"))
        if annotation is str:
            return json.loads(self.take("string"))
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return self.enumeration(annotation)
        if attrs.has(annotation):
            return self.attrs_object(annotation)
        raise self.error(f"attributes of type {annotation} have no text form")

    def union(self, members: tuple[Any, ...]) -> Any:
        others = [member for member in members if member is not type(None)]
        if len(others) < len(members) and self.peek() == ("word", "none"):
            self.take("word")
            return None
        if len(others) != 1:
            raise self.error(f"a union of {len(others)} types has no text form")
        return self.attribute(others[0])

    def items(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        variadic = len(items) == 2 and items[1] is Ellipsis
        values: list[Any] = []
        self.take("mark", "(")
        while not self.take_if(")"):
            if not variadic and len(values) >= len(items):
                raise self.error(f"expected {len(items)} items")
            values.append(self.attribute(items[0] if variadic else items[len(values)]))
            if self.peek() != ("mark", ")"):
                self.take("mark", ",")
        if not variadic and len(values) != len(items):
            raise self.error(f"expected {len(items)} items, found {len(values)}")
        return tuple(values)

    def boolean(self) -> bool:
        word = self.take("word")
        if word not in ("true", "false"):
            raise self.error(f"expected true or false, found {word!r}")
        return word == "true"

    def enumeration(self, members: type[enum.Enum]) -> enum.Enum:
        word = self.take("word")
        try:
            member: enum.Enum = members(word)
        except ValueError:
            names = ", ".join(str(member.value) for member in members)
            raise self.error(f"expected one of {names}; found {word!r}") from None
        return member

    def tensor(self) -> Tensor:
        if self.peek()[0] == "digest":
            return self.weight()
        declared = self.tensor_type()
        if None in declared.shape:
            raise self.error("a constant's sizes are known")
        elements: list[float | bool] = []
        self.take("mark", "{")
        while not self.take_if("}"):
            elements.append(self.boolean() if declared.dtype is DType.BOOL else float(self.take("number")))
            if self.peek() != ("mark", "}"):
                self.take("mark", ",")
        try:
            with np.errstate(over="ignore"):
                array = np.array(elements, declared.dtype.numpy).reshape(declared.shape)  # type: ignore[arg-type]
        except (ValueError, OverflowError) as error:
            raise self.error(f"{len(elements)} elements do not fill {declared}: {error}") from error
        return Tensor(array)

    def weight(self) -> Tensor:
        digest = self.take("digest")[1:]
        self.take("mark", ":")
        declared = self.tensor_type()
        array = self.weights.get(digest)
        if array is None:
            raise self.error(f"no weights are given for #{digest}")
        try:
            tensor = Tensor(array)
        except TypeError as error:
            raise self.error(f"#{digest}: {error}") from error
        if tensor.type != declared:
            raise self.error(f"#{digest} is declared {declared}, its weights are {tensor.type}")
        return tensor


@functools.cache
def _annotations(cls: type[Any]) -> dict[str, Any]:
    """The resolved types of an attrs class's fields."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in attrs.fields(cls)}


def _join(declared: typing.Iterable[TensorType]) -> str:
    return ", ".join(map(str, declared))
