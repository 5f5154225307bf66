"""What headers are called, and how they begin."""

from __future__ import annotations

FILE_NAME = "model.h"

HEAD = "/* Made by sensenet for TensorFlow Lite Micro."
"""How a header begins."""
