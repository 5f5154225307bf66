"""The way back: a document with the weights of a graph that was made of it, and trained further since."""

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
"""The member of a layer for a bias that it has none of yet."""


def write_weights(root: Mapping[str, Any], imported: ImportedGraph, trained: Graph) -> dict[str, Any]:
    """Return the document with the weights of `trained` instead of its own, in the forms that it has them in.

    `imported` was built of the document that was found in `root`; `trained` is its graph with other weights.
    Every weight that did not change, and everything else, is as in `root`, which is left alone; arrays become
    lists of the shortest decimals that are the same float32. Initializers give way to numbers. The bias of a
    legacy layer with statistics has no place of its own: its mean is lowered by that.

    Raises DocumentError, with the JSON path, for numbers that are not finite, and where a weight that the
    document has once was trained to several.
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
                    f"the document has this weight once, and it was trained apart in {name!r} and "
                    f"{node.name!r}: compile for the target keras with share_weights=True to train it once",
                    source.path,
                )
            if name == node.name and (tensor != given or source.named):
                result = put(result, source.path, _write(source, tensor))
    plain: dict[str, Any] = as_plain(result)
    return plain


def _find_weights(
    node: Node, trained: Op, sources: WeightSources
) -> Iterator[tuple[WeightSource, Tensor | None, Tensor]]:
    """Return the sources of a node's weights, the weights as they were read, and as they were trained.

    So too for a bias that the document leaves out since it is 0, if it was trained.
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
    """Return the ops, without the bias between a dense layer and batch normalization of one layer.

    (x·Wᵀ + bias - mean) is x·Wᵀ - (mean - bias).
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
    """Return the JSON path of the layer that a node's weights are read from."""
    return next((source.layer for source in sources.values()), None)


def _write(source: WeightSource, tensor: Tensor) -> Any:
    """Return the array that the document has for a weight."""
    written = source.form.write(tensor)
    if not written.finite:
        raise DocumentError("the trained weight has numbers that are not finite in float32", source.path)
    return written.array
