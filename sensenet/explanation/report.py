"""All that is explained of one model at once: what a page shows, and JSON has."""

from __future__ import annotations

from typing import Any

from sensenet.explanation.attribution import Contributions
from sensenet.explanation.curves import Curve
from sensenet.explanation.importance import Importance
from sensenet.models.deepnet import Deepnet
from sensenet.records import frozen


@frozen(kw_only=True, eq=False)
class Report:
    """The contributions to an answer and the curves of its fields, the importance of fields, or both.

    `output` is the position of the class that is shown.
    """

    model: Deepnet
    title: str
    output: int
    contributions: Contributions | None
    curves: tuple[Curve, ...]
    importance: Importance | None

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        found = self.contributions
        return {
            "model": self.title,
            **({"output": found.outputs[self.output], "row": found.to_json()} if found else {}),
            **({"what_if": [curve.to_json() for curve in self.curves]} if self.curves else {}),
            **({"importance": self.importance.to_json()} if self.importance else {}),
        }
