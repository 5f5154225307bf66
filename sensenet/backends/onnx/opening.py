"""Opens .onnx files, which may be anybody's: see `verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sensenet.artifact import Executable
from sensenet.backends.fitting import require_fitting
from sensenet.backends.onnx.names import METADATA_KEY
from sensenet.backends.onnx.running import make_executable
from sensenet.backends.onnx.tensors_form import has_fields, keep_tensors
from sensenet.backends.onnx.verify import parse, verify
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.signature import Signature


def open_model(path: Path, *, threads: int | None = None) -> Executable:
    """Run a saved file in onnxruntime; `threads` is how many a call may use.

    Raises ArtifactError for a file that is damaged, that sensenet did not write, or that is not safe to run
    (see `verify`); LimitError for one that would take too much memory; MissingPackageError.
    """
    where = str(path)
    try:
        model = keep_tensors(parse(read_file(path), where))
        signature = read_signature(model, where)
        size = verify(model, where)
    except UnicodeDecodeError as error:  # protobuf decodes a text when it is read
        raise ArtifactError(f"{where} is damaged: a text in it is not UTF-8") from error
    executable = make_executable(model.SerializeToString(deterministic=True), signature, threads, where, size)
    run: Any = executable.run
    require_fitting(signature, run.inputs, run.outputs, where)
    return executable


def load_model(content: bytes, signature: Signature, threads: int | None) -> Executable:
    """Run the file of an artifact in onnxruntime; raises as `make_executable` does."""
    where = "the artifact"
    model = parse(content, where)
    if has_fields(model):
        content = keep_tensors(model).SerializeToString(deterministic=True)
    return make_executable(content, signature, threads, where)


def read_signature(model: Any, where: str) -> Signature:
    """Return the signature in the metadata of a model; raises ArtifactError for one without."""
    found = [each.value for each in model.metadata_props if each.key == METADATA_KEY]
    if len(found) != 1:
        raise ArtifactError(
            f"{where} was not made by sensenet, or is truncated: its metadata_props have no {METADATA_KEY!r}"
        )
    try:
        return Signature.from_json(json.loads(found[0]))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: its signature is not JSON ({error})") from error
