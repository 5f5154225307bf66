"""The interface of a model to its callers: columns, fields, classes, settings."""

from __future__ import annotations

from sensenet.signature.columns import (
    LARGEST_INTEGER,
    STATISTICS,
    CategoricalColumn,
    Column,
    ImageColumn,
    ImageInput,
    NumericColumn,
    RescaleType,
    describe_column,
)
from sensenet.signature.fields import (
    ALL,
    FULL_TERMS_ONLY,
    TOKEN_MODES,
    TOKENS_ONLY,
    Booleans,
    Encoding,
    Field,
    Items,
    Number,
    Terms,
)
from sensenet.signature.signature import (
    BOXES,
    CLASSES,
    DETECTOR_OUTPUTS,
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    SCORES,
    VALID,
    ModelKind,
    Signature,
)
from sensenet.signature.summaries import Summary

__all__ = [
    "ALL",
    "BOXES",
    "CLASSES",
    "DETECTOR_OUTPUTS",
    "FULL_TERMS_ONLY",
    "LARGEST_INTEGER",
    "NUMERIC_INPUT",
    "PIXEL_INPUT",
    "PREDICTIONS",
    "SCORES",
    "STATISTICS",
    "TOKENS_ONLY",
    "TOKEN_MODES",
    "VALID",
    "Booleans",
    "CategoricalColumn",
    "Column",
    "Encoding",
    "Field",
    "ImageColumn",
    "ImageInput",
    "Items",
    "ModelKind",
    "Number",
    "NumericColumn",
    "RescaleType",
    "Signature",
    "Summary",
    "Terms",
    "describe_column",
]
