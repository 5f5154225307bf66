"""Models and their conversion, under their path in the published package."""

from __future__ import annotations

from sensenet.models.create import Source, create_image_feature_extractor, create_model
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.models.model import Model
from sensenet.published.wrappers import convert, tflite_predict

__all__ = [
    "Deepnet",
    "Model",
    "ObjectDetector",
    "Source",
    "convert",
    "create_image_feature_extractor",
    "create_model",
    "tflite_predict",
]
