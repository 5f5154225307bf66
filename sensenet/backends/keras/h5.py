"""The target h5: the weights alone, in the layout of Keras' `save_weights` by order of layers.

    /                       attributes backend, keras_version, layer_names
    /layer_0                attribute weight_names: layer_0/kernel:0, layer_0/bias:0
    /layer_0/layer_0/kernel:0    float32[in, units]
    /top_level_model_weights     attribute weight_names: none

Keras 3, Keras 2 and the published package load such a file into a model with the same layers, matched by
order; sensenet loads their files into a graph in the same way. The only level is 0, because passes change
weights. Forests, statistics of columns and mean images are not weights: they stay in the document.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.interpreter import execute
from sensenet.backends.keras.weights import (
    get_weights,
    replace_ops,
    require_roots,
    set_weights,
    weighted_nodes,
)
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph, Node
from sensenet.ir.legality import every_op
from sensenet.ir.op import Op
from sensenet.ir.types import Tensor
from sensenet.records import frozen

if TYPE_CHECKING:
    from sensenet.backends.formats.hdf5 import StoredArray, StoredFile

FILE_NAME = "model.h5"

FILE_START = b"\x89HDF\r\n\x1a\n"

LAYERS, WEIGHTS = "layer_names", "weight_names"
"""The attributes with the names of the layers (of the root) and of a layer's weights (of its group)."""

VERSIONS = {"backend": b"tensorflow", "keras_version": b"2.16.0"}
"""The attributes that name the writer. Keras takes a file without a version for Keras 1's, with transposed
kernels."""

TOP_LEVEL = "top_level_model_weights"
"""The group of weights that belong to no layer; Keras requires it."""

MODEL_GROUP = "model_weights"
"""The group of the weights in a file of a whole Keras model."""

KERAS_3_GROUPS = frozenset({"layers", "_layer_checkpoint_dependencies"})
"""Groups of which a `.weights.h5` file has one at its root."""

LARGEST_ATTRIBUTE = 64512
"""The most bytes of an attribute. Longer lists of names are split over several attributes, as in Keras."""

OPTIMIZER_GROUP = "optimizer_weights"
"""The group of the optimizer's state in a file of a whole model, which is not read."""

FLOATS = frozenset({"float16", "float32", "float64"})


def build(graph: Graph, report: Report, _: Options) -> Artifact:
    """Return an artifact with the weights of a graph as imported."""
    return Artifact(
        target="h5", graph=graph, report=report, produce=lambda: {FILE_NAME: write_weights(graph)}
    )


def load(artifact: Artifact) -> Executable:
    """Run the artifact's graph in the interpreter, with the weights of the file."""
    return execute(_load(artifact.graph, bytes(artifact), FILE_NAME))


def open(path: Path) -> Executable:
    """Raise ArtifactError: a file with only weights cannot be run."""
    raise ArtifactError(
        f"{path} contains only weights: make the model from its document, with the file as its weights "
        f"(sensenet.compile('deepnet.json', weights={str(path)!r}))"
    )


def write_weights(graph: Graph) -> bytes:
    """Return the content of an h5 file with the weights of a graph's layers.

    Raises MissingPackageError if h5py is not installed.
    """
    from sensenet.optional_packages import import_package

    h5py = import_package("h5py", "tensorflow", "writing an h5 file")
    nodes = weighted_nodes(graph)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, version in VERSIONS.items():
            file.attrs[name] = version
        _write_names(file, LAYERS, [node.name for node in nodes])
        for node in nodes:
            group = file.create_group(node.name)
            arrays = {f"{node.name}/{name}:0": weight.array for name, weight in get_weights(node.op).items()}
            _write_names(group, WEIGHTS, list(arrays))
            for name, array in arrays.items():
                group.create_dataset(name, data=array)
        _write_names(file.create_group(TOP_LEVEL), WEIGHTS, [])
    return content.getvalue()


def _write_names(group: Any, attribute: str, names: Sequence[str]) -> None:
    encoded = [name.encode() for name in names]
    most = LARGEST_ATTRIBUTE // max(map(len, encoded), default=1)
    if len(encoded) <= most:
        group.attrs[attribute] = encoded
        return
    for number, start in enumerate(range(0, len(encoded), most)):
        group.attrs[f"{attribute}{number}"] = np.array(encoded[start : start + most])


def load_weights(graph: Graph, path: Path) -> Graph:
    """Return a graph, as imported, with the weights of an h5 file instead of its own.

    The file was written by this target, by Keras (`save_weights`, or `save` as `.h5`) or by the published
    package. Layers are matched by order, and every weight's shape is checked. Raises ArtifactError, naming
    the layer, for weights of another network, and for a file that is damaged or not of this kind;
    MissingPackageError if h5py is not installed.
    """
    return _load(graph, read_file(path), str(path))


def _load(graph: Graph, content: bytes, where: str) -> Graph:
    from sensenet.backends.formats.hdf5 import read_hdf5

    nodes = weighted_nodes(graph)
    file = read_hdf5(content, where, skipped=(OPTIMIZER_GROUP,))
    try:
        layers = list(_find_layers(file, _find_root(file, where)))
    except _DamageError as error:
        raise ArtifactError(f"{where} is truncated, damaged or not an h5 file ({error})") from None
    _require_match(nodes, layers, where)
    ops = {node.name: _read_op(node, layer, where) for node, layer in zip(nodes, layers, strict=True)}
    return replace_ops(graph, ops)


