"""A network of the size that people have compiles in a bounded amount of memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.large_documents import write_document

GIGABYTE = 2**30


@pytest.mark.slow
@pytest.mark.tensorflow
def test_resnet50_with_explicit_weights_compiles_within_8_gigabytes(tmp_path):
    pytest.importorskip("tensorflow")
    document = tmp_path / "resnet50.json"
    write_document("resnet50", document)
    assert document.stat().st_size > 200e6
    command = [sys.executable, "-m", "sensenet.compile", str(document)]
    targets = ["-t", "tflite", "-t", "keras", "-o", str(tmp_path / "made")]
    process = subprocess.Popen([*command, *targets])
    _, status, usage = os.wait4(process.pid, 0)  # of this child alone
    process.returncode = status
    assert status == 0
    assert usage.ru_maxrss * 1024 < 8 * GIGABYTE
    assert (tmp_path / "made" / "resnet50.tflite").stat().st_size == pytest.approx(102e6, rel=0.03)
    assert (tmp_path / "made" / "resnet50.keras").stat().st_size == pytest.approx(102e6, rel=0.05)
