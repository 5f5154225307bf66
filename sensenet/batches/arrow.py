"""Imports pyarrow when it is needed, and names its classes in signatures."""

from __future__ import annotations

from typing import Any

from sensenet.optional_packages import import_package

RecordBatch = Any
"""A `pyarrow.RecordBatch`; like the names below it needs no pyarrow, which has no types to check either."""

Schema = Any
"""A `pyarrow.Schema`."""

DataType = Any
"""A `pyarrow.DataType`."""

ArrowArray = Any
"""A `pyarrow.Array`."""

ArrowField = Any
"""A `pyarrow.Field`."""


def import_arrow(module: str = "pyarrow") -> Any:
    """Return pyarrow, or one of its modules; raise MissingPackageError if it is not installed."""
    return import_package(module, "arrow", "reading and writing tables in batches")
