"""Writes the weights of a graph that was trained further into the document that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from sensenet.errors import DocumentError
from sensenet.frontend.json.plain import as_plain, put
from sensenet.frontend.weight_sources import ImportedGraph, WeightSource, WeightSources
from sensenet.ir.graph import Graph, Node
from sensenet.ir.op import Op
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.types import Tensor
from sensenet.layer_schema import AS_GIVEN

OFFSET = "offset"
"""The member for the bias of a layer that had none before training."""


def write_weights(root: Mapping[str, Any], imported: ImportedGraph, trained: Graph) -> dict[str, Any]:
    """Return the document with the weights of `trained` instead of its own, each in the document's form.

    `imported` was built from the document in `root`, and `trained` is its graph with other weights.
    Everything else, and every unchanged weight, is as in `root`, which is not changed. Arrays become lists of
    the shortest decimals that are the same float32, and initializers become numbers. A legacy layer with
    statistics has no member for a bias, so the bias is subtracted from its mean.

    Raises DocumentError, with the JSON path, for numbers that are not finite, and for a weight that the
    document has once if its copies were trained to different numbers.
    """
    graph, sources = imported.graph, imported.weight_sources
    ops = _without_inner_biases(graph, {node.name: node.op for node in trained.nodes}, sources)
    written: dict[str, tuple[str, Tensor]] = {}
    result: Any = root
    for node in graph.nodes:
        for source, given, tensor in _find_weights(node, ops[node.name], sources):
            name, other = written.setdefault(source.path, (node.name, tensor))
            if tensor != other:
                raise DocumentError(
                    f"the document has this weight once, but {name!r} and {node.name!r} were trained to "
                    "different numbers: compile for the target keras with share_weights=True",
                    source.path,
                )
            if name == node.name and (tensor != given or source.named):
                result = put(result, source.path, _write(source, tensor))
    plain: dict[str, Any] = as_plain(result)
    return plain


def _find_weights(
    node: Node, trained: Op, sources: WeightSources
) -> Iterator[tuple[WeightSource, Tensor | None, Tensor]]:
    """Yield the source of each weight of a node, the weight as it was read, and as it was trained.

    Also yields a trained bias that the document does not have.
    """
    known = sources.get(node.name, {})
    layer = _layer_path(known)
    if layer is None:
        return
    for field in attrs.fields(type(node.op)):  # type: ignore[arg-type]  # every op is an attrs class
        given, tensor = getattr(node.op, field.name), getattr(trained, field.name)
        if field.name in known:
            yield known[field.name], given, tensor
        elif tensor != given:
            yield WeightSource(layer=layer, key=OFFSET, form=AS_GIVEN), given, tensor


def _without_inner_biases(graph: Graph, ops: Mapping[str, Op], sources: WeightSources) -> Mapping[str, Op]:
    """Return the ops, with biases between dense and batch normalization of one layer moved into the mean.

    x·Wᵀ + bias - mean = x·Wᵀ - (mean - bias).
    """
    changed = dict(ops)
    for node in graph.nodes:
        before = node.inputs[0].node if node.inputs else node
        match ops[before.name], ops[node.name]:
            case Dense(bias=Tensor() as bias) as dense, BatchNormalization(mean=mean) as normalization if (
                _layer_path(sources.get(before.name, {})) == _layer_path(sources.get(node.name, {}))
            ):
                changed[before.name] = attrs.evolve(dense, bias=None)
                lowered = Tensor.float32(mean.float64 - bias.float64)
                changed[node.name] = attrs.evolve(normalization, mean=lowered)
    return changed


def _layer_path(sources: Mapping[str, WeightSource]) -> str | None:
    """Return the JSON path of the layer that a node's weights were read from, if any."""
    return next((source.layer for source in sources.values()), None)


def _write(source: WeightSource, tensor: Tensor) -> Any:
    """Return the array in the document's form; raise DocumentError unless it is finite."""
    written = source.form.write(tensor)
    if not written.finite:
        raise DocumentError("the trained weight has numbers that are not finite in float32", source.path)
    return written.array
