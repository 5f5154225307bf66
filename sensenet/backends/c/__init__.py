"""The target c: one header for C and C++ with all that firmware needs to run a network.

It has the network as a flatbuffer for TensorFlow Lite Micro, the size of its arena, the operators that it
needs, labels, the names of fields, and a function that encodes a row. A header is compiled, not opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends import tflite
from sensenet.backends.c.names import FILE_NAME, HEAD
from sensenet.backends.options import Prefix
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal
from sensenet.records import frozen


@frozen(kw_only=True)
class COptions(tflite.TfliteOptions):
    """How layers are stored (see `quantize`), and sizes that the network is made for."""

    batch: int = 1
    """How many rows the network takes at once."""

    quantize: Literal["none", "int8", "auto"] = "none"
    """How the kernels of layers and what is between layers are stored; auto is int8 within a budget."""

    prefix: Prefix | None = None
    """What the header's names begin with, instead of the model's name: one for each model of a program."""


def legal() -> Legal:
    """Return the nodes that the target tflite emits, but for those that TensorFlow Lite Micro lacks."""
    from sensenet.backends.c.operators import LEGAL

    return LEGAL


def build(graph: Graph, report: Report, options: COptions) -> Artifact:
    """Return the graph as one header, which is made at once.

    Raises SettingsError for a detector, images of any size, or no columns; UnsupportedOpError for an operator
    that TensorFlow Lite Micro lacks; UnknownTargetError as `tflite.build` does.
    """
    from sensenet.backends.c.header import write_header
    from sensenet.backends.c.operators import choose_in_floats
    from sensenet.backends.c_code.literals import prefix_of

    quantized, report = tflite.apply_options(graph, report, options)
    chosen = choose_in_floats(quantized)
    content = write_header(chosen, options, options.prefix or prefix_of(graph.signature.name))
    return Artifact(target="c", graph=chosen, report=report, produce=lambda: {FILE_NAME: content})


def load(artifact: Artifact, *, threads: int | None = None) -> Executable:
    """Run the network of a header in TensorFlow Lite; `threads` is how many a call may use."""
    from sensenet.backends.c.header import read_model
    from sensenet.backends.tflite.interpreter import make_executable

    return make_executable(read_model(bytes(artifact)), artifact.graph.signature, threads, "the header")


def open(path: Path) -> Executable:
    """Raise ArtifactError: a header is compiled."""
    raise ArtifactError(
        f"{path} is C code, which a compiler reads: compile the document with -t tflite for a file of the "
        "same network that sensenet opens"
    )


def recognizes(_: Path, head: bytes) -> bool:
    """Return whether a file begins as our headers do."""
    return head.startswith(HEAD.encode())


TARGET = Target(
    name="c",
    suffix=".h",
    description="a C header for TensorFlow Lite Micro: network, row encoder, labels",
    options=COptions,
    legal=legal,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    runs=False,
    simplifies=True,
)
