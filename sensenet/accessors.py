"""Names of `sensenet.published.accessors`, under their path in the published package."""

from __future__ import annotations

from sensenet.published.accessors import (
    get_image_shape,
    get_image_tensor_shape,
    get_output_exposition,
    is_yolo_model,
    number_of_classes,
    yolo_outputs,
)

__all__ = [
    "get_image_shape",
    "get_image_tensor_shape",
    "get_output_exposition",
    "is_yolo_model",
    "number_of_classes",
    "yolo_outputs",
]
