"""What the tests of downloads share."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "resnet18_weights_cb5ddcb5.h5"
BROKEN_OFF = 200_000
"""Bytes after which a download breaks off."""

ATTEMPTS = 4

SOON = 120
"""Seconds within which another process or thread has surely begun, on a slow and busy machine too."""


def left_in(directory: Path) -> list[str]:
    """Return the names of the files in a directory."""
    return sorted(os.listdir(directory))
