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
