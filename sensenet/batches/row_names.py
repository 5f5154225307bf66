"""Names rows by what is kept of them, for engines whose rows have no order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensenet.batches.arrow import RecordBatch
from sensenet.runtime.cells import LONGEST_TEXT, describe


def name_row(batch: RecordBatch, row: int, keep: Sequence[str]) -> str:
    """Return ` (id=7, day='Monday')`: the cells of a row that are kept; empty if none are."""
    cells = [f"{name}={_describe(batch.column(name)[row].as_py())}" for name in keep]
    return f" ({', '.join(cells)})" if cells else ""


def _describe(cell: Any) -> str:
    if isinstance(cell, str) and len(repr(cell)) > LONGEST_TEXT:
        return repr(f"…{cell[-LONGEST_TEXT:]}")  # the end distinguishes paths
    return describe(cell)
