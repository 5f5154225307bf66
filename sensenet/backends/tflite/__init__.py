"""The target tflite: a TensorFlow Lite flatbuffer of builtin ops, for any batch size.

Where inputs are NaN it answers as the interpreter of graphs does, except that `Maximum` and `Minimum` of two
computed tensors may give the operand that is not NaN.

Options: `quantize`, one of none, float16, dynamic and int8, is how layers are stored (see `quantize`);
`calibration`, a sequence of {input name: array}, is what int8 chooses its scales from.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends import Backend
from sensenet.backends.options import check_options
from sensenet.backends.tflite.convert import convert
from sensenet.backends.tflite.emit import LEGAL
from sensenet.backends.tflite.fitting import require_fitting
from sensenet.backends.tflite.interpreter import make_executable
from sensenet.backends.tflite.metadata import SIGNATURE_KEY, read_signature, write_file
from sensenet.backends.tflite.quantize import QUANTIZATIONS, quantize, require_quantization
from sensenet.backends.tflite.verify import verify
from sensenet.backends.tflite.versions import declare_versions
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph
from sensenet.processors import usable_processors
from sensenet.signature import Signature

FILE_NAME = "model.tflite"

OPTIONS = ("quantize", "calibration")


def build(graph: Graph, report: Report, options: Mapping[str, Any]) -> Artifact:
    """The graph as one .tflite file; it is converted at once."""
    check_options("tflite", options, OPTIONS)
    mode, calibration = options.get("quantize", QUANTIZATIONS[0]), options.get("calibration", ())
    require_quantization(mode, calibration)
    tree = quantize(convert(graph), mode, calibration, [node.name for node in graph.inputs])
    content = write_file(declare_versions(tree), graph)
    return Artifact(target="tflite", graph=graph, report=report, produce=lambda: {FILE_NAME: content})


def load(artifact: Artifact, *, threads: int | None = None) -> Executable:
    """Run an artifact; `threads` is how many a call may use."""
    return make_executable(bytes(artifact), artifact.graph.signature, threads, "the artifact")


def open(path: Path, *, threads: int | None = None) -> Executable:
    """Run a saved file, without TensorFlow where LiteRT is installed.

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
        executable = open(path)
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


BACKEND = Backend(legal=LEGAL, build=build, load=load, open=open, simplifies=True)
