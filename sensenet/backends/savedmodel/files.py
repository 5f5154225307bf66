"""Writes the files of a SavedModel: a Keras 2 model with its two signatures, and the assets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sensenet.backends.optional import import_tensorflow
from sensenet.backends.savedmodel.graphs import describe_graph
from sensenet.backends.savedmodel.keras_2 import make_keras_model
from sensenet.backends.savedmodel.names import SETTINGS_FILE, SIGNATURE_FILE
from sensenet.backends.savedmodel.rows import make_row_function, row_inputs
from sensenet.backends.silence import silence
from sensenet.backends.tensorflow import Variables, make_function
from sensenet.files.directories import temporary_directory
from sensenet.ir.graph import Graph
from sensenet.signature import Column, ModelKind, NumericColumn, Signature, describe_column

TENSORS, ROW = "serving_default", "predict_row"
"""The names of the two signatures."""


def make_files(graph: Graph) -> dict[str, bytes]:
    """Return the files of the graph's SavedModel, by relative path.

    Raises MissingPackageError, and ArtifactError if temporary files cannot be written.
    """
    tf = import_tensorflow("the target savedmodel")
    with temporary_directory(tf.errors.OpError) as directory, silence("tensorflow", "absl"):
        _save(tf, graph, directory)
        kept = describe_graph(graph, directory)
        files = read_directory(directory)
    return files | kept | _assets(graph.signature)


def read_directory(root: Path) -> dict[str, bytes]:
    """Return the content of all files below a directory, by relative path."""
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _save(tf: Any, graph: Graph, directory: Path) -> None:
    """Write the graph's SavedModel."""
    variables = Variables.of(tf, graph)
    tensors = make_function(tf, graph, variables)
    rows = make_row_function(tf, graph, variables)
    signatures = {
        TENSORS: tensors.get_concrete_function(),
        ROW: rows.predict.get_concrete_function(**rows.specs),
    }
    model = make_keras_model(tf, graph, tensors, variables)
    model.rows = rows  # lookup tables are saved only if the model refers to them
    model.save(str(directory), save_format="tf", include_optimizer=False, signatures=signatures)


def _assets(signature: Signature) -> dict[str, bytes]:
    """Return the assets: the signature, and the settings in the form of the published package."""
    row = [{"name": each.name, "cell": each.cell, "label": each.label} for each in row_inputs(signature)]
    return {
        SIGNATURE_FILE: json.dumps({**signature.to_json(), ROW: row}).encode(),
        SETTINGS_FILE: json.dumps(published_settings(signature)).encode(),
    }


def published_settings(signature: Signature) -> dict[str, Any]:
    """Return the settings and attributes that the published package records (SPEC §10).

    Every numeric column has a `mean`, with which that package replaces missing numbers.
    """
    is_detector = signature.kind is ModelKind.DETECTOR
    unfiltered = {"_unfiltered": bool(signature.settings.get("output_unfiltered_boxes"))}
    return {
        **signature.settings,
        **(unfiltered if is_detector else {}),
        "_classes": list(signature.classes) or None,
        "_preprocessors": [_published_column(column) for column in signature.columns],
        "_ncolumns": len(signature.columns),
        "_nimages": len(signature.image_columns),
        "deepnet_type": "ObjectDetector" if is_detector else "Deepnet",
    }


def _published_column(column: Column) -> dict[str, Any]:
    mean = {"mean": column.missing} if isinstance(column, NumericColumn) else {}
    return mean | describe_column(column)
