"""The target tflite: a TensorFlow Lite flatbuffer of builtin ops, for any batch size.

If inputs are NaN, it answers as the interpreter of graphs does, except that `Maximum` and `Minimum` of two
computed tensors may return the operand that is not NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from attrs import frozen

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends.static_shapes import StaticShapes, in_batches
from sensenet.backends.target import Target
from sensenet.errors import UnknownTargetError
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal
from sensenet.ir.types import Array

FILE_NAME = "model.tflite"

HEAD = slice(4, 8), b"TFL3"
"""Where a flatbuffer names its format, and how."""

ROUNDING = {"none": 0.0, "float16": 1e-2, "weights": 0.1, "dynamic": 0.1, "int8": 0.2}


@frozen(kw_only=True)
class TfliteOptions(StaticShapes):
    """How layers are stored (see `quantize`)."""

    quantize: Literal["none", "float16", "weights", "dynamic", "int8"] = "none"
    """How the kernels of layers, and with int8 what is between layers, are stored."""

    calibration: Sequence[Mapping[str, Array]] = ()
    """Rows that int8 chooses its scales from: `calibration=` or `--calibration`."""

    @property
    def rounding(self) -> float:
        """Return the tolerance of answers, relative to the largest answer."""
        return ROUNDING[self.quantize]


def legal() -> Legal:
    """Return the nodes that are emitted."""
    from sensenet.backends.tflite.emit import LEGAL

    return LEGAL


def build(graph: Graph, report: Report, options: TfliteOptions) -> Artifact:
    """Return the graph as one .tflite file, which is converted at once.

    Raises UnknownTargetError for int8 without calibration rows.
    """
    from sensenet.backends.tflite.metadata import write_file

    chosen = apply_options(graph, options)
    content = write_file(make_tree(chosen, options), chosen)
    return Artifact(target="tflite", graph=chosen, report=report, produce=lambda: {FILE_NAME: content})


def apply_options(graph: Graph, options: TfliteOptions) -> Graph:
    """Return the graph that is written: with int8, a quantized one; raises as `build` does."""
    from sensenet.passes.quantization.rewriting import quantize_graph

    if options.quantize != "int8":
        return graph
    if not options.calibration:
        raise UnknownTargetError(
            "quantize='int8' chooses its scales from calibration rows: give some as calibration= "
            "(--calibration on the command line), such as the model is to predict"
        )
    return quantize_graph(graph, [*in_batches(options.calibration, options.batch)])


def make_tree(graph: Graph, options: TfliteOptions) -> Any:
    """Return the graph as the `ModelT` of a file, without metadata."""
    from sensenet.backends.tflite.convert import convert
    from sensenet.backends.tflite.versions import declare_versions

    return declare_versions(convert(graph, options.quantize))


def load(artifact: Artifact, *, threads: int | None = None) -> Executable:
    """Run an artifact; `threads` is how many a call may use."""
    from sensenet.backends.tflite.interpreter import make_executable

    return make_executable(bytes(artifact), artifact.graph.signature, threads, "the artifact")


def open(path: Path) -> Executable:
    """Run a saved file, without TensorFlow if LiteRT is installed; raises as `open_model` does."""
    from sensenet.backends.tflite.opening import open_model

    return open_model(path)


def recognizes(_: Path, head: bytes) -> bool:
    """Return whether a file is a flatbuffer of TensorFlow Lite."""
    place, mark = HEAD
    return head[place] == mark


def copy_files(executable: Executable) -> Files:
    """Return the file that an executable runs."""
    return {FILE_NAME: executable.run.content}  # type: ignore[attr-defined]


TARGET = Target(
    name="tflite",
    suffix=".tflite",
    description="a TensorFlow Lite flatbuffer, stock ops only",
    options=TfliteOptions,
    legal=legal,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    simplifies=True,
    copy_files=copy_files,
)
