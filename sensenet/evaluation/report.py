"""What an evaluation returns."""

from __future__ import annotations

from typing import Any

from sensenet.evaluation.results import Evaluations
from sensenet.records import frozen


@frozen(kw_only=True)
class EvaluationReport(Evaluations):
    """The evaluations of some models on the same rows or images.

    `comparisons` are those of each later model with the first one. `truth` is the column of true values, or
    the name of the annotations. `rows` are all that were read, of which `rows_without_truth` have no true
    value, or none that can be read, and count for nothing else. `notes` say what limits the measures.
    """

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON; each `result` has the structure and names of BigML's evaluations."""
        from sensenet.evaluation.to_json import report_json

        return report_json(self)

    def to_text(self) -> str:
        """Return the report as lines of text."""
        from sensenet.evaluation.to_text import report_text

        return report_text(self)

    def to_html(self) -> str:
        """Return the report as a page with plots, which loads nothing."""
        from sensenet.evaluation.html.page import report_page

        return report_page(self)
