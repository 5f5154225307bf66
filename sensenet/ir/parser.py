"""Reads the text form of a graph (see `sensenet.ir.printer`) back.

The parser is generic: it takes the names and types of an op's attributes from the op's class. Every error is
a `TextFormError` that begins with `line:column`.
"""

from __future__ import annotations

import enum
import functools
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from sensenet.errors import ArtifactError, TextFormError, VerifyError
from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.lexer import LineReader, Token
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.table import OPS
from sensenet.ir.printer import HEADER, REGION
from sensenet.ir.region import Region
from sensenet.ir.sharing import Part, Shares, require_shareable
from sensenet.ir.types import Array, DType, Tensor, TensorType
from sensenet.signature import Signature

DEEPEST_REGION = 16
"""The deepest nesting of regions: reading them is recursive."""


def parse_graph(text: str, weights: Mapping[str, Array] | None = None) -> Graph:
    """Return the graph of a text form; `weights` has the arrays by the digests in the text.

    Lines that begin with `//` are comments; without a signature line, the signature is empty; nodes that no
    output depends on are dropped. Raises TextFormError for text that is not a graph, that names unknown ops,
    values, attributes or weights, or whose types differ from those that the ops infer.
    """
    lines = enumerate(text.split("\n"), start=1)
    if next(lines)[1].strip() != HEADER:
        raise TextFormError(f"1:1: expected {HEADER!r}")
    signature: Signature | None = None
    scope = _Scope()
    last = 1
    for last, line in lines:
        if line.lstrip().startswith("signature "):
            if signature is not None:
                raise TextFormError(f"{last}:1: a second signature")
            signature = _parse_signature(line, last)
        elif not _is_empty(line):
            _Line(line, last, scope, weights or {}, lines).statement()
    if not scope.outputs:
        raise TextFormError(f"{last}:1: the graph has no output")
    return scope.graph(signature or Signature())


def parse_op(text: str, weights: Mapping[str, Array]) -> Op:
    """Return the op of `mnemonic {attributes}`; raises TextFormError."""
    lines = enumerate(text.split("\n"), start=1)
    number, first = next(lines)
    reader = _Line(first, number, _Scope(), weights, lines)
    op = reader.op_attributes(reader.op_class())
    reader.take("end")
    return op


def _parse_signature(line: str, number: int) -> Signature:
    """Return the signature of `signature {…}`, a JSON object."""
    start = line.index("signature ") + len("signature ")
    try:
        return Signature.from_json(json.loads(line[start:]))
    except (ValueError, ArtifactError, RecursionError) as error:
        raise TextFormError(f"{number}:{start + 1}: not a signature: {error}") from error


def _is_empty(line: str) -> bool:
    """Return whether a line is blank or a comment."""
    content = line.strip()
    return not content or content.startswith("//")


@attrs.frozen
class _Scope:
    """The nodes and outputs that have been read of a graph, or of a region nested `depth` deep."""

    depth: int = 0
    nodes: dict[str, Node] = attrs.field(factory=dict)
    outputs: dict[str, Value] = attrs.field(factory=dict)
    sharing: dict[Shares, Node] = attrs.field(factory=dict)
    """The first node of each shared layer or weights."""

    def graph(self, signature: Signature) -> Graph:
        inputs = [node for node in self.nodes.values() if isinstance(node.op, Input)]
        return Graph.create(inputs, self.outputs, signature)


