"""Names of `sensenet.published.constants`, under their path in the published package."""

from __future__ import annotations

from sensenet.published.constants import (
    BOUNDING_BOX,
    CATEGORICAL,
    CROP,
    IGNORE_THRESHOLD,
    IMAGE,
    IOU_THRESHOLD,
    LEAKY_RELU_ALPHA,
    MAX_OBJECTS,
    MEAN,
    NUMERIC,
    NUMERIC_INPUTS,
    ONE,
    PAD,
    PIXEL_INPUTS,
    SCORE_THRESHOLD,
    STANDARD_DEVIATION,
    TRIPLET,
    WARP,
    ZERO,
)

__all__ = [
    "BOUNDING_BOX",
    "CATEGORICAL",
    "CROP",
    "IGNORE_THRESHOLD",
    "IMAGE",
    "IOU_THRESHOLD",
    "LEAKY_RELU_ALPHA",
    "MAX_OBJECTS",
    "MEAN",
    "NUMERIC",
    "NUMERIC_INPUTS",
    "ONE",
    "PAD",
    "PIXEL_INPUTS",
    "SCORE_THRESHOLD",
    "STANDARD_DEVIATION",
    "TRIPLET",
    "WARP",
    "ZERO",
]
