"""The graph that a model was made of, kept in model.json, by which it runs in the interpreter.

The member `sensenetGraph` of the metadata has its text form, without the line of the signature, which is next
to it. The weights that the text names by digest are those of the weight files, as they are after loading:
others have other digests. A digest of topology and signature tells whether both are still those that the
graph was written as.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sensenet.backends.interpreter.executable import parse_saved
from sensenet.backends.tfjs.names import (
    GRAPH_KEY,
    MANIFEST,
    METADATA,
    METADATA_KEY,
    MODEL_FILE,
    SIGNATURE,
    TOPOLOGY,
)
from sensenet.backends.tfjs.weights import read_weights
from sensenet.errors import ArtifactError
from sensenet.foreign_errors import first_line
from sensenet.ir.graph import Graph
from sensenet.ir.printer import HEADER, print_graph, text_digest
from sensenet.ir.types import Tensor

FAULTS = (ArtifactError, AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What damaged files raise."""

TEXT, DIGEST = "text", "topology"
"""The members of what is kept."""


def keep_graph(graph: Graph, model: Mapping[str, Any]) -> dict[str, str]:
    """Return what is kept of a graph that was written as a model's topology and signature."""
    _, _, *lines = print_graph(graph).split("\n")
    return {TEXT: "\n".join(lines), DIGEST: _digest(model)}


def _digest(model: Mapping[str, Any]) -> str:
    """Return the 128-bit BLAKE2b hash, in hexadecimal, of topology and signature, in whatever order."""
    parts = [model.get(TOPOLOGY), model.get(SIGNATURE)]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def read_graph(files: Mapping[str, bytes], where: str) -> Graph | None:
    """Return the graph that the files of a model, by name, keep; None if they keep none.

    Raises ArtifactError, naming `where`, for files that are damaged, or whose topology is another by now;
    LimitError for weights that take more memory than the limit.
    """
    try:
        model = json.loads(files[MODEL_FILE])
        metadata = model.get(METADATA) or {}
        kept = metadata.get(GRAPH_KEY)
        if kept is None:
            return None
        signature = json.dumps(metadata[METADATA_KEY])
        text = "\n".join([HEADER, f"signature {signature}", kept[TEXT]]).encode()
        changed = kept[DIGEST] != _digest(model)
        weights = read_weights(model[MANIFEST], files)
    except FAULTS as error:
        raise ArtifactError(f"{where}: {MODEL_FILE} is damaged ({first_line(error)})") from error
    if changed:
        raise ArtifactError(
            f"{where}: the topology has changed since sensenet wrote it, and its graph has not: "
            'run the topology with engine="tfjs"'
        )
    by_digest = {text_digest(tensor): tensor.array for tensor in map(Tensor, weights.values())}
    return parse_saved(text, by_digest, f"{where}: {MODEL_FILE}")
