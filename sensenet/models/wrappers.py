"""Makes models: from BigML documents, from artifacts, and from the files that artifacts were saved in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensenet.artifact import Artifact, Executable
from sensenet.compile.documents import import_document
from sensenet.compile.sources import find_target, open_saved, read_kept_graph, read_saved_graph
from sensenet.errors import ArtifactError, SensenetError, SettingsError, UnknownTargetError
from sensenet.ir.signature import PIXEL_INPUT, ModelKind, Signature
from sensenet.limits import memory_errors_reported
from sensenet.models.deepnet import Deepnet, Model, ObjectDetector, make_model, require_fit
from sensenet.models.engines import require_engine, run_graph, run_imported
from sensenet.models.saved import run_artifact, run_saved
from sensenet.runtime.images import read_image
from sensenet.settings import DEFAULTS, Settings, ensure_settings

__all__ = [
    "Deepnet",
    "Model",
    "ObjectDetector",
    "convert",
    "create_image_feature_extractor",
    "create_model",
    "tflite_predict",
]

FORMATS = ("tflite", "tfjs", "smbundle", "h5")
"""What `convert` writes."""

CALL_SETTINGS = frozenset({"image_path_prefix"})
"""Settings of calling a model, which no artifact fixes."""

Source = Artifact | Mapping[str, Any] | str | bytes | os.PathLike[str]
"""A document (dict, path, JSON text or bytes), the name of a pretrained network, an artifact, or the path of
a saved one."""


def create_model(
    source: Source, settings: Settings | Mapping[str, Any] | None = None, engine: str | None = None
) -> Deepnet | ObjectDetector:
    """A model that predicts.

    `source` is a BigML document (a dict, a path to `.json` or `.json.gz`, JSON text or bytes), or the name of
    a pretrained network; an artifact of `sensenet.compile`, or the path of a saved one. An artifact keeps
    the settings that it was compiled with.

    `engine` is the target in whose runtime the model answers calls (`sensenet.models.engines.ENGINES`), at
    the default level. Without it, an artifact runs in its own target's, and a document in NumPy, as does a
    SavedModel or bundle that keeps its graph; but where LiteRT or TensorFlow is installed, a large network of
    images runs as the target tflite, which is made ready at the first call.

    Raises DocumentError, UnknownNetworkError, UnknownTargetError, SettingsError, ArtifactError, DownloadError
    or MissingPackageError, which are SensenetErrors.
    """
    given = ensure_settings(settings)
    with memory_errors_reported():
        executable = _open(source, engine)
        if executable is not None:
            return make_model(executable, _fixed_settings(executable.signature, given))
        imported = import_document(source, given)
        return make_model(run_imported(imported.graph, engine), imported.settings, imported.preprocess)


def create_image_feature_extractor(
    source: Source, settings: Settings | Mapping[str, Any] | None = None, engine: str | None = None
) -> Deepnet:
    """A model that gives the features of a picture: the output of the last global pooling or convolution.

    `source` is the document of any model that reads pictures; the name of a pretrained network; or an
    artifact that was compiled with the setting `extract_image_features`, or its path. The model takes the
    picture alone, whatever the rows of its document are. `engine` is as for `create_model`, and so are the
    errors raised.
    """
    given = ensure_settings(settings)
    with memory_errors_reported():
        executable = _open(source, engine)
        if executable is None:
            imported = import_document(source, given.override(Settings(extract_image_features=True)))
            return Deepnet(run_imported(imported.graph, engine), imported.settings)
        if executable.signature.kind is not ModelKind.EXTRACTOR:
            raise ArtifactError(
                "this artifact is no feature extractor: compile its document with extract_image_features=True"
            )
        require_fit(executable)
        return Deepnet(executable, _fixed_settings(executable.signature, given))


def convert(
    model: Model | Source,
    settings: Settings | Mapping[str, Any] | None,
    output_path: str | os.PathLike[str],
    to_format: str,
) -> None:
    """Write a model in another format: `tflite`, `tfjs`, `smbundle`, or `h5` for its weights alone.

    `model` is a model, a document (dict or path), or the path of an artifact that keeps its graph, such as a
    bundle. Settings are for documents: a model or an artifact keeps its own. A file that sensenet wrote in
    this format is replaced; weights never are, since nothing tells whose they are.

    Raises UnknownTargetError for another format, ArtifactError if something else is at the path or it cannot
    be written, and what `create_model` raises.
    """
    if to_format not in FORMATS:
        raise UnknownTargetError(f"there is no format {to_format!r}; there are: {', '.join(FORMATS)}")
    if not isinstance(model, Model):
        known = isinstance(model, Artifact) or find_target(model) is not None
        model = create_model(model, None if known else settings)
    model.save_as(to_format, output_path, force=_is_artifact(output_path, to_format))


def _is_artifact(path: str | os.PathLike[str], target: str) -> bool:
    """Whether what is at a path is an artifact that sensenet wrote for this target."""
    try:
        return find_target(path) == target and open_saved(path, target) is not None
    except SensenetError:
        return False


def tflite_predict(
    tflite_model: str | os.PathLike[str], image_file: str | os.PathLike[str]
) -> list[npt.NDArray[Any]]:
    """Return the output arrays of a TensorFlow Lite file for one image, in the file's order.

    Their batch axis is 1. The file is of a model that reads one image alone, written by sensenet or by the
    published package. Raises ArtifactError for any other, InputError for an image that cannot be read.
    """
    from sensenet.backends.tflite import open_image_model

    executable = open_image_model(Path(tflite_model))
    pixels = read_image(os.fspath(image_file), os.fspath(image_file))
    return list(executable.run({PIXEL_INPUT: pixels[None].astype(np.float32)}).values())


def _open(source: Any, engine: str | None) -> Executable | None:
    """An artifact, or a saved one, in an engine, or in its own runtime; None for what is neither.

    Raises ArtifactError where an engine is wanted for a saved one that keeps no graph.
    """
    require_engine(engine)
    artifact = source if isinstance(source, Artifact) else None
    target = artifact.target if artifact else find_target(source)
    if target is None:
        return None
    if engine not in (None, target):
        graph = artifact.graph if artifact else read_saved_graph(source)
        assert graph is not None  # it is an artifact
        return run_graph(graph, engine)
    if artifact:
        return run_artifact(artifact)
    kept = None if engine else read_kept_graph(source, target)
    return run_graph(kept) if kept else run_saved(Path(source), target)


def _fixed_settings(signature: Signature, given: Settings) -> Settings:
    """The settings that an artifact keeps, with those of the call; raises SettingsError for another value."""
    kept = ensure_settings(signature.settings)
    effective = {**DEFAULTS, **kept.given()}
    for name, value in given.given().items():
        if name not in CALL_SETTINGS and effective.get(name) != value:
            raise SettingsError(
                f"the setting {name!r} was fixed as {effective.get(name)!r} when this artifact was compiled: "
                f"compile its document with {name}={value!r}"
            )
    return kept.override(given)
