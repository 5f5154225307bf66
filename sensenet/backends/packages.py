"""Importing the optional packages, with an error that says how to get one that is missing."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from sensenet.backends.quiet import silence
from sensenet.errors import MissingPackageError


def import_package(package: str, extra: str, purpose: str) -> Any:
    """The package; raises MissingPackageError, which names the extra that brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:
            raise
        raise MissingPackageError(package, extra, purpose) from error


def import_tensorflow(purpose: str) -> Any:
    """TensorFlow, without the log lines that it prints on stderr when it starts.

    Some lines heed TF_CPP_MIN_LOG_LEVEL, which a caller may have set, and some nothing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        return import_package("tensorflow", "tensorflow", purpose)
    with silence():
        return import_package("tensorflow", "tensorflow", purpose)
