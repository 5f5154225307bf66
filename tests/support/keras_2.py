"""Tests of what runs in either Keras: `tf.keras` is decided when TensorFlow is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEGACY = "TF_USE_LEGACY_KERAS"
IS_LEGACY = os.environ.get(LEGACY) == "1"

only_under_keras_3 = pytest.mark.skipif(IS_LEGACY, reason="this is the other Keras")


def run_under_keras_2(file: str, *arguments: str) -> None:
    """The tests of a file pass in a process of its own, with Keras 2."""
    pytest.importorskip("tf_keras")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments, "-p", "no:cacheprovider", file],
        env=os.environ | {LEGACY: "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:]
