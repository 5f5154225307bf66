"""Writes a report as JSON, in the structure and under the names of the `result` of BigML's evaluations.

Measures that BigML does not have, such as `log_loss`, are members like the others. Numbers that JSON lacks,
and measures that do not exist, are null. Curves have one of the points that fall together at a resolution of
1/256, or if there are more than 16 classes, at a coarser one, down to 1/16.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from sensenet.evaluation.calibration import Calibration
from sensenet.evaluation.classification import Classification, ClassStatistics, Measures
from sensenet.evaluation.curves import Curves, thin
from sensenet.evaluation.detection import DetectedClass, Detection
from sensenet.evaluation.histograms import Histogram
from sensenet.evaluation.objects import IOU_THRESHOLDS
from sensenet.evaluation.overview import RANKINGS, average_measures, average_rankings
from sensenet.evaluation.ratios import divide
from sensenet.evaluation.regression import Errors, Regression
from sensenet.evaluation.results import Comparison, Evaluation, Evaluations, Result
from sensenet.ir.types import Array
from sensenet.json_numbers import as_json

STEPS, ALL_STEPS = 256, 4096
"""The resolution of curves, and that of all classes together; each class has at least FEWEST_STEPS."""

FEWEST_STEPS = 16


def report_json(report: Evaluations) -> dict[str, Any]:
    """Return the report as objects, lists, texts and numbers of JSON."""
    record: dict[str, Any] = as_json(
        {
            "source": report.source,
            "truth": report.truth,
            "rows": report.rows,
            "rows_without_truth": report.rows_without_truth,
            "notes": list(report.notes),
            "evaluations": [_evaluation(each) for each in report.evaluations],
            "comparisons": [_comparison(each) for each in report.comparisons],
        }
    )
    return record


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "name": evaluation.name,
        "rows_without_answer": evaluation.rows_without_answer,
        "result": _result(evaluation.result),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    record = attrs.asdict(comparison)
    return record | {"interval": None if comparison.interval is None else list(comparison.interval)}


def _result(result: Result) -> dict[str, Any]:
    match result:
        case Classification():
            return _classification(result)
        case Regression():
            return _regression(result)
        case Detection():
            return _detection(result)


def _classification(result: Classification) -> dict[str, Any]:
    more = {
        **average_rankings(result),
        "log_loss": result.log_loss,
        "brier_score": result.brier_score,
        "calibration": _calibration(result.calibration),
    }
    return {
        "class_names": list(result.class_names),
        "model": _measures(result.model) | more,
        "mode": _measures(result.mode),
        "random": _measures(result.random),
    }


def _measures(measures: Measures) -> dict[str, Any]:
    steps = max(FEWEST_STEPS, min(STEPS, ALL_STEPS // max(len(measures.per_class_statistics), 1)))
    return {
        **average_measures(measures),
        "confusion_matrix": measures.confusion_matrix.tolist(),
        "per_class_statistics": [_class(each, steps) for each in measures.per_class_statistics],
    }


def _class(statistics: ClassStatistics, steps: int) -> dict[str, Any]:
    names = ("class_name", "accuracy", "precision", "recall", "f_measure", "phi_coefficient")
    return {
        **{name: getattr(statistics, name) for name in names},
        "present_in_test_data": statistics.present_in_test_data,
        "instances": statistics.instances,
        **(_curves(statistics.curves, steps) if statistics.curves else {}),
    }


def _curves(curves: Curves, steps: int) -> dict[str, Any]:
    thresholds = curves.thresholds.astype(float)
    infinite = np.concatenate([[np.inf], thresholds])  # nothing is positive: JSON has null
    return {
        **{name: _listed(getattr(curves, name)) for name in RANKINGS},
        **{f"{name}_error": getattr(curves, error) for name, error in RANKINGS.items()},
        "roc_curve": _points(*curves.roc(), infinite, steps),
        "pr_curve": _points(*curves.precision_recall(), thresholds, steps),
        "gain_curve": _points(*curves.gain(), infinite, steps),
        "lift_curve": _points(*curves.lift(), thresholds, steps),
        "negative_cdf": _points(*curves.negative_cdf(), infinite, steps),
        "per_threshold_confusion_matrices": _matrices(curves, thresholds, steps),
    }


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _points(x: Array, y: Array, thresholds: Array, steps: int) -> list[list[float]]:
    """Return [x, y, threshold] of each point."""
    chosen = thin(x, y, steps)
    points: list[list[float]] = np.stack([each[chosen] for each in (x, y, thresholds)], axis=1).tolist()
    return points


def _matrices(curves: Curves, thresholds: Array, steps: int) -> list[Any]:
    """Return [[[TP, FP], [FN, TN]], threshold] of each point of the ROC curve."""
    tp, fp = curves.true_positives, curves.false_positives
    fn, tn = curves.positives - tp, curves.negatives - fp
    chosen = thin(divide(tp, curves.positives), divide(fp, curves.negatives), steps)
    matrices = np.stack([tp, fp, fn, tn], axis=1)[chosen].reshape(-1, 2, 2).tolist()
    return [list(pair) for pair in zip(matrices, thresholds[chosen].tolist(), strict=True)]


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "expected_calibration_error": calibration.expected_error,
        "maximum_calibration_error": calibration.maximum_error,
        "rows": calibration.rows.tolist(),
        "mean_probability": calibration.mean_probability.tolist(),
        "accuracy": calibration.accuracy.tolist(),
    }


def _regression(result: Regression) -> dict[str, Any]:
    more = {"root_mean_squared_error": result.model.root_mean_squared_error, "bias": result.bias}
    return {
        "model": _errors(result.model) | more | {"residuals": _histogram(result.residuals)},
        "mean": _errors(result.mean),
        "random": _errors(result.random),
    }


def _errors(errors: Errors) -> dict[str, Any]:
    return attrs.asdict(errors)


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {"edges": histogram.edges().tolist(), "rows": histogram.counts.astype(int).tolist()}


def _detection(result: Detection) -> dict[str, Any]:
    model = {
        "mean_average_precision": result.mean_average_precision,
        "mean_average_precision_50": result.at(0.5),
        "mean_average_precision_75": result.at(0.75),
        "per_class_statistics": [_detected(each) for each in result.per_class_statistics],
    }
    return {"class_names": [each.class_name for each in result.per_class_statistics], "model": model}


def _detected(detected: DetectedClass) -> dict[str, Any]:
    names = ("class_name", "instances", "boxes", "average_precision", "precision", "recall", "f_measure")
    return {
        **{name: getattr(detected, name) for name in names},
        "average_precision_50": detected.at(0.5),
        "average_precision_75": detected.at(0.75),
        "average_precision_by_iou": {
            f"{threshold:.2f}": detected.at(threshold) for threshold in IOU_THRESHOLDS.tolist()
        },
    }
