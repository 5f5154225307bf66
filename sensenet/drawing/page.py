"""Writes HTML pages that load nothing: their policy allows only their own style and script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from pathlib import Path

from sensenet.drawing.captions import printable

COLORS = (Path(__file__).parent / "colors.css").read_text("utf-8")
"""The colors of all pages, light and dark."""


def read_style(path: Path) -> str:
    """Return the style of a page: the colors of all pages, and the file's rules."""
    return f"\n{COLORS}{path.read_text('utf-8')}"


def write_page(title: str, style: str, body: Iterable[str], script: str = "") -> str:
    """Return a page of a title in plain text, and of lines of HTML without style attributes."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape_text(title)}</title>",
            f"<style>{style}</style>",
            *body,
            *([f"<script>{script}</script>"] if script else []),
            "</html>",
            "",
        ]
    )


def escape_text(text: str) -> str:
    """Return text escaped for an element or attribute, of HTML or SVG."""
    return escape(printable(text))


def _policy(style: str, script: str) -> str:
    scripts = f"; script-src {hash_source(script)}" if script else ""
    return f"default-src 'none'; img-src data:; style-src {hash_source(style)}{scripts}"


def hash_source(text: str) -> str:
    """Return the hash by which a content security policy allows a script or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
