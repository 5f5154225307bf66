"""The targets: one literal table. A backend's module is imported when its target is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from sensenet.artifact import Artifact, Executable, Report
from sensenet.errors import UnknownTargetError
from sensenet.forks import delay_forks
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal


@frozen(kw_only=True)
class Backend:
    """How one target is made, and run again in its own runtime.

    `legal` says which nodes `build` takes (usually those of the ops of an emit table); others are lowered
    first. `build(graph, report, options)` gives the artifact; it raises UnknownTargetError for an option
    that the target does not document. `load(artifact)` runs it in memory, `open(path)` from a saved file;
    both raise ArtifactError for what they cannot run. A package that is not installed raises
    MissingPackageError. `level` is the optimization level of a target that has only one. `rows` is how many
    rows its callers send at a time, by and large: forests are lowered for so many. `read_graph(path)` returns
    the graph that a saved file keeps, None if it keeps none, without loading anything else of the file.
    `simplifies` says that the lowered graph may be simplified further, because nobody looks for the network's
    layers in it.
    """

    legal: Legal
    build: Callable[[Graph, Report, Mapping[str, Any]], Artifact]
    load: Callable[[Artifact], Executable]
    open: Callable[[Path], Executable]
    level: int | None = None
    rows: int = 1
    read_graph: Callable[[Path], Graph | None] | None = None
    simplifies: bool = False


@frozen(kw_only=True)
class Target:
    """A line of the table: the module that holds `BACKEND`, what it makes, and how names of its files end."""

    module: str
    description: str
    suffix: str


TARGETS: Mapping[str, Target] = {
    "ir": Target(
        module="sensenet.backends.interpreter.ir",
        description="the graph as text, with its weights in an .npz file beside",
        suffix=".ir",
    ),
    "numpy": Target(
        module="sensenet.backends.interpreter.numpy",
        description="one .npz file that predicts without TensorFlow",
        suffix=".npz",
    ),
    "keras": Target(
        module="sensenet.backends.keras",
        description="a tf.keras.Model, saved as .keras; trainable at -O0",
        suffix=".keras",
    ),
    "savedmodel": Target(
        module="sensenet.backends.savedmodel",
        description="a TensorFlow SavedModel, also with named cells as inputs",
        suffix="_savedmodel",
    ),
    "smbundle": Target(
        module="sensenet.backends.smbundle",
        description="that SavedModel in one file",
        suffix=".smbundle",
    ),
    "tflite": Target(
        module="sensenet.backends.tflite",
        description="a TensorFlow Lite flatbuffer, stock ops only",
        suffix=".tflite",
    ),
    "tfjs": Target(
        module="sensenet.backends.tfjs",
        description="a TensorFlow.js graph model, model.json and weight shards",
        suffix="_tfjs",
    ),
    "h5": Target(
        module="sensenet.backends.keras.h5",
        description="the weights alone, in Keras' layout; as trained, at every -O",
        suffix=".h5",
    ),
}
"""Every target by its name."""


def load_backend(target: str) -> Backend:
    """The backend of a target; raises UnknownTargetError. Importing it imports no optional package."""
    if target not in TARGETS:
        raise UnknownTargetError(f"there is no target {target!r}; there are: {', '.join(TARGETS)}")
    with delay_forks():
        backend: Backend = importlib.import_module(TARGETS[target].module).BACKEND
    return backend
