"""The number of processors for threads."""

from __future__ import annotations

import os

VARIABLE = "OMP_NUM_THREADS"
"""The most threads of a process. Spark, Ray and Dask set it for their workers, which share a machine."""


def usable_processors() -> int:
    """Return the number of processors that this process may use, at most OMP_NUM_THREADS if that is set."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get(VARIABLE, "").split(",")[0].strip()[:9]  # of several numbers, the first is meant
    return min(found, int(limit)) if limit.isdecimal() and int(limit) else found
