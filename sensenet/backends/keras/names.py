"""Names of the file of a saved Keras model and of its members."""

from __future__ import annotations

SUFFIX = ".keras"
FILE_NAME = f"model{SUFFIX}"

CONFIGURATION, METADATA = "config.json", "metadata.json"
"""The names of the members with Keras' configuration, and with its version and the signature."""

SIGNATURE = "sensenet"
"""The key of the signature in the metadata."""

EARLIER_MEMBER = "sensenet.json"
"""The name of the member that had the signature before the metadata did; such files are still opened."""
