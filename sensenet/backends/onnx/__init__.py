"""The target onnx: one .onnx file of ONNX's own operators, for any batch size.

Inputs and outputs have the graph's names; `metadata_props["sensenet"]` is the JSON form of the signature.
Where inputs are NaN it answers as the interpreter of graphs does, except that onnxruntime passes over NaN in
`ReduceMax`, `ReduceMin`, `MaxPool` and `ArgMax`. A loop ends after `MOST_STEPS` steps without an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends.onnx.names import FILE_NAME
from sensenet.backends.static_shapes import StaticShapes
from sensenet.backends.target import Target
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal
from sensenet.records import frozen

if TYPE_CHECKING:
    from sensenet.ir.layer_costs import LayerFacts

HEAD = re.compile(rb"\x08[\x03-\x1f]\x12[\x01-\x7f][\x20-\x7e]")
"""How a ModelProto begins: the version of the format, and the producer's name."""


@frozen(kw_only=True)
class OnnxOptions(StaticShapes):
    """What the file takes, and which runtimes can read it."""

    opset: Literal[18, 19, 20, 21] = 18
    """The version of ONNX's operators: onnxruntime reads 18 from 1.14 on, 21 from 1.18 on."""

    inputs: Literal["tensors", "fields"] = "tensors"
    """What the file takes: tensors of numbers and pixels, or one input for each field of the document."""


def legal() -> Legal:
    """Return the nodes that are emitted."""
    from sensenet.backends.onnx.emit import LEGAL

    return LEGAL


def build(graph: Graph, report: Report, options: OnnxOptions) -> Artifact:
    """Return the graph as one .onnx file, which is made at once; needs the package onnx alone.

    Raises SettingsError for the inputs of fields that the graph does not have.
    """
    from sensenet.backends.onnx.convert import convert
    from sensenet.backends.onnx.fields import fields_interface
    from sensenet.backends.onnx.interface import tensors_interface

    interface = fields_interface(graph) if options.inputs == "fields" else tensors_interface(graph)
    content = convert(graph, interface, options.opset)
    return Artifact(target="onnx", graph=graph, report=report, produce=lambda: {FILE_NAME: content})


def load(artifact: Artifact, *, threads: int | None = None) -> Executable:
    """Run an artifact in onnxruntime; `threads` is how many a call may use."""
    from sensenet.backends.onnx.opening import load_model

    return load_model(bytes(artifact), artifact.graph.signature, threads)


def open(path: Path) -> Executable:
    """Run a saved file in onnxruntime; raises as `open_model` does."""
    from sensenet.backends.onnx.opening import open_model

    return open_model(path)


def recognizes(_: Path, head: bytes) -> bool:
    """Return whether a file begins as ONNX files do."""
    return HEAD.match(head) is not None


def copy_files(executable: Executable) -> Files:
    """Return the file that an executable runs."""
    return {FILE_NAME: executable.run.content}  # type: ignore[attr-defined]


def read_layers(path: Path) -> Sequence[LayerFacts]:
    """Return the operators of a saved file, which `open` has opened."""
    from sensenet.backends.onnx.stored_layers import read_layers as read

    return read(path)


TARGET = Target(
    name="onnx",
    suffix=".onnx",
    description="an ONNX model, standard operators only",
    options=OnnxOptions,
    legal=legal,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    simplifies=True,
    copy_files=copy_files,
    read_layers=read_layers,
)
