"""Measures how good models are on rows or images whose answers are known, as BigML's evaluations do."""

from __future__ import annotations

from sensenet.evaluation.calibration import Calibration
from sensenet.evaluation.classification import Classification, ClassStatistics, Measures
from sensenet.evaluation.comparison import ClassComparison, DetectionComparison, NumberComparison
from sensenet.evaluation.curves import Curves
from sensenet.evaluation.detection import DetectedClass, Detection
from sensenet.evaluation.evaluate import evaluate
from sensenet.evaluation.histograms import Histogram
from sensenet.evaluation.regression import Errors, Regression
from sensenet.evaluation.report import EvaluationReport
from sensenet.evaluation.results import Evaluation

__all__ = [
    "Calibration",
    "ClassComparison",
    "ClassStatistics",
    "Classification",
    "Curves",
    "DetectedClass",
    "Detection",
    "DetectionComparison",
    "Errors",
    "Evaluation",
    "EvaluationReport",
    "Histogram",
    "Measures",
    "NumberComparison",
    "Regression",
    "evaluate",
]
