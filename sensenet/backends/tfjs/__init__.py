"""The target tfjs: a graph model of TensorFlow.js, `model.json` and weight shards.

Inputs and outputs have the graph's names; `userDefinedMetadata.sensenet` of model.json is the JSON form of
the signature. It keeps the graph too, by which models run in the interpreter, without TensorFlow. Writing
needs the core alone. In JavaScript it is `model.predict({name: tensor})`, but `await model.executeAsync(…)`
for a detector that suppresses boxes, which it does in a loop: see docs/tfjs.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.static_shapes import StaticShapes
from sensenet.backends.target import Target, list_files
from sensenet.backends.tfjs.names import METADATA_KEY, MODEL_FILE
from sensenet.errors import ArtifactError
from sensenet.files.destinations import Layout
from sensenet.files.reading import read_file, read_head
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal
from sensenet.records import frozen

HEAD = re.compile(rb'\s*\{\s*"format"\s*:\s*"graph-model"')
"""How model.json begins."""

LAYOUT = Layout(
    names=re.compile(r"model\.json|group\d+-shard\d+of\d+\.bin"),
    mark=MODEL_FILE,
    content=f'"{METADATA_KEY}":'.encode(),
)

SHARD_SIZE = 4 * 1024 * 1024
"""Browsers cache files of up to 4 MiB readily."""

ROUNDING = {"none": 0.0, "float16": 1e-2, "uint16": 1e-2, "uint8": 0.1}


@frozen(kw_only=True)
class TfjsOptions(StaticShapes):
    """How weights are stored, and what sizes the model is made for."""

    quantize: Literal["none", "float16", "uint8", "uint16"] = "none"
    """How the kernels of dense and convolutional layers are stored; they are float32 again once loaded."""

    shard_size: int = SHARD_SIZE
    """The most bytes that a weight file holds."""

    @property
    def rounding(self) -> float:
        """Return the tolerance of answers, relative to the largest answer."""
        return ROUNDING[self.quantize]


def legal() -> Legal:
    """Return the nodes that are emitted."""
    from sensenet.backends.tfjs.emit import LEGAL

    return LEGAL


def build(graph: Graph, report: Report, options: TfjsOptions) -> Artifact:
    """Return the graph, with the weights that `quantize` leaves, as a directory of files."""
    from sensenet.backends.tfjs.convert import convert
    from sensenet.backends.tfjs.quantize import quantize

    made = quantize(graph, options.quantize)
    files = convert(made.graph, made.stored, options.shard_size)
    return Artifact(target="tfjs", graph=made.graph, report=report, produce=lambda: files, layout=LAYOUT)


def load(artifact: Artifact) -> Executable:
    """Run an artifact, in TensorFlow."""
    from sensenet.backends.tfjs.running import make_executable

    return make_executable(artifact.files, "the artifact")


def open(path: Path) -> Executable:
    """Run a saved directory, or its model.json, in TensorFlow: it is the same graph with the same weights.

    Raises ArtifactError for one that is damaged, or that sensenet did not write.
    """
    from sensenet.backends.tfjs.running import make_executable

    return make_executable(_read_files(path), str(path))


def read_graph(path: Path) -> Graph | None:
    """Return the graph that a saved directory, or its model.json, keeps; None if it keeps none.

    Raises ArtifactError for one that is damaged, or whose topology is no longer that of the graph.
    """
    from sensenet.backends.tfjs.graphs import read_graph

    return read_graph(_read_files(path), str(path))


def _read_files(path: Path) -> dict[str, bytes]:
    """Return the files of a model by name."""
    root = path if path.is_dir() else path.parent
    files = {MODEL_FILE: read_file(root / MODEL_FILE)}
    for name in _shards(files[MODEL_FILE], str(path)):
        if Path(name).name != name or not name.isprintable():
            raise ArtifactError(f"{path}: the weight file {name!r} is not in the directory itself")
        files[name] = read_file(root / name)
    return files


def _shards(model: bytes, where: str) -> list[str]:
    """Return the names of the weight files that a model.json lists."""
    try:
        return [str(name) for group in json.loads(model)["weightsManifest"] for name in group["paths"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{where}: {MODEL_FILE} is not a graph model ({error})") from error


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is a graph model's model.json, or a directory has one."""
    return HEAD.match(read_head(path / MODEL_FILE) if path.is_dir() else head) is not None


def list_model_files(path: Path) -> Iterable[Path]:
    """Return the files of a directory; of a model.json, those next to it that may hold weights as well."""
    return list_files(path) if path.is_dir() else [path, *sorted(path.parent.glob("*.bin"))]


TARGET = Target(
    name="tfjs",
    suffix="_tfjs",
    description="a TensorFlow.js graph model, model.json and weight shards",
    options=TfjsOptions,
    legal=legal,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    simplifies=True,
    interpreted=True,
    read_graph=read_graph,
    list_files=list_model_files,
)
