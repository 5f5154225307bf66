"""What models are and cost, and what differs between two."""

from sensenet.inspection.differ import diff
from sensenet.inspection.difference import Difference
from sensenet.inspection.inspector import inspect
from sensenet.inspection.report import Inspection

__all__ = ["Difference", "Inspection", "diff", "inspect"]