class _DamageError(Exception):
    """Raised for names in a file that refer to nothing."""


@frozen(kw_only=True, eq=False)
class StoredLayer:
    """A layer of a file: its weights by name, with None for a group instead of a weight."""

    name: str
    weights: Mapping[str, StoredArray | None]


def _find_root(file: StoredFile, where: str) -> str:
    """Return the path of the group that lists the layers."""
    for path in ("", MODEL_GROUP):
        if _has_names(file, path, LAYERS):
            return path
    if KERAS_3_GROUPS & set(file.groups):
        raise ArtifactError(
            f"{where} is a .weights.h5 file, which lacks the order of the layers: load it into the Keras "
            "model that it was saved from, and save the whole model: model.save('model.h5')"
        )
    raise ArtifactError(f"{where} is an h5 file, but not of Keras weights: it has no attribute {LAYERS!r}")


def _find_layers(file: StoredFile, root: str) -> Iterator[StoredLayer]:
    """Yield the layers that have weights, in order."""
    for name in _read_names(file, root, LAYERS):
        path = _join(root, name)
        if path not in file.groups:
            raise _DamageError(f"the group {path!r} is missing or a link")
        weights = {weight: _find(file, _join(path, weight)) for weight in _read_names(file, path, WEIGHTS)}
        if weights:
            yield StoredLayer(name=name, weights=weights)


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _find(file: StoredFile, path: str) -> StoredArray | None:
    if path not in file.arrays and path not in file.groups:
        raise _DamageError(f"the dataset {path!r} is missing or a link")
    return file.arrays.get(path)


def _has_names(file: StoredFile, path: str, attribute: str) -> bool:
    attributes = file.groups.get(path, {})
    return attribute in attributes or f"{attribute}0" in attributes


def _read_names(file: StoredFile, path: str, attribute: str) -> Sequence[str]:
    """Return the names in an attribute, or in those that it was split over; none if it is missing."""
    attributes = file.groups[path]
    pieces = (f"{attribute}{number}" for number in itertools.count())
    split = itertools.takewhile(lambda piece: piece in attributes, pieces)
    chosen = [attribute] if attribute in attributes else split
    names = [name for piece in chosen for name in attributes[piece]]
    if len(set(names)) != len(names):
        raise _DamageError(f"{attribute} contains a name twice")
    return names


def _require_match(nodes: Sequence[Node], layers: Sequence[StoredLayer], where: str) -> None:
    """Raise ArtifactError about the first layer that differs in its number of weights, or their shapes."""
    pairs = itertools.zip_longest(nodes, layers)
    for number, (node, layer) in enumerate(pairs, 1):
        expected = _shapes(get_weights(node.op)) if node else {}
        found = _shapes(layer.weights) if layer else {}
        if list(expected.values()) != list(found.values()):
            in_file = f"{layer.name!r} with {_describe(found)}" if layer else "missing"
            in_network = f"{node.name!r} with {_describe(expected)}" if node else "missing"
            raise ArtifactError(
                f"{where} holds the weights of another network: layer {number} of those with weights is "
                f"{in_file} in the file, but {in_network} in the network (the file has {len(layers)} such "
                f"layers, the network {len(nodes)})"
            )


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...] | None]:
    """Return the shapes of tensors or datasets; None for a group, or a dataset without one."""
    return {name: getattr(weight, "shape", None) for name, weight in weights.items()}


def _describe(shapes: Mapping[str, tuple[int, ...] | None]) -> str:
    return ", ".join(f"{name} {list(shape) if shape else shape}" for name, shape in shapes.items())


def _read_op(node: Node, layer: StoredLayer, where: str) -> Op:
    """Return the node's op with a layer's weights of matching shapes."""
    names = get_weights(node.op)
    weights = {
        name: _read_weight(stored, f"{where}: {path}")
        for name, (path, stored) in zip(names, layer.weights.items(), strict=True)
    }
    op = set_weights(node.op, weights)
    require_roots(op, f"{where}: the layer {layer.name!r}")
    return op


def _read_weight(stored: StoredArray | None, where: str) -> Tensor:
    """Return a dataset as a float32 tensor; raise ArtifactError unless all numbers are finite floats."""
    if stored is None or stored.dtype not in FLOATS:
        raise ArtifactError(
            f"{where} is {stored.dtype if stored else 'a group'}, expected floating-point numbers"
        )
    weight = Tensor.float32(stored.read(where))
    if not weight.finite:
        raise ArtifactError(f"{where} has numbers that are not finite in float32")
    return weight


TARGET = Target(
    name="h5",
    suffix=".h5",
    description="the weights alone, in Keras' layout; as trained, at every -O",
    options=Options,
    legal=every_op,
    build=build,
    load=load,
    open=open,
    recognizes=lambda _, head: head.startswith(FILE_START),
    runs=False,
    level=0,
    execute=execute,
    load_weights=load_weights,
)
