"""Every command × inputs that are not what it reads: one line says what is wrong, and nothing is written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from sensenet.cli.sensenet import COMMANDS, main

ROOT = Path(__file__).parents[2]
IRIS, ROWS = str(ROOT / "examples/iris.json"), str(ROOT / "examples/iris.csv")
PAIR = "petal length=1.4"

MODELS = {
    "compile": ("compile", "?", "-t", "numpy", "-o", "made.npz"),
    "compile --strip-weights": ("compile", "?", "--strip-weights", "-o", "made.json"),
    "predict": ("predict", "?", ROWS, "-o", "made.csv"),
    "evaluate": ("evaluate", "?", ROWS, "--html", "made.html"),
    "evaluate, second": ("evaluate", IRIS, "?", ROWS, "--html", "made.html"),
    "inspect": ("inspect", "?", "--draw", "made.svg"),
    "page": ("page", "?", "--single-file", "made.html"),
    "explain": ("explain", "?", PAIR, "--html", "made.html"),
    "diff": ("diff", IRIS, "?"),
    "serve": ("serve", "iris=?", "--port", "0"),
    "bisect": ("bisect", "?", "-o", "made.ir"),
    "decompile --like": ("decompile", "trained.h5", "--like", "?", "-o", "made.json"),
    "pretrained": ("pretrained", "path", "?"),
}
"""Commands that read a model from `?`; what they make is called made."""

TABLES = {
    "compile --rows": ("compile", IRIS, "-t", "numpy", "-o", "made.npz", "--verify", "--rows", "?"),
    "predict": ("predict", IRIS, "?", "-o", "made.csv"),
    "evaluate": ("evaluate", IRIS, "?", "--html", "made.html"),
    "explain": ("explain", IRIS, "?", "--html", "made.html"),
    "explain --background": ("explain", IRIS, PAIR, "--background", "?", "--html", "made.html"),
    "explain --importance": ("explain", IRIS, "--importance", "?", "--html", "made.html"),
    "diff --rows": ("diff", IRIS, IRIS, "--rows", "?"),
    "bisect --rows": ("bisect", IRIS, "-o", "made.ir", "--rows", "?"),
}
"""Commands that read a table from `?`."""

WRONG = {
    "missing": "missing.json",
    "no-name": "",
    "long-name": "x" * 5000,
    "escapes": "\x1b[31mred\u202e\n",
    "folder": "folder",
    "empty": "empty.json",
    "image": "image.png",
    "image-as-document": "image.json",
    "list": "list.json",
    "nested": "nested.json",
    "cut": "cut.json",
    "device": "/dev/null",
}
"""Paths of the folder that `wrong_files` makes, none of which is a model or a table."""


@pytest.fixture(autouse=True)
def wrong_files(tmp_path, monkeypatch):
    """Makes the files, and works in their folder."""
    (tmp_path / "folder").mkdir()
    for name in ("image.png", "image.json"):
        Image.new("RGB", (8, 8)).save(tmp_path / name, "PNG")
    contents = {
        "empty.json": b"",
        "list.json": b"[1, 2]",
        "nested.json": b"[" * 100_000,
        "cut.json": Path(IRIS).read_bytes()[:2000],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", WRONG.values(), ids=list(WRONG))
@pytest.mark.parametrize("command", MODELS.values(), ids=list(MODELS))
def test_what_is_not_a_model(command, path, capsys):
    require_one_line(command, path, capsys)


@pytest.mark.parametrize("path", WRONG.values(), ids=list(WRONG))
@pytest.mark.parametrize("command", TABLES.values(), ids=list(TABLES))
def test_what_is_not_a_table(command, path, capsys):
    pytest.importorskip("pyarrow")
    require_one_line(command, path, capsys)


def test_arguments_that_control_terminals(capsys):
    require_one_line(("inspect", IRIS, "?"), "\x1b[31mred", capsys)


@pytest.mark.parametrize(
    "command",
    [
        ("compile", IRIS, "-o", ""),
        ("compile", IRIS, "-t", "numpy", "--dump-ir", ""),
        ("predict", IRIS, ROWS, "-o", ""),
        ("predict", IRIS, ROWS, "--draw", ""),
        ("evaluate", IRIS, ROWS, "--html", ""),
        ("inspect", IRIS, "--draw", ""),
        ("page", IRIS, "-o", ""),
        ("page", IRIS, "--single-file", ""),
        ("explain", IRIS, PAIR, "--html", ""),
        ("explain", IRIS, PAIR, "-o", ""),
        ("bisect", IRIS, "-o", ""),
        ("decompile", "trained.h5", "--like", IRIS, "-o", ""),
    ],
    ids=lambda command: " ".join([command[0], command[-2]]),
)
def test_outputs_without_a_name(command, capsys):
    before = sorted(Path().iterdir())
    require_one_line(command, "", capsys)
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    "command",
    [
        ("compile", "-", "-t", "numpy", "-o", "c.npz"),
        ("predict", "-", ROWS),
        ("inspect", "-"),
        ("page", "-", "--single-file", "p.html"),
        ("explain", "-", PAIR),
        ("diff", "-", IRIS),
        ("diff", IRIS, "-"),
        ("bisect", "-"),
    ],
    ids=" ".join,
)
def test_every_command_reads_a_document_from_stdin(command, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path(IRIS).read_bytes())))
    assert main(command) == 0


def test_every_command_is_tested():
    assert {command[0] for command in MODELS.values()} == set(COMMANDS)


def require_one_line(command, path, capsys):
    """Run a command on a path; it fails with one line of error, and makes nothing."""
    try:
        status = main([argument.replace("?", path) for argument in command])
    except SystemExit as end:
        status = end.code
    out, error = capsys.readouterr()
    assert status in (1, 2)
    assert out == ""
    *usage, line = error.splitlines()
    assert all(each.startswith(("usage: ", " ")) for each in usage)
    assert line.startswith("sensenet")
    assert ": error: " in line
    assert len(line) < 1200
    assert line.isprintable()
    assert list(Path().glob("made*")) == []
