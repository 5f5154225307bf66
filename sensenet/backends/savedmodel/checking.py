"""Makes an untrusted SavedModel safe for TensorFlow to load: only the functions of its signatures remain.

Loading runs functions that a file names (initializers, restore functions) and reads files that it names
(assets); calling runs the rest. So only functions of allowed ops are kept, their loops and shapes are bounded
(see `backends.graph_checks`), all assets are removed, and objects of classes that other packages have
registered become generic objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sensenet.backends.graph_checks import make_safe
from sensenet.backends.graph_loops import called_by
from sensenet.backends.savedmodel.names import MODEL_FILE
from sensenet.errors import ArtifactError
from sensenet.optional_packages import import_package

GENERIC = "_generic_user_object"
CONTAINERS = frozenset(
    {
        GENERIC,
        "signature_map",
        "trackable_dict_wrapper",
        "trackable_list_wrapper",
        "trackable_tuple_wrapper",
        "tf_module",
    }
)
"""Kinds of objects that TensorFlow restores without registered classes; others become generic objects."""

VARIABLE_FILE = re.compile(r"variables/variables\.(index|data-\d{5}-of-\d{5})")


def parse_saved_model(content: bytes, where: str) -> Any:
    """Return the SavedModel message in a file; raises ArtifactError if it is damaged."""
    messages = import_package(
        "tensorflow.core.protobuf.saved_model_pb2", "tensorflow", "opening a SavedModel"
    )
    saved_model = messages.SavedModel()
    try:
        saved_model.ParseFromString(content)
    except Exception as error:  # protobuf has several types
        raise ArtifactError(f"{where}: {MODEL_FILE} is damaged ({error})") from error
    if len(saved_model.meta_graphs) != 1 or not saved_model.meta_graphs[0].HasField("object_graph_def"):
        raise ArtifactError(f"{where}: {MODEL_FILE} was not saved by TensorFlow 2, or is damaged")
    return saved_model


def clean_files(tf: Any, files: Mapping[str, bytes], where: str) -> dict[str, bytes]:
    """Return the files of a SavedModel that TensorFlow may load, without everything else.

    Raises ArtifactError if a function that can be called has an op that is not allowed or a loop that cannot
    be bounded, LimitError if its constants take too much memory.
    """
    saved_model = parse_saved_model(files[MODEL_FILE], where)
    (meta_graph,) = saved_model.meta_graphs
    library = meta_graph.graph_def.library
    kept = list(_reachable(library, meta_graph.object_graph_def.concrete_functions))
    constants = [node for node in meta_graph.graph_def.node if node.op == "Const"]
    make_safe(tf, constants, kept, len(files[MODEL_FILE]), where)
    _clean_objects(meta_graph, where)
    functions = [function.SerializeToString() for function in kept]
    stored = [node.SerializeToString() for node in constants]
    for emptied in ("graph_def", "collection_def", "asset_file_def", "saver_def"):
        meta_graph.ClearField(emptied)
    for content in stored:
        meta_graph.graph_def.node.add().ParseFromString(content)
    for content in functions:
        meta_graph.graph_def.library.function.add().ParseFromString(content)
    variables = {name: content for name, content in files.items() if VARIABLE_FILE.fullmatch(name)}
    return {MODEL_FILE: saved_model.SerializeToString(), **variables}


def _reachable(library: Any, names: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the functions that can be called: those of objects, and the functions that these call."""
    functions = {function.signature.name: function for function in library.function}
    waiting, seen = list(names), set(names)
    while waiting:
        function = functions.get(waiting.pop())
        if function is None:
            continue
        yield function
        for called in called_by([function, *function.node_def]):
            if called not in seen:
                seen.add(called)
                waiting.append(called)


def _clean_objects(meta_graph: Any, where: str) -> None:
    for node in meta_graph.object_graph_def.nodes:
        if node.WhichOneof("kind") == "asset":
            raise ArtifactError(f"{where} is not run: it reads asset files")
        node.ClearField("registered_name")
        node.ClearField("registered_saver")
        node.ClearField("serialized_user_proto")
        node.ClearField("saveable_objects")
        if node.WhichOneof("kind") == "user_object":
            node.user_object.ClearField("metadata")
            if node.user_object.identifier not in CONTAINERS:
                node.user_object.identifier = GENERIC
