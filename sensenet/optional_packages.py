"""Imports optional packages, with an error that says how to get one that is missing."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from sensenet.errors import BrokenPackageError, MissingPackageError
from sensenet.foreign_errors import first_line
from sensenet.forks import delay_forks


def import_package(package: str, extra: str, purpose: str) -> Any:
    """Return the package; raises MissingPackageError, which names the extra that brings it.

    That is a BrokenPackageError if the package is installed, and importing it raises something.
    """
    top = package.partition(".")[0]
    try:
        with delay_forks():
            return importlib.import_module(package)
    except Exception as error:  # each package fails in its own way
        blocked = sys.modules.get(top, top) is None  # as a program does that wants a package not imported
        if isinstance(error, ModuleNotFoundError) and (blocked or error.name == top):
            raise MissingPackageError(top, extra, purpose) from error
        raise BrokenPackageError(
            top, extra, purpose, f"{type(error).__name__}: {first_line(error)}"
        ) from error
