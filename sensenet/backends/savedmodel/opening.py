"""Opens the files of a SavedModel that sensenet or the published package saved."""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.artifact import Executable
from sensenet.backends.fitting import require_fitting
from sensenet.backends.savedmodel.files import TENSORS
from sensenet.backends.savedmodel.graphs import read_graph
from sensenet.backends.savedmodel.loading import load_function, read_json
from sensenet.backends.savedmodel.names import MODEL_FILE, SIGNATURE_FILE
from sensenet.backends.savedmodel.published import open_published
from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.signature import Signature


def open_files(files: Mapping[str, bytes], where: str) -> Executable:
    """Run the files of a SavedModel, given by relative path; raises ArtifactError naming `where`."""
    if MODEL_FILE not in files:
        raise ArtifactError(f"{where} is not a SavedModel: it has no {MODEL_FILE}")
    if SIGNATURE_FILE not in files:
        return open_published(files, where)
    signature = _read_signature(files, where)
    function = load_function(files, TENSORS, where)
    require_fitting(signature, function.inputs, function.outputs, where)
    return Executable(signature=signature, run=function.run, graph=read_graph(files, where))


def _read_signature(files: Mapping[str, bytes], where: str) -> Signature:
    return Signature.from_json(read_json(files, SIGNATURE_FILE, where))


def read_files_graph(files: Mapping[str, bytes], where: str) -> Graph | None:
    """Return the graph stored in a SavedModel's files; None if the published package saved them."""
    if MODEL_FILE not in files or SIGNATURE_FILE not in files:
        return None
    _read_signature(files, where)
    return read_graph(files, where)
