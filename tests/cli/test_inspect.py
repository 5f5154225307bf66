"""`sensenet inspect`: text, JSON, drawings, and wrong command lines."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import sensenet
from sensenet.cli.sensenet import main

IRIS = Path(__file__).parents[2] / "examples/iris.json"


def test_text_is_that_of_the_value(capsys):
    assert main(["inspect", str(IRIS)]) == 0
    assert capsys.readouterr() == (f"{sensenet.inspect(IRIS)}\n", "")


def test_json(capsys):
    assert main(["inspect", str(IRIS), "--json", "--targets", "numpy,ir"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "classification"
    assert [each["target"] for each in found["targets"]] == ["numpy", "ir"]
    assert found["targets"][0]["latency"] is None


@pytest.mark.parametrize(
    ("suffix", "begin"), [("svg", "<svg"), ("html", "<!doctype html>"), ("dot", "digraph")]
)
def test_drawings(suffix, begin, tmp_path, capsys):
    path = tmp_path / f"iris.{suffix}"
    assert main(["inspect", str(IRIS), "--draw", str(path)]) == 0
    assert path.read_text("utf-8").startswith(begin)
    assert main(["inspect", str(IRIS), "--draw", str(path)]) == 1
    assert "already exists" in capsys.readouterr().err
    assert main(["inspect", str(IRIS), "--draw", str(path), "--force"]) == 0


def test_a_drawing_needs_a_graph(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    sensenet.compile(IRIS, "onnx").save(tmp_path / "iris.onnx")
    drawing = tmp_path / "iris.svg"
    assert main(["inspect", str(tmp_path / "iris.onnx"), "--draw", str(drawing)]) == 1
    assert "does not contain its graph: draw its document instead" in capsys.readouterr().err
    assert not drawing.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--targets", "numpi"], "unknown target 'numpi'; did you mean 'numpy'?"),
        (["--draw", "iris.png"], "the suffix of 'iris.png' is not one of svg, dot, html"),
        (["--mesure"], "unknown option --mesure; did you mean '--measure'?"),
    ],
)
def test_wrong_command_lines(arguments, expected, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["inspect", str(IRIS), *arguments])
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err


def test_a_document_from_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(IRIS.read_bytes())))
    assert main(["inspect", "-"]) == 0
    assert capsys.readouterr().out.startswith("iris: classification (document)\n")


def test_an_error_is_one_line(capsys):
    assert main(["inspect", "nowhere.json"]) == 1
    assert capsys.readouterr() == ("", "sensenet: error: nowhere.json: no such file\n")
