"""The graph that a SavedModel was made of, kept in its assets so that it can be compiled again.

`assets/graph.ir` is its text form. The weights that the text names by digest stand in the SavedModel itself,
as variables and as constants of its functions, and are found there by their content; those that the lowering
has changed are in `assets/graph.npz`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.backends.files import read_file
from sensenet.backends.npz import read_npz, write_npz
from sensenet.backends.packages import import_package, import_tensorflow
from sensenet.backends.text import parse_saved
from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.ir.printer import is_inline, print_graph, text_digest, weights
from sensenet.ir.types import Array, Tensor

MODEL_FILE = "saved_model.pb"
VARIABLES = "variables/variables"
TEXT_FILE = "assets/graph.ir"
WEIGHTS_FILE = "assets/graph.npz"


def describe_graph(graph: Graph, path: Path) -> dict[str, bytes]:
    """The assets that keep the graph of the SavedModel in a directory, by relative path."""
    present = _find_weights(path)
    missing = {digest: array for digest, array in weights(graph).items() if digest not in present}
    text = {TEXT_FILE: print_graph(graph).encode()}
    return text | ({WEIGHTS_FILE: write_npz(missing)} if missing else {})


def read_graph(path: Path, where: str) -> Graph | None:
    """The graph of the SavedModel in a directory, where it keeps one; raises ArtifactError."""
    if not (path / TEXT_FILE).is_file():
        return None
    named: dict[str, Array] = {}
    if (path / WEIGHTS_FILE).is_file():
        named = read_npz(read_file(path / WEIGHTS_FILE), f"{where}: {WEIGHTS_FILE}")
    try:
        present = _find_weights(path)
    except Exception as error:  # protobuf's and TensorFlow's errors on damaged files
        raise ArtifactError(f"{where}: the weights cannot be read ({error})") from error
    return parse_saved(read_file(path / TEXT_FILE), {**present, **named}, f"{where}: {TEXT_FILE}")


def _find_weights(path: Path) -> dict[str, Array]:
    """The large constants and variables of the SavedModel in a directory, by digest."""
    found: dict[str, Array] = {}
    for array in _arrays(path):
        try:
            tensor = Tensor(array)
        except TypeError:  # text, or numbers of a dtype that no weight has
            continue
        if not is_inline(tensor):
            found[text_digest(tensor)] = tensor.array
    return found


def _arrays(path: Path) -> Iterator[Array]:
    tf = import_tensorflow("reading a SavedModel")
    for node in _nodes((path / MODEL_FILE).read_bytes()):
        if node.op == "Const":
            yield tf.make_ndarray(node.attr["value"].tensor)
    variables = tf.train.load_checkpoint(str(path / VARIABLES))
    for name in variables.get_variable_to_shape_map():
        array = variables.get_tensor(name)
        if isinstance(array, np.ndarray):
            yield array


def _nodes(model: bytes) -> Iterator[Any]:
    saved_model_pb2 = import_package("tensorflow.core.protobuf.saved_model_pb2", "tensorflow", "this")
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString(model)
    for meta_graph in saved_model.meta_graphs:
        yield from meta_graph.graph_def.node
        for function in meta_graph.graph_def.library.function:
            yield from function.node_def
