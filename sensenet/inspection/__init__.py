"""What models are and cost, and what differs between two."""

from sensenet.inspection.inspector import inspect
from sensenet.inspection.report import Inspection

__all__ = ["Inspection", "inspect"]
