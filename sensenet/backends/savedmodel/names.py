"""Names of files in a SavedModel's directory."""

from __future__ import annotations

MODEL_FILE = "saved_model.pb"
SIGNATURE_FILE = "assets/sensenet.json"
SETTINGS_FILE = "assets/settings.json"
