"""Opens documents in sources of all kinds, and those of the pretrained networks, by name.

create_model("resnet50")                                    the whole network, as it was trained
create_model(document, {"load_pretrained_weights": True})   a document that has no weights of its own
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensenet.errors import UnknownNetworkError
from sensenet.frontend import build_graph, read_document
from sensenet.frontend.document import errors_naming
from sensenet.frontend.json.cursor import quote
from sensenet.ir.graph import Graph
from sensenet.records import frozen
from sensenet.settings import Settings
from sensenet.suggestions import suggest

WORD = re.compile(r"[\w-]+")
"""The form of a network's name, which distinguishes it from a path with a suffix."""


@frozen(kw_only=True)
class Imported:
    """A document's graph, the settings that it was built with, and the columns in the document's form."""

    graph: Graph
    settings: Settings
    preprocess: Sequence[Mapping[str, Any]] | None


def import_document(
    source: Any, settings: Settings, weights: str | os.PathLike[str] | None = None
) -> Imported:
    """Return the graph of a document, or of the pretrained network of that name.

    Its weights are those of the h5 file `weights`, if given, else those of the document. Layers without
    weights get pretrained ones if the setting `load_pretrained_weights` is on; a network's name turns it on.

    Raises UnknownNetworkError for a word that is neither a file nor a network; DocumentError and
    SettingsError; DownloadError if weights cannot be downloaded; ArtifactError for a file of weights that is
    damaged or of another network; MissingPackageError if h5py is not installed.
    """
    name = find_name(source)
    document = read_document(as_document(source))
    if weights is not None:
        from sensenet.backends.keras.h5 import load_weights

        graph = load_weights(build_graph(document, settings).graph, Path(weights))
    else:
        if name is not None:
            settings = Settings(load_pretrained_weights=True).override(settings)
        if settings.load_pretrained_weights:
            from sensenet.compiler.pretrained_weights import fill_weights

            with errors_naming(document.file):
                document = fill_weights(document)
        graph = build_graph(document, settings).graph
    preprocess = document.network.value.get("preprocess")
    return Imported(graph=graph, settings=settings, preprocess=preprocess)


def as_document(source: Any) -> Any:
    """Return the document, without weights, of a pretrained network's name; any other source unchanged.

    Raises UnknownNetworkError.
    """
    name = find_name(source)
    if name is None:
        return source
    from sensenet.pretrained import get_pretrained_network

    return get_pretrained_network(name)


def find_name(source: Any) -> str | None:
    """Return the source if it is the name of a pretrained network; None for anything else, such as a path.

    A file of that name takes precedence, but a directory does not. Raises UnknownNetworkError for a word that
    is neither a network nor a path.
    """
    if not isinstance(source, str) or not WORD.fullmatch(source) or os.path.isfile(source):
        return None
    from sensenet.pretrained import NETWORKS

    if source in NETWORKS:
        return source
    if os.path.exists(source):
        return None
    raise UnknownNetworkError(
        f"there is neither a file {quote(source)} nor a pretrained network of that name; "
        f"{suggest(source, NETWORKS)}the networks are: {', '.join(NETWORKS)}"
    )
