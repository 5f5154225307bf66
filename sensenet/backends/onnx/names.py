"""What files of ONNX are called, and what is the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping

FILE_NAME = "model.onnx"

PRODUCER = "sensenet"

METADATA_KEY = "sensenet"
"""The key of `metadata_props` whose value is the JSON form of the signature."""

IR_VERSIONS: Mapping[int, int] = {18: 8, 19: 9, 20: 9, 21: 10}
"""The operator sets that are written, and the version of the file format that came with each.

Older sets have other inputs for reductions; a newer one would say the same, to fewer runtimes.
"""

INPUTS_KEY = "sensenet.inputs"
"""The key whose value lists the inputs of fields: `name`, `cell`, `label` and the names of its `cells`."""

PROBABILITIES = "probabilities"
LABEL = "label"
LABELS = "labels"
"""The outputs of a file with an input for each field, besides those of the graph."""

MACHINE_LEARNING = "ai.onnx.ml"
MACHINE_LEARNING_VERSION = 3
"""The domain of LabelEncoder, which looks categories up, and its version: that of the oldest operator set."""
