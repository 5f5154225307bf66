"""Formats addresses of files for messages."""

from __future__ import annotations

import re


def hide_credentials(url: str) -> str:
    """Return an address without its name and password, if any, for a message."""
    return re.sub(r"//.*@", "//***@", url)
