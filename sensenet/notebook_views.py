"""How objects of lower rooms show themselves in notebooks: by functions of rooms above, named here alone."""

from __future__ import annotations

import importlib
from typing import Any

VIEWS = {
    "show_graph": "sensenet.facts.notebooks",
    "draw_small": "sensenet.facts.notebooks",
    "show_artifact": "sensenet.facts.notebooks",
    "show_detections": "sensenet.models.notebooks",
    "draw_detections": "sensenet.models.notebooks",
}
"""The function that makes a view of a value → its module, imported when a notebook shows the value."""


def make_view(name: str, value: Any) -> Any:
    """Return what the function of that name makes of a value: HTML, SVG, or the bytes of a PNG image."""
    return getattr(importlib.import_module(VIEWS[name]), name)(value)
