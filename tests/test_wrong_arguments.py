"""Arguments of wrong types: each is an error of sensenet, before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.documents import typed

import sensenet
from sensenet.errors import ArtifactError, InputError, InputTypeError, UnknownPassError, UnknownTargetError
from sensenet.models.wrappers import convert, create_model, tflite_predict

PATHS = {
    "save": lambda path: sensenet.compile(typed(), "numpy").save(path),
    "save_as": lambda path: create_model(typed()).save_as("numpy", path),
    "save_bundle": lambda path: create_model(typed()).save_bundle(path),
    "load_weights": lambda path: create_model(typed()).load_weights(path),
    "convert": lambda path: convert(typed(), None, path, "tfjs"),
    "tflite_predict": lambda path: tflite_predict(path, "image.png"),
}
"""What takes a path."""


@pytest.mark.parametrize("use", PATHS)
def test_what_is_not_a_path(use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in (None, 3, True, b"x", ["x"], {}, object(), np.zeros(2)):
        with pytest.raises(InputTypeError, match=r"expected a path, as text or pathlib\.Path; found"):
            PATHS[use](given)
    with pytest.raises(ArtifactError, match="expected a path, found an empty text"):
        PATHS[use]("")
    assert not list(tmp_path.iterdir())


def test_paths_of_both_kinds(tmp_path):
    artifact = sensenet.compile(typed(), "numpy")
    assert artifact.save(str(tmp_path / "a.npz")) == tmp_path / "a.npz"
    assert artifact.save(tmp_path / "b.npz") == tmp_path / "b.npz"
    create_model(typed()).save_as("numpy", Path(tmp_path, "c.npz"))
    assert (tmp_path / "c.npz").read_bytes()


@pytest.mark.parametrize("level", [None, "2", 2.0, [], {}, np.zeros(2), object()])
def test_a_level_is_a_whole_number(level):
    with pytest.raises(UnknownTargetError, match="expected one of: 0, 1, 2"):
        sensenet.compile(typed(), "numpy", optimize=level)
    assert sensenet.compile(typed(), "numpy", optimize=np.int64(1)).report.level == 1


@pytest.mark.parametrize("passes", [b"x", [[]], [None], [3], range(2)])
def test_a_pass_is_a_name(passes):
    with pytest.raises(UnknownPassError, match="expected the name of a pass"):
        sensenet.compile(typed(), "numpy", passes=passes)


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize(
    "inputs", [None, {}, [], 3, "x", np.zeros((1, 4), np.float32), {"numeric_inputs": [[1.0]]}, {"x": 3}]
)
def test_inputs_are_arrays_by_name(engine, inputs):
    if engine == "native":
        pytest.importorskip("llvmlite")
    model = create_model(typed(), engine=engine)
    with pytest.raises(InputError, match="expected a dict of arrays"):
        model.answer_inputs(inputs)


def test_inputs_have_as_many_rows():
    model = create_model(typed())
    inputs = {**model.encode([[0] * 8] * 3), "other": np.zeros((2, 1), np.float32)}
    with pytest.raises(InputError, match="different numbers of rows: 2, 3"):
        model.answer_inputs(inputs)
