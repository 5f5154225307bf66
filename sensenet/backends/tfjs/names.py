"""Names in a graph model of TensorFlow.js: of the file, and of its members."""

from __future__ import annotations

MODEL_FILE = "model.json"

TOPOLOGY = "modelTopology"
MANIFEST = "weightsManifest"
METADATA = "userDefinedMetadata"
METADATA_KEY = "sensenet"
OUTPUT_NAMES = "structuredOutputKeys"
"""A member of the metadata by which TensorFlow.js names the outputs of `predict`."""
