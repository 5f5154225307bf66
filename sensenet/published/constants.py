"""Words and defaults of BigML documents, under the names that clients of the published package import."""

from __future__ import annotations

from sensenet.settings import DEFAULT_MAX_OBJECTS, DEFAULT_THRESHOLD
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT

NUMERIC = "numeric"
CATEGORICAL = "categorical"
IMAGE = "image"
BOUNDING_BOX = "bounding_box"
TRIPLET = "triplet"
"""Types of columns and of objectives."""

MEAN = "mean"
STANDARD_DEVIATION = "stdev"
ZERO = "zero_value"
ONE = "one_value"
"""The statistics of a numeric column."""

WARP = "warp"
PAD = "pad"
CROP = "crop"
"""The values of `rescale_type`."""

NUMERIC_INPUTS = NUMERIC_INPUT
PIXEL_INPUTS = PIXEL_INPUT
"""The names of a model's input tensors."""

SCORE_THRESHOLD = DEFAULT_THRESHOLD
IGNORE_THRESHOLD = DEFAULT_THRESHOLD
IOU_THRESHOLD = DEFAULT_THRESHOLD
MAX_OBJECTS = DEFAULT_MAX_OBJECTS
"""Defaults of detectors' settings."""

LEAKY_RELU_ALPHA = 0.1
"""The slope of `leaky_relu` below 0."""
