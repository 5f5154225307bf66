"""The way back: a document with the weights of a graph that was made of it, and trained further since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from sensenet.errors import DocumentError
from sensenet.frontend.document import Document
from sensenet.frontend.json.plain import as_plain, put
from sensenet.frontend.weight_sources import AS_GIVEN, Place
from sensenet.ir.graph import Graph
from sensenet.ir.op import Op
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.printer import tensors_of
from sensenet.ir.types import Tensor

OFFSET = "offset"
"""The member of a layer for a bias that it has none of yet."""

Places = Mapping[int, Place]
"""By the identity of the tensor that was read there."""


def write_weights(
    root: Mapping[str, Any], document: Document, graph: Graph, trained: Graph
) -> dict[str, Any]:
    """The document with the weights of `trained` in place of its own, in the forms that it has them in.

    `graph` was built of the document, which was found in `root`; `trained` is that graph with other weights.
    Every weight that did not change, and everything else, is as in `root`, which is left alone; arrays become
    lists of the shortest decimals that are the same float32. Initializers give way to numbers. The bias of a
    legacy layer with statistics has no place of its own: its mean is lowered by that.

    Raises DocumentError, with the JSON path, for numbers that are not finite, and where a weight that the
    document has once was trained to several.
    """
    places = {id(place.tensor): place for place in document.network.places.entries}
    ops = _without_inner_biases(graph, {node.name: node.op for node in trained.nodes}, places)
    written: dict[str, tuple[str, Tensor]] = {}
    result: Any = root
    for node in graph.nodes:
        for place, tensor in _find_weights(node.op, ops[node.name], places):
            name, other = written.setdefault(place.path, (node.name, tensor))
            if tensor != other:
                raise DocumentError(
                    f"the document has this weight once, and it was trained apart in {name!r} and "
                    f"{node.name!r}: compile for the target keras with share_weights=True to train it once",
                    place.path,
                )
            if name == node.name and (tensor != place.tensor or _is_initializer(place)):
                result = put(result, place.path, _write(place, tensor))
    plain: dict[str, Any] = as_plain(result)
    return plain


def _find_weights(op: Op, trained: Op, places: Places) -> Iterator[tuple[Place, Tensor]]:
    """The op's weights, and a bias that the document leaves out since it is 0, as they were trained, with
    their places."""
    known = [places[id(tensor)] for tensor in tensors_of(op) if id(tensor) in places]
    if not known:
        return
    for field in attrs.fields(type(op)):  # type: ignore[arg-type]  # every op is an attrs class
        given, tensor = getattr(op, field.name), getattr(trained, field.name)
        if id(given) in places:
            yield places[id(given)], tensor
        elif tensor != given:
            zeros = Tensor.float32(np.zeros(tensor.shape))
            yield Place(layer=known[0].layer, key=OFFSET, form=AS_GIVEN, tensor=zeros), tensor


def _without_inner_biases(graph: Graph, ops: Mapping[str, Op], places: Places) -> Mapping[str, Op]:
    """The ops, those of a dense layer and a batch normalization that are one layer without the bias between.

    (x·Wᵀ + bias - mean) is x·Wᵀ - (mean - bias).
    """
    changed = dict(ops)
    for node in graph.nodes:
        source = node.inputs[0].node if node.inputs else node
        match ops[source.name], ops[node.name]:
            case Dense(bias=Tensor() as bias) as dense, BatchNormalization(mean=mean) as normalization if (
                _path(source.op, places) == _path(node.op, places)
            ):
                changed[source.name] = attrs.evolve(dense, bias=None)
                lowered = Tensor.float32(mean.float64 - bias.float64)
                changed[node.name] = attrs.evolve(normalization, mean=lowered)
    return changed


def _path(op: Op, places: Places) -> str | None:
    """The JSON path of the layer that an op's weights are read from."""
    return next((places[id(tensor)].layer.path for tensor in tensors_of(op) if id(tensor) in places), None)


def _is_initializer(place: Place) -> bool:
    return isinstance(place.layer[place.key].value, str)


def _write(place: Place, tensor: Tensor) -> Any:
    """The array that stands for a weight in the document."""
    written = place.form.write(tensor)
    if not written.finite:
        raise DocumentError("the trained weight has numbers that are not finite in float32", place.path)
    return written.array
