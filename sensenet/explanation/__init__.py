"""Explains answers: contributions of fields, importance, what-if curves, maps of images.

docs/explanation.md has the definitions.
"""

from __future__ import annotations

from sensenet.explanation.attribution import Contributions, contributions
from sensenet.explanation.background import Background, make_background
from sensenet.explanation.curves import Curve, what_if
from sensenet.explanation.importance import Importance, mean_contributions, permutation_importance
from sensenet.explanation.occlusion import OcclusionMap, occlusion_map

__all__ = [
    "Background",
    "Contributions",
    "Curve",
    "Importance",
    "OcclusionMap",
    "contributions",
    "make_background",
    "mean_contributions",
    "occlusion_map",
    "permutation_importance",
    "what_if",
]
