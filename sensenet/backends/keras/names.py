"""Names of a saved Keras model: of the file and of its members."""

from __future__ import annotations

SUFFIX = ".keras"
FILE_NAME = f"model{SUFFIX}"

CONFIGURATION, SIGNATURE = "config.json", "sensenet.json"
"""The members with Keras' configuration, and with the signature."""
