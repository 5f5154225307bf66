"""Imports TensorFlow, which is an optional package, quietly and in processes where it works."""

from __future__ import annotations

import os
import sys
from typing import Any

from sensenet.backends.silence import silence
from sensenet.errors import ProcessError
from sensenet.forks import generation
from sensenet.optional_packages import import_package


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
