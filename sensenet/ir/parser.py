"""Reads the text form of a graph (see `sensenet.ir.printer`) back.

The parser is generic: it takes the names and types of an op's attributes from the op's class. Every error is
a `TextFormError` that begins with `line:column`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import attrs

from sensenet.errors import ArtifactError, TextFormError, VerifyError
from sensenet.ir.attribute_reader import AttributeReader
from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.lexer import Token
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.table import OPS
from sensenet.ir.printer import HEADER, REGION
from sensenet.ir.region import Region
from sensenet.ir.sharing import Part, Shares, require_shareable
from sensenet.ir.types import Array, TensorType
from sensenet.records import frozen
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


@frozen
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


class _Line(AttributeReader):
    """Reads a node, an output or an op's attributes; regions take further lines."""

    def __init__(
        self,
        text: str,
        line: int,
        scope: _Scope,
        weights: Mapping[str, Array],
        following: Iterator[tuple[int, str]],
    ) -> None:
        super().__init__(text, line, weights)
        self.scope, self.following = scope, following

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


def _join(declared: Iterable[TensorType]) -> str:
    return ", ".join(map(str, declared))
