"""Opens .tflite files, which are untrusted: see `verify`."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from sensenet.artifact import Executable
from sensenet.backends.fitting import require_fitting
from sensenet.backends.tflite.interpreter import make_executable
from sensenet.backends.tflite.metadata import SIGNATURE_KEY, read_signature
from sensenet.backends.tflite.verify import Interface, verify
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.processors import usable_processors
from sensenet.signature import Signature


def open_model(path: Path, *, threads: int | None = None) -> Executable:
    """Run a saved file, without TensorFlow if LiteRT is installed; `threads` is how many a call may use.

    Raises ArtifactError for a file that is damaged, that sensenet did not write, or that is not safe to run
    (see `verify`); LimitError for one that would take too much memory.
    """
    content, where = read_file(path), str(path)
    signature = read_signature(content, where)
    interface = _check(content, signature, where)
    return make_executable(content, signature, threads, where, interface.size)


def open_image_model(path: Path) -> Executable:
    """Run a file of a model that reads one image alone: ours, or one without our metadata.

    A file without them is run by the names of its own signature, if it has only operators that sensenet runs.
    Raises ArtifactError for any other file.
    """
    content, where = read_file(path), str(path)
    ours = zipfile.is_zipfile(io.BytesIO(content))
    signature = read_signature(content, where) if ours else Signature()
    interface = _check(content, signature, where)
    if interface.signature != SIGNATURE_KEY:
        raise ArtifactError(f"{where} has no signature {SIGNATURE_KEY!r}; TensorFlow's converter writes one")
    shapes = [declared.shape for declared in interface.inputs.values()]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] not in (3, 4):
        raise ArtifactError(f"{where} does not read one image alone: its inputs are {dict(interface.inputs)}")
    return make_executable(content, signature, usable_processors(), where, interface.size)


def _check(content: bytes, signature: Signature, where: str) -> Interface:
    """Return the interface of a file that is safe to run and fits its signature; raise as `open_model`."""
    interface = verify(content, where)
    require_fitting(signature, interface.inputs, interface.outputs, where)
    return interface
