"""Names in a directory of the target wasm: of its files, and of what they hold."""

from __future__ import annotations

MODULE_FILE = "model.wasm"
SCRIPT_FILE = "model.js"
DECLARATIONS_FILE = "model.d.ts"
PACKAGE_FILE = "package.json"

HEAD = b"\0asm"
"""How a module begins."""

SECTION = "sensenet"
"""The custom section that describes the model, as JSON: the first of the module."""
