"""The measures of a result that reports show first, under their names in BigML's evaluations."""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.evaluation.classification import Classification, Measures
from sensenet.evaluation.detection import Detection
from sensenet.evaluation.regression import Errors, Regression
from sensenet.evaluation.results import Result
from sensenet.records import frozen

RANKINGS = {
    "area_under_roc_curve": "roc_error",
    "area_under_pr_curve": "pr_error",
    "ks_statistic": "ks_error",
    "max_phi": "phi_error",
    "kendalls_tau_b": "tau_error",
    "spearmans_rho": "rho_error",
}
"""The measures of Curves, and the names of the bounds on their errors."""


@frozen
class Overview:
    """The measures of a model by name, and those of its baselines."""

    measures: Mapping[str, float | None]
    baselines: Mapping[str, Mapping[str, float | None]]


def make_overview(result: Result) -> Overview:
    """Return the most important measures."""
    match result:
        case Classification():
            more = {
                **average_rankings(result),
                "log_loss": result.log_loss,
                "brier_score": result.brier_score,
                "expected_calibration_error": result.calibration.expected_error,
            }
            return Overview(
                measures=average_measures(result.model) | more,
                baselines={"mode": average_measures(result.mode), "random": average_measures(result.random)},
            )
        case Regression():
            more = {"root_mean_squared_error": result.model.root_mean_squared_error, "bias": result.bias}
            return Overview(
                measures=_errors(result.model) | more,
                baselines={"mean": _errors(result.mean), "random": _errors(result.random)},
            )
        case Detection():
            measures = {
                "mAP@.5:.95": result.mean_average_precision,
                "mAP@.5": result.at(0.5),
                "mAP@.75": result.at(0.75),
            }
            return Overview(measures=measures, baselines={})


def average_measures(measures: Measures) -> dict[str, float | None]:
    """Return the accuracy of a classifier, and the means of the other measures over classes."""
    return {
        "accuracy": measures.accuracy,
        "average_precision": measures.average_precision,
        "average_recall": measures.average_recall,
        "average_f_measure": measures.average_f_measure,
        "average_phi": measures.average_phi,
    }


def average_rankings(result: Classification) -> dict[str, float | None]:
    """Return the means over classes of the measures of how the model ranks rows."""
    return {f"average_{name}": result.average(name) for name in RANKINGS}


def _errors(errors: Errors) -> dict[str, float | None]:
    return {
        "mean_absolute_error": errors.mean_absolute_error,
        "mean_squared_error": errors.mean_squared_error,
        "r_squared": errors.r_squared,
    }
