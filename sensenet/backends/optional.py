"""Importing the optional packages, with an error that says how to get one that is missing."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from sensenet.backends.foreign_errors import first_line
from sensenet.backends.silence import silence
from sensenet.errors import BrokenPackageError, MissingPackageError, ProcessError
from sensenet.forks import delay_forks, generation


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


def import_tensorflow(purpose: str) -> Any:
    """Return TensorFlow, imported with as few log lines as possible: see `silence`.

    TF_CPP_MIN_LOG_LEVEL stays as a caller has set it. Raises MissingPackageError, and ProcessError as
    `require_unforked` does.
    """
    tf = _import_quietly(purpose)
    if not _generation_of_use:
        _generation_of_use.append(generation())
    require_unforked()
    return tf


def import_tensorflow_lite(purpose: str) -> Any:
    """Return TensorFlow's own package of TensorFlow Lite, which also works in forked processes."""
    return _import_quietly(purpose).lite


def require_unforked() -> None:
    """Raise ProcessError if TensorFlow was used here before this process was forked.

    It would wait forever for its threads, which the child does not have.
    """
    if _generation_of_use and _generation_of_use[0] != generation():
        raise ProcessError(
            "TensorFlow was used before this process was forked, and does not work here: start processes "
            "with the method spawn, or choose the engine numpy or tflite"
        )


_generation_of_use: list[int] = []
"""How many forks were before TensorFlow's first use; empty until then."""


def _import_quietly(purpose: str) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        return import_package("tensorflow", "tensorflow", purpose)
    with silence("tensorflow", "absl"):
        return import_package("tensorflow", "tensorflow", purpose)
