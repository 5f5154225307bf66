"""The target tfjs: a graph model of TensorFlow.js, `model.json` and weight shards.

Inputs and outputs have the graph's names; what a caller must know beside stands in model.json's
`userDefinedMetadata.sensenet`: the JSON form of the signature. In JavaScript it is
`model.predict({name: tensor})`, but `await model.executeAsync(…)` for a detector that suppresses boxes,
which it does in a loop: see docs/tfjs.md.

Options: `quantize`, one of none, float16, uint8 and uint16, is how the kernels of dense and convolutional
layers are stored (they are float32 again once they are loaded); `shard_size`, in bytes, is the most that a
weight file holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends import Backend
from sensenet.backends.options import check_options
from sensenet.backends.tfjs.convert import METADATA_KEY, MODEL_FILE, QUANTIZATIONS, SHARD_SIZE, convert
from sensenet.backends.tfjs.emit import LEGAL
from sensenet.backends.tfjs.running import make_executable
from sensenet.errors import ArtifactError, UnknownTargetError
from sensenet.files.destinations import Layout
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph

OPTIONS = ("quantize", "shard_size")


LAYOUT = Layout(
    names=re.compile(r"model\.json|group\d+-shard\d+of\d+\.bin"),
    mark=MODEL_FILE,
    content=f'"{METADATA_KEY}":'.encode(),
)


def build(graph: Graph, report: Report, options: Mapping[str, Any]) -> Artifact:
    """The graph as a directory of files."""
    check_options("tfjs", options, OPTIONS)
    quantize, shard_size = options.get("quantize", "none"), options.get("shard_size", SHARD_SIZE)
    if quantize not in QUANTIZATIONS:
        raise UnknownTargetError(f"quantize is {quantize!r}; expected one of {', '.join(QUANTIZATIONS)}")
    if type(shard_size) is not int or shard_size < 1:
        raise UnknownTargetError(f"shard_size is {shard_size!r}; expected a positive number of bytes")
    files = convert(graph, quantize, shard_size)
    return Artifact(target="tfjs", graph=graph, report=report, produce=lambda: files, layout=LAYOUT)


def load(artifact: Artifact) -> Executable:
    """Run an artifact, in TensorFlow."""
    return make_executable(artifact.files, "the artifact")


def open(path: Path) -> Executable:
    """Run a saved directory, or its model.json, in TensorFlow: it is the same graph with the same weights.

    Raises ArtifactError for one that is damaged, or that sensenet did not write.
    """
    root = path if path.is_dir() else path.parent
    files = {MODEL_FILE: read_file(root / MODEL_FILE)}
    for name in _shards(files[MODEL_FILE], str(path)):
        if Path(name).name != name:
            raise ArtifactError(f"{path}: the weight file {name!r} is not in the directory itself")
        files[name] = read_file(root / name)
    return make_executable(files, str(path))


def _shards(model: bytes, where: str) -> list[str]:
    """The names of the weight files that a model.json lists."""
    try:
        return [str(name) for group in json.loads(model)["weightsManifest"] for name in group["paths"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{where}: {MODEL_FILE} is no graph model ({error})") from error


BACKEND = Backend(legal=LEGAL, build=build, load=load, open=open, simplifies=True)
