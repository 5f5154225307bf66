"""`verify=True`: artifacts run in a fresh process, and wrong ones are found."""

from __future__ import annotations

import json
import re
import shutil

import attrs
import numpy as np
import pytest
from support.documents import detector, image, legacy_network, typed

import sensenet
from sensenet.backends import TARGETS
from sensenet.cli.compile import main
from sensenet.compiler.verify.verification import compare, generated_checks, verify_artifact
from sensenet.errors import ArtifactError, InputError, SensenetError, VerificationError
from sensenet.frontend import import_graph
from sensenet.signature import BOXES, SCORES, VALID

ROWS = [[2.5, "green", 3], [None, "purple", None]]


@pytest.mark.parametrize("target", ["numpy", "ir"])
def test_artifacts_agree_with_the_interpreter(target):
    artifact = sensenet.compile(typed(), target, verify=True, rows=ROWS)
    outcome = artifact.report.verification
    assert outcome.rows == 66
    assert outcome.difference < 1e-5


RUNTIMES = {
    "numpy": "numpy",
    "ir": "numpy",
    "keras": "tensorflow",
    "savedmodel": "tensorflow",
    "smbundle": "tensorflow",
    "h5": "tensorflow",
    "tfjs": "tensorflow",
    "tflite": "ai_edge_litert",
    "c": "ai_edge_litert",
    "onnx": "onnxruntime",
    "native": "llvmlite",
    "wasm": "llvmlite",
    "web": "llvmlite",
}
"""The package that runs each target's artifacts."""


def test_every_target_has_a_runtime():
    assert RUNTIMES.keys() == TARGETS.keys()


ON_ANY_IMAGE = RUNTIMES.keys() - {"c", "native", "wasm", "web"}
"""The targets of images of any size, and of detectors."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "make"),
    [
        pytest.param(name, make, marks=[pytest.mark.tensorflow] if package == "tensorflow" else [])
        for name, package in RUNTIMES.items()
        for make in (legacy_network, image, detector)
        if make is legacy_network or name in ON_ANY_IMAGE
    ],
)
def test_every_target_is_verified_in_its_own_runtime(target, make):
    pytest.importorskip(RUNTIMES[target])
    if target in ("wasm", "web") and not shutil.which("node"):
        pytest.skip("node is not installed: WebAssembly is not run")
    outcome = sensenet.compile(make(), target, verify=True).report.verification
    assert outcome.difference < (1.5 if make is detector else 1e-4)


def test_a_wrong_artifact_is_found():
    imported = import_graph(typed())
    other = typed()
    other["layers"][-1]["offset"][0] += 0.1
    artifact = sensenet.compile(other, "numpy")
    with pytest.raises(VerificationError, match="differs from the interpreter by"):
        verify_artifact(artifact, imported)


def test_files_that_do_not_run_are_told():
    artifact = sensenet.compile(typed(), "numpy")
    broken = attrs.evolve(artifact, produce=lambda: {"model.npz": b"PK\x03\x04 broken"})
    with pytest.raises(ArtifactError, match="cannot be run"):
        verify_artifact(broken, import_graph(typed()))


def test_rows_that_cannot_be_read_are_told():
    with pytest.raises(InputError, match="row 0"):
        sensenet.compile(typed(), "numpy", verify=True, rows=[["x", "green", 1]])


def test_generated_inputs_cover_missing_and_unknown_cells_and_other_sizes():
    (check,) = generated_checks(import_graph(typed()))
    numbers = check.inputs["numeric_inputs"]
    assert numbers[0, 0] == 1.5
    assert numbers[0, 2] == 0.0
    assert {-1, 0, 1, 2} <= set(numbers[:, 1].tolist())
    assert numbers[:, 0].std() == pytest.approx(2, rel=0.5)
    sizes = [
        check.inputs["image_pixel_inputs"].shape[1:3] for check in generated_checks(import_graph(image()))
    ]
    assert sizes == [(6, 8), (37, 53)]


def test_comparing():
    one = np.ones((2, 3), np.float32)
    assert compare("x", one, one, {}) == (0, 0)
    gap, over = compare("x", one + 1e-3, one, {})
    assert gap == pytest.approx(1e-3, rel=1e-3)
    assert over > 0
    assert compare("x", one + 5e-5, one, {})[1] == 0
    assert compare("x", one[:1], one, {}) == (np.inf, np.inf)
    assert compare("x", one * np.nan, one, {}) == (np.inf, np.inf)
    assert compare("x", one * np.nan, one * np.nan, {}) == (0, 0)
    assert compare("x", one * np.inf, one * np.inf, {}) == (0, 0)
    assert compare("x", one + 5e-3, one, {}, 0.01)[1] == 0
    assert compare("x", one + 5e-2, one, {}, 0.01)[1] > 0


def test_only_valid_boxes_are_compared():
    boxes = np.zeros((1, 2, 4), np.float32)
    outputs = {BOXES: boxes, VALID: np.array([1], np.int32)}
    other = boxes.copy()
    other[0, 1] = 99
    assert compare(BOXES, other, boxes, outputs) == (0, 0)
    other[0, 0] = 1
    assert compare(BOXES, other, boxes, outputs) == (1, 0)
    other[0, 0] = 2
    assert compare(BOXES, other, boxes, outputs) == (2, 1)
    scores = np.zeros((1, 2), np.float32)
    assert compare(SCORES, scores + 1, scores, outputs)[1] > 0


def test_a_quantized_detector_is_compared_by_its_best_score():
    scores = np.array([[0.9, 0.5], [0.8, 0.3]], np.float32)
    outputs = {SCORES: scores, VALID: np.array([2, 2], np.int32)}
    boxes = np.zeros((2, 2, 4), np.float32)
    assert compare(BOXES, boxes + 50, boxes, outputs, 0.2) == (0, 0)
    assert compare(SCORES, scores[:, ::-1], scores, outputs, 0.2)[1] > 0
    swapped = scores.copy()
    swapped[:, 1] = 0.1
    assert compare(SCORES, swapped, scores, outputs, 0.2) == (0, 0)


def test_the_command_line_verifies(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(json.dumps(typed()))
    (tmp_path / "rows.csv").write_text("a,b,c\n1,red,2\n")
    assert main(["m.json", "-t", "numpy", "-t", "h5", "-o", "made", "--verify"]) == 0
    assert re.match("numpy: largest difference .* 64 rows\nh5: largest", capsys.readouterr().err)
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["m.h5", "m.npz"]
    assert main(["m.json", "-t", "numpy", "--verify", "--rows", "rows.csv"]) == 1  # the model has no names
    assert not (tmp_path / "m.npz").exists()

    def refuse(*_, **__):
        raise VerificationError("too far")

    monkeypatch.setattr("sensenet.compiler.driver.verify_artifact", refuse)
    assert main(["m.json", "-t", "numpy", "--verify"]) == 1
    assert not (tmp_path / "m.npz").exists()
    assert issubclass(VerificationError, SensenetError)
