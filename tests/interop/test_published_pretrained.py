"""A pretrained classifier and a detector exchanged with the published package, where there is one."""

from __future__ import annotations

import os

import pytest
from interop.published_h5 import VARIABLE
from interop.published_pretrained import exchange

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set"),
]


def test_both_answer_the_same_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGML_SENSENET_CACHE_PATH", "")  # restored afterwards: the exchange sets it
    outcomes = exchange(os.environ[VARIABLE], ["mobilenetv2", "tinyyolov4"], tmp_path)
    assert [name for name, outcome in outcomes.items() if not outcome.same] == []
