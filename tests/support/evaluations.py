"""What tests of evaluations share."""

from __future__ import annotations


def only(report):
    """The result of a report on one model."""
    (evaluation,) = report.evaluations
    return evaluation.result
