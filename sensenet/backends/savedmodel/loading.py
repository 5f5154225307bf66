"""Loads the functions of SavedModels, which may be damaged or hostile; every fault raises ArtifactError."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.backends.batching import Run
from sensenet.backends.graph_loops import BOUND
from sensenet.backends.optional import import_tensorflow, require_unforked
from sensenet.backends.savedmodel.checking import clean_files
from sensenet.backends.savedmodel.graphs import VARIABLES
from sensenet.backends.savedmodel.names import MODEL_FILE
from sensenet.backends.silence import silence
from sensenet.errors import ArtifactError, InputError
from sensenet.files.directories import temporary_directory
from sensenet.files.reading import read_file
from sensenet.foreign_errors import first_line
from sensenet.ir.evaluate import checked_input
from sensenet.ir.ops.control import MOST_STEPS
from sensenet.ir.types import Array, DType, TensorType
from sensenet.limits import require_memory
from sensenet.records import frozen

FOLDERS = ("assets", "variables")
"""The directories of a SavedModel that are read."""

LARGEST_ITEM = 16
"""The most bytes of a number: complex128."""


def read_saved_files(path: Path, where: str) -> dict[str, bytes]:
    """Return the files of a SavedModel by relative path.

    Raises ArtifactError if one is a link, a pipe or a device: none of these is followed.
    """
    found = {name: path / name for name in _list_files(path, where)}
    return {name: read_file(place) for name, place in found.items()}


def _list_files(path: Path, where: str) -> Iterator[str]:
    try:
        for folder in FOLDERS:
            if os.path.lexists(path / folder):
                _require_mode(path / folder, stat.S_ISDIR, where)
        folders = [folder for folder in FOLDERS if (path / folder).is_dir()]
        names = [
            MODEL_FILE,
            *(f"{folder}/{name}" for folder in folders for name in os.listdir(path / folder)),
        ]
        for name in sorted(names):
            if os.path.lexists(path / name) and not (path / name).is_dir():
                _require_mode(path / name, stat.S_ISREG, where)
                yield name
    except OSError as error:
        raise ArtifactError(f"{where} cannot be read: {error.strerror or error}") from error


def _require_mode(path: Path, has_mode: Callable[[int], bool], where: str) -> None:
    if not has_mode(path.lstat().st_mode):
        raise ArtifactError(
            f"{where}: {path.name} is a link, a pipe or a device, which sensenet does not follow"
        )


def read_json(files: Mapping[str, bytes], name: str, where: str) -> Any:
    """Return the value in a JSON file of a SavedModel."""
    try:
        return json.loads(files[name])
    except (KeyError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: {name} cannot be read ({error})") from error


@frozen(kw_only=True)
class LoadedFunction:
    """A function of named arrays, and the types of its inputs and outputs by name."""

    run: Run
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]


def load_function(files: Mapping[str, bytes], name: str, where: str) -> LoadedFunction:
    """Return the function of the signature of that name.

    Raises ArtifactError if the files are damaged, or a function has an op that sensenet does not write;
    LimitError if the weights take too much memory; MissingPackageError if TensorFlow is not installed.
    """
    tf = import_tensorflow("opening a SavedModel")
    clean = clean_files(tf, files, where)
    with temporary_directory() as directory, silence("tensorflow", "absl"):
        _write(clean, directory)
        try:
            _require_variables(tf, clean, directory, where)
            loaded = tf.saved_model.load(str(directory))
            function = loaded.signatures[name]
            _, specs = function.structured_input_signature
            types = {given: _tensor_type(spec, where) for given, spec in specs.items()}
            outputs = {
                given: _tensor_type(spec, where) for given, spec in function.structured_outputs.items()
            }
        except ArtifactError:
            raise
        except Exception as error:  # TensorFlow raises exceptions of many types for files that it cannot load
            raise ArtifactError(f"{where} cannot be loaded by TensorFlow: {first_line(error)}") from error

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        require_unforked()
        arrays = {name: checked_input(inputs, name, declared) for name, declared in types.items()}
        try:
            results = function(**{name: tf.constant(array) for name, array in arrays.items()})
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise InputError(describe_failure(error)) from error
        try:
            return {name: tensor.numpy() for name, tensor in results.items()}
        except AttributeError as error:
            raise ArtifactError(f"{where} does not return named tensors ({error})") from error

    run.__dict__["loaded"] = loaded  # TensorFlow frees a model's variables with the object that holds them
    return LoadedFunction(run=run, inputs=types, outputs=outputs)


def _write(files: Mapping[str, bytes], directory: Path) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _require_variables(tf: Any, files: Mapping[str, bytes], directory: Path, where: str) -> None:
    """Raise LimitError if the declared shapes of the variables are much larger than their files."""
    if f"{VARIABLES}.index" not in files:
        return
    shapes = tf.train.load_checkpoint(str(directory / VARIABLES)).get_variable_to_shape_map()
    claimed = LARGEST_ITEM * sum(math.prod(shape) for shape in shapes.values())
    require_memory(claimed - LARGEST_ITEM * sum(map(len, files.values())), f"{where}: holding its variables")


def _tensor_type(spec: Any, where: str) -> TensorType:
    try:
        return TensorType(DType.of(np.empty(0, spec.dtype.as_numpy_dtype)), tuple(spec.shape))
    except (AttributeError, TypeError, ValueError) as error:
        raise ArtifactError(f"{where} is not a deepnet: a tensor has an unknown type ({error})") from error


def describe_failure(error: Exception) -> str:
    """Return the message for an error that TensorFlow raised in a call."""
    if BOUND in str(error):
        return f"a loop of the model has not ended after {MOST_STEPS:,} steps, the most that it may take"
    return f"the model does not take these inputs: {first_line(error)}"
