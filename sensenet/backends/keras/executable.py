"""Makes Keras models from graphs, runs them, and saves them as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.artifact import Artifact, Executable
from sensenet.backends.batching import run_batches
from sensenet.backends.keras.archive import load_keras_model
from sensenet.backends.keras.layers import keras_major, signature_layer
from sensenet.backends.keras.model import BuildOptions, build_model
from sensenet.backends.keras.names import FILE_NAME, SUFFIX
from sensenet.backends.keras.portable import take_signature_out
from sensenet.backends.optional import import_tensorflow, require_unforked
from sensenet.backends.silence import silence
from sensenet.errors import ArtifactError, SensenetError
from sensenet.files.directories import temporary_directory
from sensenet.foreign_errors import first_line
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array, DType, TensorType
from sensenet.signature import Signature

PURPOSE = "the target keras"

BLOCK = 8192
"""The rows of a TensorFlow call, so that intermediate results fit the processor's cache."""


def make_model(graph: Graph, level: int, *, share_weights: bool) -> Any:
    """Return the `tf.keras.Model` of a graph that is legal for the target keras."""
    stock = keras_major(import_tensorflow(PURPOSE)) == "3"
    return build_model(graph, BuildOptions(level=level, share_weights=share_weights, stock=stock)).model


def load_model(artifact: Artifact) -> Executable:
    """Run the artifact's model."""
    if artifact.model is not None:
        return make_executable(artifact.model)
    with temporary_directory() as directory:  # a pickled artifact has no model
        (directory / FILE_NAME).write_bytes(bytes(artifact))
        return open_model(directory / FILE_NAME)


def open_model(path: Path) -> Executable:
    """Load a saved file; raise ArtifactError if it is damaged, foreign, or of the other Keras version."""
    if path.suffix != SUFFIX:
        raise ArtifactError(f"{path}: Keras loads only files whose names end in {SUFFIX}")
    model = load_keras_model(path, PURPOSE)
    try:
        return make_executable(model)
    except SensenetError:
        raise
    except Exception as error:  # Keras raises exceptions of many types for layers that reject their inputs
        raise ArtifactError(f"{path}: its layers cannot run: {first_line(error)}") from error


def make_executable(model: Any) -> Executable:
    """Run a model that `build` made, or that was loaded from a file."""
    tf = import_tensorflow(PURPOSE)
    last = signature_layer(model)
    types = {tensor.name: _tensor_type(tensor) for tensor in model.inputs}
    specs = [tf.TensorSpec(declared.shape, declared.dtype.numpy, name) for name, declared in types.items()]

    def predict(*tensors: Any) -> dict[str, Any]:
        named = dict(zip(types, tensors, strict=True))
        results = model(named if len(named) > 1 else tensors[0], training=False)
        return results if isinstance(results, dict) else {last.outputs[0]: results}

    function = tf.function(predict, autograph=False).get_concrete_function(*specs)
    outputs = {name: _tensor_type(function.structured_outputs[name]) for name in last.outputs}

    def call(arrays: Mapping[str, Array]) -> dict[str, Array]:
        require_unforked()
        results = function(*(tf.constant(arrays[name]) for name in types))
        return {name: results[name].numpy() for name in outputs}

    run = run_batches(call, types, outputs, BLOCK)
    return Executable(signature=Signature.from_json(json.loads(last.signature)), run=run, model=model)


def _tensor_type(tensor: Any) -> TensorType:
    dtype = getattr(tensor.dtype, "name", tensor.dtype)  # a name in Keras 3, an object in Keras 2
    return TensorType(DType.of(np.empty(0, dtype)), tuple(tensor.shape))


def save_model(model: Any) -> bytes:
    """Return the content of a `.keras` file; raise ArtifactError if temporary files cannot be written."""
    with temporary_directory() as directory, silence():
        path = directory / FILE_NAME
        model.save(path)
        return take_signature_out(path.read_bytes())
