"""Makes the files of a SavedModel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sensenet.backends.lowering import Variables, make_function
from sensenet.backends.packages import import_tensorflow
from sensenet.backends.quiet import silence
from sensenet.backends.savedmodel.graphs import describe_graph
from sensenet.backends.savedmodel.rows import make_row_function
from sensenet.directories import temporary_directory
from sensenet.ir.graph import Graph
from sensenet.ir.signature import ModelKind, Signature, describe_column

SIGNATURE_FILE = "assets/sensenet.json"
SETTINGS_FILE = "assets/settings.json"

TENSORS, ROW = "serving_default", "predict_row"
"""The names of the two signatures."""


def make_files(graph: Graph) -> dict[str, bytes]:
    """The files of the graph's SavedModel, by relative path; raises MissingPackageError."""
    tf = import_tensorflow("the target savedmodel")
    with temporary_directory() as directory, silence("tensorflow", "absl"):
        module, signatures = _make_module(tf, graph)
        tf.saved_model.save(module, directory, signatures)
        kept = describe_graph(graph, directory)
        files = read_directory(directory)
    return files | kept | _assets(graph.signature)


def read_directory(root: Path) -> dict[str, bytes]:
    """The content of all files below a directory, by relative path."""
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _make_module(tf: Any, graph: Graph) -> tuple[Any, dict[str, Any]]:
    """A `tf.Module` that holds the graph's functions and their weights, and its signatures."""
    variables = Variables.of(tf, graph)
    module = tf.Module()
    module.weights = list(variables.by_digest.values())
    module.predict = make_function(tf, graph, variables)
    module.rows = make_row_function(tf, graph, variables)
    return module, {
        TENSORS: module.predict.get_concrete_function(),
        ROW: module.rows.predict.get_concrete_function(**module.rows.specs),
    }


def _assets(signature: Signature) -> dict[str, bytes]:
    """What a caller must know, in our words and in those of the published package (SPEC §10)."""
    settings: dict[str, Any] = {
        "_classes": list(signature.classes) or None,
        "_preprocessors": [describe_column(column) for column in signature.columns],
        "_ncolumns": len(signature.columns),
        "_nimages": len(signature.image_columns),
        "deepnet_type": "ObjectDetector" if signature.kind is ModelKind.DETECTOR else "Deepnet",
        **signature.settings,
    }
    return {
        SIGNATURE_FILE: json.dumps(signature.to_json()).encode(),
        SETTINGS_FILE: json.dumps(settings).encode(),
    }
