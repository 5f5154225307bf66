"""Opens .tflite files, which are untrusted: see `verify`."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from sensenet.artifact import Executable
from sensenet.backends.tflite.fitting import require_fitting
from sensenet.backends.tflite.interpreter import make_executable
from sensenet.backends.tflite.metadata import SIGNATURE_KEY, read_signature
from sensenet.backends.tflite.verify import verify
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.processors import usable_processors
from sensenet.signature import Signature


def open_model(path: Path, *, threads: int | None = None) -> Executable:
    """Run a saved file, without TensorFlow if LiteRT is installed; `threads` is how many a call may use.

    Raises ArtifactError for a file that is damaged, that sensenet did not write, or that is not safe to run
    (see `verify`); LimitError for one that would take too much memory.
    """
    content = read_file(path)
    signature = read_signature(content, str(path))
    require_fitting(signature, verify(content, str(path)), str(path))
    return make_executable(content, signature, threads, str(path))


def open_image_model(path: Path) -> Executable:
    """Run a file of a model that reads one image alone: ours, or one without our metadata.

    A file without them is run by the names of its own signature, if it has only operators that sensenet runs.
    Raises ArtifactError for any other file.
    """
    content = read_file(path)
    if zipfile.is_zipfile(io.BytesIO(content)):
        executable = open_model(path)
        interface = verify(content, str(path))
    else:
        interface = verify(content, str(path))
        if interface.signature != SIGNATURE_KEY:
            raise ArtifactError(
                f"{path} has no signature {SIGNATURE_KEY!r}; TensorFlow's converter writes one"
            )
        executable = make_executable(content, Signature(), usable_processors(), str(path))
    shapes = [declared.shape for declared in interface.inputs.values()]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] not in (3, 4):
        raise ArtifactError(f"{path} does not read one image alone: its inputs are {dict(interface.inputs)}")
    return executable
