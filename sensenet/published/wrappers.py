"""The published package's functions that write other formats and run their files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from sensenet.artifact import Artifact
from sensenet.backends import require_target_name
from sensenet.compiler.sources import find_target, open_saved
from sensenet.errors import SensenetError
from sensenet.files.paths import as_path
from sensenet.ir.types import Array
from sensenet.models.create import Source, create_model
from sensenet.models.model import Model
from sensenet.settings import Settings
from sensenet.signature import PIXEL_INPUT

FORMATS = ("tflite", "tfjs", "smbundle", "h5")
"""The formats that `convert` writes."""


def convert(
    model: Model | Source,
    settings: Settings | Mapping[str, Any] | None,
    output_path: str | os.PathLike[str],
    to_format: str,
) -> None:
    """Write a model in another format: `tflite`, `tfjs`, `smbundle`, or `h5` for its weights alone.

    `model` is a model, a document (dict or path), or the path of an artifact that contains its graph, such as
    a bundle. Settings apply only to documents: models and artifacts have their own. A file that sensenet
    wrote in this format is replaced, except weights, whose origin is unknown.

    Raises UnknownTargetError for another format, ArtifactError if the path has something else or cannot be
    written, and what `create_model` raises.
    """
    require_target_name("format", to_format, FORMATS)
    if not isinstance(model, Model):
        known = isinstance(model, Artifact) or find_target(model) is not None
        model = create_model(model, None if known else settings)
    model.save_as(to_format, output_path, force=_is_artifact(output_path, to_format))


def _is_artifact(path: str | os.PathLike[str], target: str) -> bool:
    """Return whether a path has an artifact that sensenet wrote for this target."""
    try:
        found = find_target(path)
        return found is not None and found.name == target and open_saved(path, found) is not None
    except SensenetError:
        return False


def tflite_predict(tflite_model: str | os.PathLike[str], image_file: str | os.PathLike[str]) -> list[Array]:
    """Return the output arrays of a TensorFlow Lite file for one image, in the file's order.

    Each has a batch axis of size 1. The file contains a model that reads only one image, and was written by
    sensenet or the published package. Raises ArtifactError for any other file, InputError for an image that
    cannot be read.
    """
    from sensenet.backends.tflite.opening import open_image_model
    from sensenet.runtime.decode_image import read_image

    executable = open_image_model(as_path(tflite_model))
    pixels = read_image(os.fspath(image_file), os.fspath(image_file))
    return list(executable.run({PIXEL_INPUT: pixels[None].astype(np.float32)}).values())
