"""Opens `.keras` files: Keras loads a copy that contains only checked parts.

The copy has the configuration checked by `configuration`, and weights that a separate process has read (see
`backends.formats.hdf5`). Keras allocates a weight only if the file has one of that shape, so a small file
makes a small model.
"""

from __future__ import annotations

import contextvars
import io
import json
import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.backends.formats.hdf5 import StoredFile, read_hdf5
from sensenet.backends.keras.configuration import Configuration, read_configuration
from sensenet.backends.keras.layers import keras_major, make_layer_classes, stored_shapes
from sensenet.backends.keras.names import CONFIGURATION, EARLIER_MEMBER, METADATA, SIGNATURE
from sensenet.backends.optional import import_tensorflow
from sensenet.backends.recursion import deep_recursion
from sensenet.backends.silence import silence
from sensenet.errors import ArtifactError, LimitError
from sensenet.files.archives import read_members
from sensenet.files.directories import temporary_directory
from sensenet.files.reading import read_file
from sensenet.foreign_errors import first_line
from sensenet.limits import require_memory
from sensenet.optional_packages import import_package

WEIGHTS = "model.weights.h5"
"""The member of a .keras file with the weights."""

OPTIMIZER_GROUP = "optimizer"
"""The group of weights that only training needs."""


def load_keras_model(path: Path, purpose: str) -> Any:
    """Return the `tf.keras.Model` in a file; raise ArtifactError for a damaged file or another model.

    `purpose` is the reason why TensorFlow is needed, for MissingPackageError. Raises LimitError for a model
    that takes too much memory.
    """
    where = str(path)
    members = read_members(read_file(path), where, [CONFIGURATION, METADATA, EARLIER_MEMBER, WEIGHTS])
    missing = {CONFIGURATION, METADATA, WEIGHTS} - members.keys()
    if missing:
        raise ArtifactError(f"{where} is not a model saved by Keras: it has no {min(missing)}")
    saved_by, signature = _read_metadata(members, where)
    configuration = read_configuration(members[CONFIGURATION], where, signature)
    tf = import_tensorflow(purpose)
    _require_major(saved_by, keras_major(tf), where)
    stored = read_hdf5(members[WEIGHTS], f"{where}: {WEIGHTS}", skipped=(OPTIMIZER_GROUP,))
    make_layer_classes()
    context = contextvars.copy_context()
    return context.run(_load, tf, configuration, members[METADATA], stored, where)


def _read_metadata(members: Mapping[str, bytes], where: str) -> tuple[str, Any]:
    """Return Keras' version, and the signature, or None if it is in a layer."""
    try:
        metadata = json.loads(members[METADATA])
        earlier = json.loads(members.get(EARLIER_MEMBER, b"null"))
        return str(metadata["keras_version"]), metadata.get(SIGNATURE, earlier)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ArtifactError(
            f"{where} is not a model saved by Keras ({type(error).__name__}: {error})"
        ) from error


def _require_major(saved_by: str, major: str, where: str) -> None:
    if saved_by.partition(".")[0] != major:
        raise ArtifactError(
            f"{where} was saved by Keras {saved_by[:20]}, but tf.keras is Keras {major}: "
            "set TF_USE_LEGACY_KERAS=1 before TensorFlow is imported for Keras 2, unset it for Keras 3"
        )


def _load(tf: Any, configuration: Configuration, metadata: bytes, stored: StoredFile, where: str) -> Any:
    shapes = [array.shape for array in stored.arrays.values() if array.shape is not None]
    stored_shapes.set(Counter(shapes))
    with temporary_directory() as directory:
        copy = Path(directory) / "model.keras"
        with zipfile.ZipFile(copy, "w") as archive:
            archive.writestr(CONFIGURATION, json.dumps(configuration.value))
            archive.writestr(METADATA, metadata)
            archive.writestr(WEIGHTS, _write_weights(stored, where))
        try:
            with silence(), deep_recursion(configuration.layers):
                model = tf.keras.models.load_model(copy, compile=False, safe_mode=True)
            _restore_initializers(tf, model, configuration.initializers)
        except LimitError:
            raise
        except Exception as error:  # Keras raises exceptions of many types for files that it cannot load
            raise ArtifactError(f"{where} cannot be loaded by Keras: {first_line(error)}") from error
    _require_memory(model, where)
    return model


def _write_weights(stored: StoredFile, where: str) -> bytes:
    h5py = import_package("h5py", "tensorflow", "reading a .keras file")
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for path in stored.groups:
            if path:
                file.require_group(path)
        for path, array in stored.arrays.items():
            file.create_dataset(path, data=array.read(f"{where}: {path}"))
    return content.getvalue()


def _restore_initializers(tf: Any, model: Any, initializers: Mapping[str, Mapping[str, Any]]) -> None:
    for name, members in initializers.items():
        layer = model.get_layer(name)
        for member, value in members.items():
            setattr(layer, member, tf.keras.initializers.deserialize(value))


def _require_memory(model: Any, where: str) -> None:
    """Raise LimitError if one row takes too much memory in a layer or an operation."""
    for layer in _operations(model):
        for tensor in _tensors(layer.output):
            size = np.dtype(np.float32).itemsize * math.prod(side or 1 for side in tensor.shape)
            require_memory(size, f"{where}: the output of the layer {layer.name!r} for a row")


def _operations(model: Any) -> Iterator[Any]:
    """Yield the layers, and the operations of models inside the model, which only Keras 3 has."""
    for layer in getattr(model, "operations", model.layers):
        yield layer
        yield from getattr(layer, "operations", ())


def _tensors(outputs: Any) -> Iterator[Any]:
    if isinstance(outputs, list | tuple):
        for part in outputs:
            yield from _tensors(part)
    elif isinstance(outputs, dict):
        yield from _tensors(list(outputs.values()))
    else:
        yield outputs
