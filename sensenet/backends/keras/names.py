"""Names of the file of a saved Keras model and of its members."""

from __future__ import annotations

SUFFIX = ".keras"
FILE_NAME = f"model{SUFFIX}"

CONFIGURATION, SIGNATURE = "config.json", "sensenet.json"
"""The names of the members with Keras' configuration and with the signature."""
