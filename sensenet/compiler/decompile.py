"""decompile(): a trained network → its document."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact
from sensenet.backends.keras import TARGET
from sensenet.backends.keras.h5 import load_weights
from sensenet.backends.keras.reading import read_signature, read_weights
from sensenet.compiler.documents import as_document
from sensenet.compiler.sources import find_target, open_saved
from sensenet.errors import ArtifactError
from sensenet.files.reading import require_readable
from sensenet.frontend.document import read_document
from sensenet.frontend.network import build_graph
from sensenet.frontend.weights import write_weights
from sensenet.ir.graph import Graph
from sensenet.passes.lowering.legalize import legalize
from sensenet.settings import Settings, ensure_settings
from sensenet.signature import Signature

Trained = Artifact | str | os.PathLike[str] | Any
"""A `tf.keras.Model` that was compiled with `optimize=0`, its artifact, or the path of a file."""

SAME = ("kind", "columns", "classes", "image")
"""The attributes of the signature that must be equal for a model and its document."""


def decompile(trained: Trained, like: Mapping[str, Any] | str | bytes | os.PathLike[str]) -> dict[str, Any]:
    """Return the document of a network with the weights that it was trained to: JSON → Keras → `fit` → JSON.

    `trained` is the `tf.keras.Model` that `compile(like, "keras", optimize=0)` made, which may have been
    trained further; its artifact; the path of the `.keras` file that it was saved in; or the path of an h5
    file of weights. `like` is the document, in any form that `compile` accepts, with or without weights, or
    the name of a pretrained network. Returns that document, including its envelope, with other numbers in the
    members that contain weights: each is the shortest decimal that is the same float32. `like` is not
    changed; if it is a dict, the result shares its unchanged parts.

    Raises ArtifactError, naming the layer, for a model that differs from that of the document: because it was
    optimized, or has more, fewer or renamed layers, or other shapes or functions; also for a file that is
    damaged or of another network, and for anything but a model. Raises DocumentError for an invalid document,
    and for weights that it cannot contain; MissingPackageError if a package is missing. All are
    SensenetErrors.
    """
    document = read_document(as_document(like))
    model, weights = _open(trained)
    if weights is not None:
        imported = build_graph(document, Settings())
        return write_weights(document.root, imported, load_weights(imported.graph, weights))
    signature = read_signature(model)
    imported = build_graph(document, ensure_settings(signature.settings))
    _require_same(signature, imported.graph)
    legal = legalize(TARGET.legal(), TARGET.rows).run(imported.graph)
    return write_weights(document.root, imported, read_weights(imported.graph, legal, model))


def _open(trained: Trained) -> tuple[Any, Path | None]:
    """Return the Keras model, or the path of a file that holds weights alone."""
    if isinstance(trained, Artifact):
        if trained.model is None:
            raise ArtifactError(
                f"an artifact for the target {trained.target} cannot be trained: compile for the target keras"
            )
        return trained.model, None
    if not isinstance(trained, str | os.PathLike):
        return trained, None
    target = find_target(trained)
    if target is not None and target.load_weights is not None:
        return None, Path(trained)
    if target is not None and target.trainable:
        return open_saved(trained, target).model, None
    if not os.path.exists(trained):
        raise ArtifactError(f"{os.fspath(trained)}: no such file")
    require_readable(Path(trained))
    raise ArtifactError(f"{os.fspath(trained)} is neither a .keras file nor an h5 file of weights")


def _require_same(signature: Signature, graph: Graph) -> None:
    """Raise ArtifactError if the model is of another document."""
    for name in SAME:
        if getattr(signature, name) != getattr(graph.signature, name):
            raise ArtifactError(f"the Keras model was made of another document: its {name} differs")
