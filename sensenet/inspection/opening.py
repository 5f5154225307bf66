"""Opens what can be inspected: documents, names of pretrained networks, graphs, artifacts and models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact
from sensenet.compiler.documents import as_document, find_name
from sensenet.compiler.sources import find_target, open_saved, read_kept_graph
from sensenet.errors import SettingsError
from sensenet.frontend import build_graph, read_document
from sensenet.inspection.resource import Resource, read_resource
from sensenet.ir.graph import Graph
from sensenet.ir.layer_costs import LayerFacts
from sensenet.limits import memory_errors_reported
from sensenet.models.create import Source
from sensenet.models.model import Model
from sensenet.records import frozen
from sensenet.settings import Settings, ensure_settings
from sensenet.signature import Signature

DOCUMENT, PRETRAINED, GRAPH, MODEL = "document", "pretrained network", "graph", "model"
"""The formats of what is not an artifact; an artifact's is the name of its target."""

Inspectable = Source | Graph | Model
"""A document, the name of a pretrained network, an artifact, the path of a saved one, a graph, or a model."""


@frozen(kw_only=True, eq=False)
class Opened:
    """What a source holds: `size` is in bytes; without a graph, `layers` may list operators."""

    label: str
    format: str
    signature: Signature
    graph: Graph | None
    layers: Sequence[LayerFacts] = ()
    size: int | None = None
    resource: Resource | None = None


def open_source(source: Inspectable, settings: Settings | Mapping[str, Any] | None = None) -> Opened:
    """Return what a source holds; a document is read as it was trained, and no weights are downloaded.

    Raises what `create_model` raises, and SettingsError for settings of anything but a document.
    """
    given = ensure_settings(settings)
    with memory_errors_reported():
        found = _open_artifact(source)
        if found is None:
            return _open_document(source, given)
        if given.given():
            raise SettingsError(f"settings are for documents: leave out {', '.join(given.given())}")
        return found


def _open_artifact(source: Any) -> Opened | None:
    """Return what is not a document; None for a document."""
    match source:
        case Graph():
            return Opened(label=GRAPH, format=GRAPH, signature=source.signature, graph=source)
        case Model():
            return Opened(
                label=MODEL, format=MODEL, signature=source.signature, graph=source._executable.graph
            )
        case Artifact():
            return Opened(
                label="artifact",
                format=source.target,
                signature=source.graph.signature,
                graph=source.graph,
                size=sum(map(len, source.files.values())),
            )
    target = find_target(source)
    if target is None:
        return None
    graph = read_kept_graph(source, target)
    signature = graph.signature if graph else None
    if signature is None:
        executable = open_saved(source, target)
        graph, signature = executable.graph, executable.signature
    return Opened(
        label=os.fspath(source),
        format=target.name,
        signature=signature,
        graph=graph,
        layers=target.read_layers(Path(source)) if graph is None and target.read_layers else (),
        size=sum(each.stat().st_size for each in target.list_files(Path(source))),
    )


def _open_document(source: Any, settings: Settings) -> Opened:
    name = find_name(source)
    document = read_document(as_document(source))
    is_path = isinstance(source, str | os.PathLike) and name is None and os.path.exists(source)
    graph = build_graph(document, settings).graph
    return Opened(
        label=name or (os.fspath(source) if is_path else DOCUMENT),
        format=PRETRAINED if name else DOCUMENT,
        signature=graph.signature,
        graph=graph,
        size=os.stat(source).st_size if is_path else None,
        resource=None if name else read_resource(document.root),
    )
