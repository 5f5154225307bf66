"""Names in a graph model of TensorFlow.js: of the file, and of its members."""

from __future__ import annotations

MODEL_FILE = "model.json"

TOPOLOGY = "modelTopology"
SIGNATURE = "signature"
MANIFEST = "weightsManifest"
METADATA = "userDefinedMetadata"

METADATA_KEY = "sensenet"
"""A member of the metadata: the JSON form of the signature."""

GRAPH_KEY = "sensenetGraph"
"""A member of the metadata: the graph that the topology was made of. See `graphs`."""

OUTPUT_NAMES = "structuredOutputKeys"
"""A member of the metadata by which TensorFlow.js names the outputs of `predict`."""

FUSED_OPS = "fused_ops"
"""The attribute of a fused operator that names its parts but the first."""

BIAS = "BiasAdd"
"""The part that adds a bias."""

NO_BIAS = "NoOp"
"""The part in its place in a fused operator without bias, as the converter of TensorFlow.js has it."""
