"""The target tflite: a TensorFlow Lite flatbuffer of builtin ops, for any batch size.

If inputs are NaN, it answers as the interpreter of graphs does, except that `Maximum` and `Minimum` of two
computed tensors may return the operand that is not NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends.options import Positive, Share
from sensenet.backends.static_shapes import StaticShapes, in_batches
from sensenet.backends.target import Target
from sensenet.errors import UnknownTargetError
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal
from sensenet.ir.types import Array
from sensenet.records import frozen

if TYPE_CHECKING:
    from sensenet.ir.layer_costs import LayerFacts
    from sensenet.passes.quantization.budget import Budget, Choice

FILE_NAME = "model.tflite"

HEAD = slice(4, 8), b"TFL3"
"""Where a flatbuffer names its format, and how."""

ROUNDING = {
    "none": 0.0,
    "float16": 1e-2,
    "weights": 0.1,
    "weights4": 0.4,
    "dynamic": 0.1,
    "int8": 0.2,
    "int8x16": 0.1,
    "auto": 0.2,
}

CALIBRATED = ("int8", "int8x16", "auto")
"""The values of `quantize` that need calibration rows."""

MAX_DIFFERENCE = 0.01
"""The budget of `auto` if none is given."""


@frozen(kw_only=True)
class TfliteOptions(StaticShapes):
    """How layers are stored (see `quantize`)."""

    quantize: Literal["none", "float16", "weights", "weights4", "dynamic", "int8", "int8x16", "auto"] = "none"
    """How the kernels of layers, and with int8 and int8x16 what is between layers, are stored; weights4 are
    int4 weights, auto is int8 within a budget."""

    max_difference: Positive | None = None
    """The budget of auto: the most by which an answer to a calibration row may change; 0.01 if no budget is
    given."""

    min_agreement: Share | None = None
    """The budget of auto: the least share of calibration rows with the same class, or boxes of the same
    classes."""

    calibration: Sequence[Mapping[str, Array]] = ()
    """Rows to choose scales from: `calibration=` or `--calibration`."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for name in ("max_difference", "min_agreement"):
            if getattr(self, name) is not None and self.quantize != "auto":
                raise UnknownTargetError(
                    f"the option {name} is a budget of quantize='auto', but quantize is {self.quantize!r}: "
                    "give auto, or leave the budget out"
                )

    @property
    def rounding(self) -> float:
        """Return the tolerance of answers, relative to the largest answer."""
        return ROUNDING[self.quantize]

    @property
    def needs_calibration(self) -> bool:
        """Return whether the target must have calibration rows."""
        return self.quantize in CALIBRATED

    @property
    def budget(self) -> Budget:
        """Return what auto may change."""
        from sensenet.passes.quantization.budget import Budget

        no_budget = self.max_difference is None and self.min_agreement is None
        return Budget(
            max_difference=MAX_DIFFERENCE if no_budget else self.max_difference,
            min_agreement=self.min_agreement,
        )


def legal() -> Legal:
    """Return the nodes that are emitted."""
    from sensenet.backends.tflite.emit import LEGAL

    return LEGAL


def build(graph: Graph, report: Report, options: TfliteOptions) -> Artifact:
    """Return the graph as one .tflite file, which is converted at once.

    Raises UnknownTargetError for min_agreement if answers name no classes.
    """
    from sensenet.backends.tflite.metadata import write_file

    chosen, report = apply_options(graph, report, options)
    content = write_file(make_tree(chosen, options), chosen)
    return Artifact(target="tflite", graph=chosen, report=report, produce=lambda: {FILE_NAME: content})


def apply_options(graph: Graph, report: Report, options: TfliteOptions) -> tuple[Graph, Report]:
    """Return the graph that is written, quantized if the options say so, and the report on its layers.

    Raises as `build` does.
    """
    from sensenet.passes.quantization.rewriting import quantize_graph

    if not options.needs_calibration:
        return graph, report
    feeds = [*in_batches(options.calibration, options.batch)]
    if options.quantize != "auto":
        return quantize_graph(graph, feeds, bits=16 if options.quantize == "int8x16" else 8), report
    choice = _choose_layers(graph, feeds, options.budget)
    return choice.graph, attrs.evolve(report, layers=choice.layers)


def _choose_layers(graph: Graph, feeds: Sequence[Mapping[str, Array]], budget: Budget) -> Choice:
    from sensenet.passes.quantization.answers import has_decisions
    from sensenet.passes.quantization.budget import quantize_within
    from sensenet.progress import STEPS, progress_bar

    if budget.min_agreement is not None and not has_decisions(graph):
        raise UnknownTargetError(
            "min_agreement counts rows of the same class, but the answers of this model name none: "
            "give max_difference instead"
        )
    with progress_bar("measuring the effects of layers", STEPS) as show:
        return quantize_within(graph, feeds, budget, show)


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


def read_layers(path: Path) -> Sequence[LayerFacts]:
    """Return the operators of a saved file, which `open` has opened."""
    from sensenet.backends.tflite.stored_layers import read_layers as read

    return read(path)


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
    read_layers=read_layers,
)
