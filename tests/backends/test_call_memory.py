"""Opened files of runtimes: as many rows run together as the limit on memory allows."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from support.documents import FEATURES, dense, detector, network

import sensenet
from sensenet.backends import get_target
from sensenet.limits import VARIABLE
from sensenet.runtime.detections import make_detector
from sensenet.runtime.predictor import make_predictor

ROWS = [[0.5] * FEATURES] * 5

TARGETS = {"tflite": "ai_edge_litert", "onnx": "onnxruntime"}


def document():
    return network([dense(FEATURES, 30, "relu"), dense(30, 2, "softmax")])


def open_recorded(document, target, tmp_path, **options):
    """A saved file as it is opened, and the numbers of rows of its calls."""
    pytest.importorskip(TARGETS[target])
    saved = sensenet.compile(document, target, **options).save(tmp_path / f"model.{target}")
    opened = get_target(target).open(saved)
    calls = []

    def run(inputs):
        calls.append(len(next(iter(inputs.values()))))
        return opened.run(inputs)

    return attrs.evolve(opened, run=run), calls


@pytest.mark.parametrize("target", TARGETS)
def test_rows_that_take_more_than_the_limit_run_in_parts(target, tmp_path, monkeypatch):
    executable, calls = open_recorded(document(), target, tmp_path)
    call = executable.call_memory
    assert call.rows == 1
    assert call.size >= 4 * (FEATURES + 30)
    predict = make_predictor(executable)
    expected = predict(ROWS)
    monkeypatch.setenv(VARIABLE, str(2 * call.size + 1))
    assert (predict(ROWS) == expected).all()
    assert calls == [5, 2, 2, 1]


@pytest.mark.parametrize("target", TARGETS)
def test_batches_of_one_size_run_in_parts(target, tmp_path, monkeypatch):
    executable, calls = open_recorded(document(), target, tmp_path, batch=2)
    call = executable.call_memory
    assert call.rows == 2
    assert call.size >= 2 * 4 * (FEATURES + 30)
    predict = make_predictor(executable)
    monkeypatch.setenv(VARIABLE, str(2 * call.size + 1))
    assert len(predict(ROWS)) == 5
    assert calls == [4, 1]


@pytest.mark.parametrize("target", TARGETS)
def test_images_of_detectors_run_in_parts(target, tmp_path, monkeypatch):
    executable, calls = open_recorded(detector(), target, tmp_path)
    detect = make_detector(executable)
    images = [np.full((16, 16, 3), 40 * number, np.uint8) for number in range(3)]
    expected = detect(images)
    monkeypatch.setenv(VARIABLE, str(max(executable.call_memory.size, 4000)))
    assert detect(images) == expected
    assert calls[0] == 3
    assert max(calls[1:]) < 3
