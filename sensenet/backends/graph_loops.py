"""Bounds the loops of a file's TensorFlow graph, before TensorFlow loads any of them.

TensorFlow writes each of its loops with a counter: it begins at a constant, and the body adds 1. Here
conditions get an operand that reads past its end once the counter is at MOST_STEPS, which TensorFlow reports
as an error. So a loop that ends runs as before, and one that does not is stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sensenet.errors import ArtifactError
from sensenet.ir.ops.control import MOST_STEPS

LOOPS = frozenset({"StatelessWhile"})
"""The ops of loops among those that `graph_ops` allows."""

MOST_NESTED = 2
"""Loops in one another: those of the published package, and ours over images, have one loop in another."""

BOUND = "loop_has_not_ended"
"""The name of the node that fails once a loop is at its bound, which is in TensorFlow's error."""


def bound_loops(tf: Any, nodes: Sequence[Any], functions: Sequence[Any], where: str) -> list[Any]:
    """Bound the loops of a graph's nodes and functions, in place; return the functions that it needs besides.

    Raises ArtifactError for a loop that does not count its steps, for loops nested deeper than MOST_NESTED,
    and for functions that call themselves.
    """
    by_name = {function.signature.name: function for function in functions}
    _check_calls(nodes, by_name, where)
    made: list[Any] = []
    for scope in (nodes, *(function.node_def for function in functions)):
        by_node = {node.name: node for node in scope}
        for node in scope:
            if node.op in LOOPS:
                condition = _bound(tf, node, by_node, by_name, where)
                condition.signature.name = f"sensenet_condition_{len(made)}"
                node.attr["cond"].func.name = condition.signature.name
                made.append(condition)
    return made


def called_by(nodes: Iterable[Any]) -> Iterator[str]:
    """Return the names of the functions that nodes call."""
    for node in nodes:
        for value in node.attr.values():
            for each in (value.func, *value.list.func):
                if each.name:
                    yield each.name


def _check_calls(nodes: Sequence[Any], functions: Mapping[str, Any], where: str) -> None:
    """Raise ArtifactError for recursion, and for loops nested too deep."""
    for each in functions.values():
        each.attr.pop("api_implements", None)  # TensorFlow may take one such function for another
    calls = {
        name: set(called_by([each, *each.node_def])) & functions.keys() for name, each in functions.items()
    }
    depths: dict[str, int] = {}
    try:
        for name in TopologicalSorter(calls).static_order():
            depths[name] = _depth(functions[name].node_def, depths)
    except CycleError:
        raise ArtifactError(f"{where} is not run: a function of its graph calls itself") from None
    if max(_depth(nodes, depths), *depths.values(), 0) > MOST_NESTED:
        raise ArtifactError(f"{where} is not run: more than {MOST_NESTED} of its loops are in one another")


def _depth(nodes: Iterable[Any], depths: Mapping[str, int]) -> int:
    """Return the number of loops that are in one another among nodes, and the functions that they call."""
    return max(
        (
            max((depths.get(name, 0) for name in called_by([node])), default=0) + (node.op in LOOPS)
            for node in nodes
        ),
        default=0,
    )


def _bound(tf: Any, loop: Any, nodes: Mapping[str, Any], functions: Mapping[str, Any], where: str) -> Any:
    """Return the condition of a loop with a bound: a FunctionDef."""
    condition, body = (functions.get(loop.attr[name].func.name) for name in ("cond", "body"))
    if condition is not None and body is not None and condition.signature.output_arg:
        place = _find_counter(tf, loop, body, nodes)
        if place is not None and place < len(condition.signature.input_arg):
            bounded = type(condition)()
            bounded.CopyFrom(condition)
            _add_bound(tf, bounded, bounded.signature.input_arg[place].name)
            return bounded
    raise ArtifactError(f"{where} is not run: its loop {loop.name[:80]!r} does not count its steps")


def _add_bound(tf: Any, condition: Any, counter: str) -> None:
    """Make a condition fail once a counter is at MOST_STEPS.

    The condition becomes a scalar: TensorFlow takes any other tensor that has entries for true.
    """
    output = condition.signature.output_arg[0].name
    boolean, whole = ({"type": dtype.as_datatype_enum} for dtype in (tf.bool, tf.int32))

    def add(name: str, op: str, *inputs: str, **attributes: Any) -> str:
        node = condition.node_def.add(name=f"sensenet_{name}", op=op, input=inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(tf.compat.v1.AttrValue(**value))
        return f"sensenet_{name}:{OUTPUTS[op]}:0"

    def constant(name: str, value: Any, dtype: Any) -> str:
        tensor = {"tensor": tf.make_tensor_proto(value, dtype)}
        return add(name, "Const", value=tensor, dtype={"type": dtype.as_datatype_enum})

    share = add("share", "FloorDiv", counter, constant("most_steps", MOST_STEPS, tf.int32), T=whole)
    within = add(
        BOUND,
        "GatherV2",
        constant("once", [True], tf.bool),
        share,
        constant("axis", 0, tf.int32),
        Tparams=boolean,
        Tindices=whole,
        Taxis=whole,
    )
    scalar = constant("scalar", [], tf.int32)
    given = add("given", "Reshape", condition.ret[output], scalar, T=boolean, Tshape=whole)
    condition.ret[output] = add("proceed", "LogicalAnd", given, within)


OUTPUTS: Mapping[str, str] = {
    "Const": "output",
    "FloorDiv": "z",
    "GatherV2": "output",
    "LogicalAnd": "z",
    "Reshape": "output",
}
"""How functions name the result of an op."""


def _find_counter(tf: Any, loop: Any, body: Any, nodes: Mapping[str, Any]) -> int | None:
    """Return the position of a counter that begins at a constant and that the body increments; else None."""
    inner = {node.name: node for node in body.node_def}
    arguments, results = body.signature.input_arg, body.signature.output_arg
    for place, (start, argument, result) in enumerate(
        zip(data_inputs(loop), arguments, results, strict=False)
    ):
        total = _resolve(body.ret[result.name], inner)
        first = _whole_number(tf, _resolve(start, nodes))
        if first is None or first < 0 or total is None or total.op != "AddV2":
            continue
        operands = data_inputs(total)
        if argument.name in operands and argument.name not in inner:
            operands.remove(argument.name)
            if len(operands) == 1 and _whole_number(tf, _resolve(operands[0], inner)) == 1:
                return place
    return None


def data_inputs(node: Any) -> list[str]:
    """Return the inputs of a node that are not about order alone."""
    return [name for name in node.input if not name.startswith("^")]


def _resolve(name: str, nodes: Mapping[str, Any]) -> Any:
    """Return the node that computes a result, skipping nodes that pass it on; None for an argument."""
    for _ in range(len(nodes) + 1):
        node = nodes.get(name.partition(":")[0])
        if node is None or node.op != "Identity":
            return node
        (name, *_) = data_inputs(node) or [""]
    return None


def _whole_number(tf: Any, node: Any) -> int | None:
    """Return the content of a constant int32[]."""
    if node is None or node.op != "Const":
        return None
    tensor = node.attr["value"].tensor
    if tensor.dtype != tf.int32.as_datatype_enum or tensor.tensor_shape.dim:
        return None
    try:
        return int(tf.make_ndarray(tensor))
    except (TypeError, ValueError):
        return None
