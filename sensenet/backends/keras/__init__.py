"""The target keras: a functional `tf.keras.Model`, of real Keras layers if Keras has them.

It follows `tf.keras`: Keras 3, or Keras 2 if TF_USE_LEGACY_KERAS=1 was set before TensorFlow was imported. A
layer has the name of its node. A model of one input takes a tensor, one of several takes a dict by name;
likewise its outputs. Made at -O0 it is the network as trained, and can be trained further.

A `.keras` file can be loaded by the Keras that saved it. The signature travels in the configuration of the
model's last layer, so a model that was trained further and saved by Keras itself can be opened as well.

With the option `share_weights`, the images of a row go through layers that they share, as in the document;
without it through layers of their own, as in h5 files, which training makes differ.
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends.keras.names import CONFIGURATION, FILE_NAME, SUFFIX
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.files.reading import ZIP_START, read_member_names
from sensenet.ir.graph import Graph
from sensenet.ir.legality import all_of
from sensenet.ir.ops.dense import BatchedDense
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.ops.tabular import EmbeddingSum, OneHot

BATCH = 10_000
"""Rows that Keras is mostly called with: those of a batch in training, or of a whole table."""

LOWERED = (OneHot, EmbeddingSum, BatchedDense)
"""The ops of which Keras has neither a layer, nor would be trained otherwise for keeping them."""

LEGAL = all_of(*(op for op in OP_CLASSES if op not in LOWERED))
"""Nearly all: a layer of the network stays one, so that it can be trained, and h5 files fit."""


@frozen(kw_only=True)
class KerasOptions(Options):
    """How the layers of the model are made."""

    share_weights: bool = False
    """Send all images of a row through the same layers, as in the document, not each through its own."""


def build(graph: Graph, report: Report, options: KerasOptions) -> Artifact:
    """Return the graph as a model, in `artifact.model`. The file is written when it is first asked for."""
    from sensenet.backends.keras.executable import make_model, save_model

    model = make_model(graph, report.level, share_weights=options.share_weights)
    return Artifact(
        target="keras",
        graph=graph,
        report=report,
        produce=lambda: {FILE_NAME: save_model(model)},
        model=model,
    )


def load(artifact: Artifact) -> Executable:
    """Run the artifact's model."""
    from sensenet.backends.keras.executable import load_model

    return load_model(artifact)


def open(path: Path) -> Executable:
    """Load a saved file; raises ArtifactError for one that is damaged, or not of sensenet and this Keras."""
    from sensenet.backends.keras.executable import open_model

    return open_model(path)


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is an archive with a model; raises ArtifactError for a damaged archive."""
    return head.startswith(ZIP_START) and CONFIGURATION in read_member_names(path)


def copy_files(executable: Executable) -> Files:
    """Return the file of the model with the weights that it has now: it may have been trained."""
    from sensenet.backends.keras.executable import save_model

    return {FILE_NAME: save_model(executable.model)}


TARGET = Target(
    name="keras",
    suffix=SUFFIX,
    description="a tf.keras.Model, saved as .keras; trainable at -O0",
    options=KerasOptions,
    legal=lambda: LEGAL,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    rows=BATCH,
    trainable=True,
    copy_files=copy_files,
)
