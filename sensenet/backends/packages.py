"""Importing the optional packages, with an error that says how to get one that is missing."""

from __future__ import annotations

import importlib
import os
from typing import Any

from sensenet.errors import MissingPackageError


def import_package(package: str, extra: str, purpose: str) -> Any:
    """The package; raises MissingPackageError, which names the extra that brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.split(".")[0]:
            raise
        raise MissingPackageError(package, extra, purpose) from error


def import_tensorflow(purpose: str) -> Any:
    """TensorFlow, without the log lines that it prints on stderr when it starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return import_package("tensorflow", "tensorflow", purpose)
