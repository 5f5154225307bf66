"""Names in what the target web makes: of its files, and of what tells them from other pages."""

from __future__ import annotations

PAGE_FILE = "index.html"
SINGLE_FILE = "page.html"
STYLE_FILE = "page.css"
SCRIPT_FILE = "page.js"
MODULE_FILE = "page.wasm"

TOPOLOGY_FILE = "page.json"
WEIGHTS_FILE = "page.bin"
"""Of a model of images: the network and its weights."""

MARK = b"<!doctype html>\n<!-- sensenet web -->"
"""How every page begins."""


def is_absolute(address: str) -> bool:
    """Return whether an address of the web names a server."""
    return address.startswith(("http://", "https://"))
