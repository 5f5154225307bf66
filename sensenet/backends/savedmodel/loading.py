"""Loads the functions of SavedModels, which may be damaged or foreign: every fault is an ArtifactError."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.backends.packages import import_tensorflow, require_unforked
from sensenet.backends.quiet import silence
from sensenet.errors import ArtifactError, InputError
from sensenet.ir.evaluate import checked_input
from sensenet.ir.types import Array, DType, TensorType

Run = Callable[[Mapping[str, Array]], dict[str, Array]]


def read_json(path: Path, where: str) -> Any:
    """The value in a JSON file of a SavedModel."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: {path.name} cannot be read ({error})") from error


def load_function(path: Path, name: str, where: str) -> Run:
    """The signature of that name as a function of named arrays."""
    tf = import_tensorflow("opening a SavedModel")
    with silence("tensorflow", "absl"):
        try:
            loaded = tf.saved_model.load(path)
            function = loaded.signatures[name]
        except Exception as error:  # TensorFlow has no type of its own for what it cannot load
            raise ArtifactError(f"{where} cannot be loaded by TensorFlow: {first_line(error)}") from error
    _, specs = function.structured_input_signature
    types = {given: _tensor_type(spec, where) for given, spec in specs.items()}

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        require_unforked()
        arrays = {name: checked_input(inputs, name, declared) for name, declared in types.items()}
        try:
            results = function(**{name: tf.constant(array) for name, array in arrays.items()})
        except tf.errors.InvalidArgumentError as error:
            raise InputError(f"the model does not take these inputs: {first_line(error)}") from error
        return {name: tensor.numpy() for name, tensor in results.items()}

    run.__dict__["loaded"] = loaded  # TensorFlow frees a model's variables with the object that holds them
    return run


def _tensor_type(spec: Any, where: str) -> TensorType:
    try:
        return TensorType(DType.of(np.empty(0, spec.dtype.as_numpy_dtype)), tuple(spec.shape))
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"{where} is no deepnet: it has an input of type {spec.dtype}") from error


def first_line(error: Exception) -> str:
    """What an exception of TensorFlow says, without the listing of the graph that may follow."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
