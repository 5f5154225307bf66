"""Addresses of files, for people."""

from __future__ import annotations

import re


def hide_credentials(url: str) -> str:
    """Return an address for people, without the name and password that it may have."""
    return re.sub(r"//.*@", "//***@", url)
