"""The target keras: a functional `tf.keras.Model`, of Keras' own layers where Keras has them.

The version is that of `tf.keras`: Keras 3, or Keras 2 if TF_USE_LEGACY_KERAS=1 was set before TensorFlow was
imported. A layer has the name of its node. A model with one input takes a tensor, and one with several inputs
a dict by name; likewise for its outputs. Compiled at -O0, it is the network as trained, and can be trained
further.

A `.keras` file can be loaded by the Keras version that saved it. The signature is in the configuration of the
model's last layer, so a model that was trained further and saved by Keras itself can be opened too.

With the option `share_weights`, all images of a row go through the same layers, as in the document. Without
it, each goes through layers of its own, as in h5 files; training then makes their weights differ.
"""

from __future__ import annotations

from pathlib import Path

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends.keras.names import CONFIGURATION, FILE_NAME, SUFFIX
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.files.reading import ZIP_START
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal, every_op
from sensenet.ir.ops.dense import BatchedDense
from sensenet.ir.ops.tabular import EmbeddingSum, OneHot
from sensenet.records import frozen

BATCH = 10_000
"""The rows of a typical call, which decide how forests are lowered: a whole table, or a training batch."""

LOWERED = (OneHot, EmbeddingSum, BatchedDense)
"""The ops that are lowered: Keras has no layer for them, and lowering them does not change training."""


@frozen(kw_only=True)
class KerasOptions(Options):
    """How the layers of the model are made."""

    share_weights: bool = False
    """Send all images of a row through the same layers, as in the document, not each through its own."""


def legal() -> Legal:
    """Return all other ops: each layer of the network stays one, so that it trains, and h5 files fit."""
    return {op: accepts for op, accepts in every_op().items() if op not in LOWERED}


def build(graph: Graph, report: Report, options: KerasOptions) -> Artifact:
    """Return an artifact with the graph as a model, `artifact.model`; its file is written at first use."""
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
    """Load a saved file; raises ArtifactError if it is damaged, foreign, or of the other Keras version."""
    from sensenet.backends.keras.executable import open_model

    return open_model(path)


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is an archive of a Keras model; raises ArtifactError for a damaged archive."""
    if not head.startswith(ZIP_START):
        return False
    from sensenet.files.archives import read_member_names

    return CONFIGURATION in read_member_names(path)


def copy_files(executable: Executable) -> Files:
    """Return the file of the model with its current weights: it may have been trained."""
    from sensenet.backends.keras.executable import save_model

    return {FILE_NAME: save_model(executable.model)}


TARGET = Target(
    name="keras",
    suffix=SUFFIX,
    description="a tf.keras.Model, saved as .keras; trainable at -O0",
    options=KerasOptions,
    legal=legal,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    rows=BATCH,
    trainable=True,
    copy_files=copy_files,
)