class _Line(LineReader):
    """Reads a node, an output or an op's attributes; regions take further lines."""

    def __init__(
        self,
        text: str,
        line: int,
        scope: _Scope,
        weights: Mapping[str, Array],
        following: Iterator[tuple[int, str]],
    ) -> None:
        super().__init__(text, line)
        self.scope, self.weights, self.following = scope, weights, following

    def statement(self) -> None:
        """Add a node or an output to the scope."""
        if self.peek().text == "output":
            self.output()
        else:
            node = self.node()
            self.scope.nodes[node.name] = node
            if node.shares:
                self.scope.sharing.setdefault(node.shares, node)

    def output(self) -> None:
        self.take("word", "output")
        name = self.take("word")
        if name in self.scope.outputs:
            raise self.error(f"there is an output {name!r} already")
        self.take("mark", "=")
        value = self.value()
        self.take("end")
        self.scope.outputs[name] = value

    def region(self) -> Region:
        """Return the region of `graph {`, lines of nodes and outputs, and a line that begins with `}`."""
        start = self.peek()
        self.take("word", REGION)
        self.take("mark", "{")
        self.take("end")
        if self.scope.depth == DEEPEST_REGION:
            raise self.error(f"regions are nested more than {DEEPEST_REGION} deep", start)
        inner = _Scope(depth=self.scope.depth + 1)
        for number, line in self.following:
            if line.lstrip().startswith("}"):
                self.load(line, number)
                self.take("mark", "}")
                if not inner.outputs:
                    raise self.error("the region has no output", start)
                return Region(inner.graph(Signature()))
            if not _is_empty(line):
                _Line(line, number, inner, self.weights, self.following).statement()
        raise self.error("the region is not closed", start)

    def node(self) -> Node:
        name = self.take("value")[1:]
        if name in self.scope.nodes:
            raise self.error(f"%{name} is defined twice")
        self.take("mark", "=")
        start = self.peek()
        op_class = self.op_class()
        inputs: list[Value] = []
        self.items("(", ")", lambda: inputs.append(self.value()))
        op = self.op_attributes(op_class)
        self.take("mark", ":")
        declared_start = self.peek()
        declared = [self.tensor_type()]
        while self.take_if("mark", ","):
            declared.append(self.tensor_type())
        shares = self.shares()
        self.take("end")
        if shares is not None:
            op = self.shared_op(op, shares, start)
        try:
            node = apply(op, *inputs, name=name, shares=shares)
        except (VerifyError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise self.error(str(error), start) from error
        if list(node.types) != declared:
            raise self.error(
                f"declared {_join(declared)}, but the op returns {_join(node.types)}", declared_start
            )
        return node

    def shares(self) -> Shares | None:
        """Return the value of `shares layer name` or `shares weights name`, if that comes next."""
        if not self.take_if("word", "shares"):
            return None
        part = self.enumeration(Part)
        assert isinstance(part, Part)
        return Shares(part, self.take("word"))

    def shared_op(self, op: Op, shares: Shares, start: Token) -> Op:
        """Return the op of the first node that shares the same, which must be an equal op."""
        first = self.scope.sharing.get(shares)
        try:
            require_shareable(op, first)
        except VerifyError as error:
            raise self.error(str(error), start) from error
        return first.op if first else op

    def op_class(self) -> type[Op]:
        name = self.take("word")
        if name not in OPS:
            raise self.error(f"unknown op {name!r}")
        return OPS[name]

    def op_attributes(self, op_class: type[Op]) -> Op:
        op: Op = self.attrs_object(op_class)
        return op

    def value(self) -> Value:
        name = self.take("value")[1:]
        node = self.scope.nodes.get(name)
        if node is None:
            raise self.error(f"%{name} is not defined above")
        index = self.integer() if self.take_if("mark", ":") else 0
        if not 0 <= index < len(node.types):
            raise self.error(f"%{name} has {len(node.types)} results, numbered from 0")
        return Value(node, index)

    def tensor_type(self) -> TensorType:
        name = self.take("word")
        try:
            dtype = DType(name)
        except ValueError:
            raise self.error(f"unknown dtype {name!r}") from None
        shape: list[int | None] = []
        self.items("[", "]", lambda: shape.append(self.size()))
        return TensorType(dtype, tuple(shape))

    def size(self) -> int | None:
        if self.take_if("mark", "?"):
            return None
        size = self.integer()
        if size < 0:
            raise self.error(f"expected a size, found {size}")
        return size

    def attrs_object(self, cls: type[Any]) -> Any:
        """Return the instance of an attrs class that `{name=value, …}` describes."""
        start = self.peek()
        annotations = _annotations(cls)  # type: ignore[arg-type]  # mypy takes a class's hash for its instances'
        given: dict[str, Any] = {}

        def read() -> None:
            name = self.take("word")
            if name not in annotations or name in given:
                raise self.error(f"{cls.__name__} takes no attribute {name!r} (or not twice)")
            self.take("mark", "=")
            given[name] = self.attribute(annotations[name])

        self.items("{", "}", read)
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise self.error(f"{cls.__name__}: {error}", start) from error

    def attribute(self, annotation: Any) -> Any:
        """Return a value of the annotated type."""
        if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
            return self.union(typing.get_args(annotation))
        if typing.get_origin(annotation) is tuple:
            return self.elements(typing.get_args(annotation))
        readers: dict[Any, Callable[[], Any]] = {
            Region: self.region,
            Tensor: self.tensor,
            TensorType: self.tensor_type,
            bool: self.boolean,
            int: self.integer,
            float: self.number,
            str: self.string,
        }
        if annotation in readers:
            return readers[annotation]()
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return self.enumeration(annotation)
        if attrs.has(annotation):
            return self.attrs_object(annotation)
        raise self.error(f"attributes of type {annotation} have no text form")

    def union(self, members: tuple[Any, ...]) -> Any:
        """Return None for `none`, else a value of the union's other type."""
        others = [member for member in members if member is not type(None)]
        if len(others) < len(members) and self.take_if("word", "none"):
            return None
        if len(others) != 1:
            raise self.error(f"a union of {len(others)} types has no text form")
        return self.attribute(others[0])

    def elements(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the tuple of `(item, …)`, for `tuple[item, ...]` or a tuple of given types."""
        variadic = len(items) == 2 and items[1] is Ellipsis
        values: list[Any] = []

        def read() -> None:
            if not variadic and len(values) >= len(items):
                raise self.error(f"expected {len(items)} items", self.peek())
            values.append(self.attribute(items[0] if variadic else items[len(values)]))

        self.items("(", ")", read)
        if not variadic and len(values) != len(items):
            raise self.error(f"expected {len(items)} items, found {len(values)}")
        return tuple(values)

    def enumeration(self, members: type[enum.Enum]) -> enum.Enum:
        word = self.take("word")
        try:
            member: enum.Enum = members(word)
        except ValueError:
            names = ", ".join(str(member.value) for member in members)
            raise self.error(f"expected one of {names}; found {word!r}") from None
        return member

    def tensor(self) -> Tensor:
        start = self.peek()
        if start.kind == "digest":
            return self.weight()
        declared = self.tensor_type()
        read_element: Callable[[], float | bool] = {
            DType.FLOAT32: self.number,
            DType.INT32: self.int32,
            DType.BOOL: self.boolean,
        }[declared.dtype]
        elements: list[float | bool] = []
        self.items("{", "}", lambda: elements.append(read_element()))
        sizes = [size for size in declared.shape if size is not None]
        if len(sizes) < declared.rank or math.prod(sizes) != len(elements):
            raise self.error(f"{len(elements)} elements do not fill {declared}", start)
        try:
            with np.errstate(over="ignore"):
                return Tensor.owning(np.array(elements, declared.dtype.numpy).reshape(sizes))
        except ValueError as error:  # more or larger axes than NumPy supports
            raise self.error(f"{declared}: {error}", start) from error

    def int32(self) -> int:
        value = self.integer()
        if not -(2**31) <= value < 2**31:
            raise self.error(f"{value} is not an i32")
        return value

    def weight(self) -> Tensor:
        start = self.peek()
        digest = self.take("digest")[1:]
        self.take("mark", ":")
        declared = self.tensor_type()
        array = self.weights.get(digest)
        if array is None:
            raise self.error(f"the weights #{digest} are missing", start)
        try:
            tensor = Tensor(array)
        except TypeError as error:
            raise self.error(f"#{digest}: {error}", start) from error
        if tensor.type != declared:
            raise self.error(f"#{digest} is declared {declared}, but its weights are {tensor.type}", start)
        if not tensor.digest.startswith(digest):
            raise self.error(f"the weights #{digest} have another digest: #{tensor.digest}", start)
        return tensor


@functools.cache
def _annotations(cls: type[Any]) -> dict[str, Any]:
    """Return the resolved types of an attrs class's fields."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in attrs.fields(cls)}


def _join(declared: Iterable[TensorType]) -> str:
    return ", ".join(map(str, declared))
