"""Explains answers: contributions of fields, importance, what-if curves, maps of images.

docs/explanation.md has the definitions.
"""

from __future__ import annotations

from sensenet.explanation.attribution import Contributions, contributions
from sensenet.explanation.background import Background, make_background

__all__ = ["Background", "Contributions", "contributions", "make_background"]
