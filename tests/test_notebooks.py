"""The notebooks of the documentation run, and print what they show."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

ROOT = Path(__file__).parents[1]

NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))

TEXTS = ("text", "text/plain")
"""What is compared of an output: a drawing may change with the fonts of a machine."""


def shown(cell):
    """The texts of a cell's outputs; LiteRT says on stderr that it is there."""
    outputs = [output for output in cell.get("outputs", ()) if output.get("name") != "stderr"]
    contents = [output.get("data", output) for output in outputs]
    return "".join(content[kind] for content in contents for kind in TEXTS if kind in content)


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} == {"tabular", "detector", "writing_a_pass"}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(path, tmp_path, monkeypatch):
    for package in ("ai_edge_litert", "llvmlite", "pyarrow"):
        pytest.importorskip(package)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    folder = tmp_path / "docs" / "notebooks"
    folder.mkdir(parents=True)
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    expected = [shown(cell) for cell in book.cells]
    assert any(expected)
    run = nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    assert [shown(cell) for cell in run.cells] == expected
