"""Creates models from BigML documents, artifacts and saved files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact, Executable
from sensenet.backends import get_target
from sensenet.compiler.documents import import_document
from sensenet.compiler.sources import find_target, read_kept_graph, read_saved_graph
from sensenet.errors import ArtifactError, SettingsError
from sensenet.limits import memory_errors_reported
from sensenet.models.deepnet import Deepnet, ObjectDetector, make_model, require_fit
from sensenet.models.engines import require_engine, run_graph, run_imported
from sensenet.settings import DEFAULTS, Settings, ensure_settings
from sensenet.signature import ModelKind, Signature

CALL_SETTINGS = frozenset({"image_path_prefix"})
"""Settings for calls of a model, which artifacts do not fix."""

Source = Artifact | Mapping[str, Any] | str | bytes | os.PathLike[str]
"""A document (dict, path, JSON text or bytes), the name of a pretrained network, an artifact, or the path of
a saved one."""


def create_model(
    source: Source, settings: Settings | Mapping[str, Any] | None = None, engine: str | None = None
) -> Deepnet | ObjectDetector:
    """Return a model that predicts.

    `source` is a BigML document (a dict, a path to `.json` or `.json.gz`, JSON text or bytes), or the name of
    a pretrained network; an artifact of `sensenet.compile`, or the path of a saved one. An artifact keeps
    the settings that it was compiled with.

    `engine` is the target in whose runtime the model runs (`sensenet.models.engines.ENGINES`), at the default
    level. Without it, an artifact runs in its own target's runtime. A document runs in the fastest engine
    that is installed, as does a graph model of TensorFlow.js, and a SavedModel or bundle that keeps its
    graph: rows in `native` with llvmlite, large image networks in `tflite` with LiteRT or TensorFlow,
    prepared at the first call, all others in `numpy`.

    Raises DocumentError, UnknownNetworkError, UnknownTargetError, SettingsError, ArtifactError, DownloadError
    or MissingPackageError, all of them SensenetErrors.
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
    """Return a model that extracts features of images: the output of the last global pooling or convolution.

    `source` is the document of any model that reads images; the name of a pretrained network; or an artifact
    that was compiled with the setting `extract_image_features`, or its path. The model reads only the image,
    whatever the rows of its document. `engine` and the errors raised are those of `create_model`.
    """
    given = ensure_settings(settings)
    with memory_errors_reported():
        executable = _open(source, engine)
        if executable is None:
            imported = import_document(source, given.override(Settings(extract_image_features=True)))
            return Deepnet(run_imported(imported.graph, engine), imported.settings)
        if executable.signature.kind is not ModelKind.EXTRACTOR:
            raise ArtifactError(
                "this artifact is not a feature extractor: compile it with extract_image_features=True"
            )
        require_fit(executable)
        return Deepnet(executable, _fixed_settings(executable.signature, given))


def _open(source: Any, engine: str | None) -> Executable | None:
    """Return an artifact or saved artifact in an engine or in its own runtime; None for other sources.

    Raises ArtifactError if an engine is given for a saved artifact that keeps no graph.
    """
    require_engine(engine)
    if isinstance(source, Artifact):
        from sensenet.models.saved import run_artifact

        interpreted = engine is None and get_target(source.target).interpreted
        own = engine in (None, source.target) and not interpreted
        return run_artifact(source) if own else run_graph(source.graph, engine)
    target = find_target(source)
    if target is None:
        return None
    if engine not in (None, target.name):
        return run_graph(read_saved_graph(source, target), engine)
    from sensenet.models.saved import run_saved

    kept = None if engine else read_kept_graph(source, target)
    return run_graph(kept) if kept else run_saved(Path(source), target)


def _fixed_settings(signature: Signature, given: Settings) -> Settings:
    """Return the settings of an artifact and of the call; raise SettingsError for a conflict."""
    kept = ensure_settings(signature.settings)
    effective = {**DEFAULTS, **kept.given()}
    for name, value in given.given().items():
        if name not in CALL_SETTINGS and effective.get(name) != value:
            raise SettingsError(
                f"the setting {name!r} was fixed as {effective.get(name)!r} when this artifact was compiled: "
                f"compile its document with {name}={value!r}"
            )
    return kept.override(given)
