"""Nodes for a place in the document: what the graph refuses is reported with the JSON path."""

from __future__ import annotations

from sensenet.errors import VerifyError
from sensenet.frontend.json.cursor import Cursor
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.op import Op


def emit(cursor: Cursor, op: Op, *inputs: Value, name: str) -> Value:
    """Return the (first) result of the op on these inputs; raises DocumentError if it does not take them."""
    return emit_node(cursor, op, *inputs, name=name).value


def emit_node(cursor: Cursor, op: Op, *inputs: Value, name: str) -> Node:
    """Return the same for an op with several results."""
    try:
        return apply(op, *inputs, name=name)
    except VerifyError as error:
        raise cursor.error(str(error.__cause__ or error)) from error


def width_of(value: Value) -> int | None:
    """Return the size of the last axis, if it is known."""
    return value.type.shape[-1] if value.type.rank else None
