"""Adds nodes for a part of the document; errors of the graph become DocumentErrors with the JSON path."""

from __future__ import annotations

from sensenet.errors import VerifyError
from sensenet.frontend.json.cursor import Cursor
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.op import Op


def emit(cursor: Cursor, op: Op, *inputs: Value, name: str) -> Value:
    """Return the (first) result of the op on these inputs; raises DocumentError if the op rejects them."""
    return emit_node(cursor, op, *inputs, name=name).value


def emit_node(cursor: Cursor, op: Op, *inputs: Value, name: str) -> Node:
    """Return the node of the op on these inputs; raises DocumentError if the op rejects them."""
    try:
        return apply(op, *inputs, name=name)
    except VerifyError as error:
        raise cursor.error(str(error.__cause__ or error)) from error


def width_of(value: Value) -> int | None:
    """Return the size of the last axis, or None if it is unknown."""
    return value.type.shape[-1] if value.type.rank else None
