"""The statements of SECURITY.md, one test each; those of single formats are tested beside their backends."""

from __future__ import annotations

import ast
import io
import json
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support import documents

import sensenet
from sensenet.backends import TARGETS, graph_loops
from sensenet.backends.formats.smbundle import pack
from sensenet.backends.interpreter.executable import make_executable, parse_saved
from sensenet.backends.tflite.verify import MOST_STEPS
from sensenet.errors import LimitError, SensenetError
from sensenet.ir.ops import control
from sensenet.limits import DEFAULT_MEMORY_LIMIT, require_memory

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
PACKAGE = ROOT / "sensenet"

UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}


class Trap:
    """What creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


BETWEEN_PROCESSES = {"spark.py"}
"""What pickles a model for the workers of a job, whose code Spark pickles too."""


def nodes_of_package():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield path, node


def test_no_module_can_unpickle_or_evaluate():
    assert "sensenet never unpickles a file" in PAGE
    for path, node in nodes_of_package():
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if path.relative_to(PACKAGE).as_posix() not in BETWEEN_PROCESSES:
            assert not UNSAFE & {name.split(".")[0] for name in imported}, path
        if isinstance(node, ast.Call):
            assert getattr(node.func, "id", "") not in ("eval", "exec"), path
            assert not any(keyword.arg == "allow_pickle" for keyword in node.keywords), path


@pytest.mark.parametrize(
    "suffix", [".npz", ".npy", ".json", ".keras", ".h5", ".ir", ".tflite", ".onnx", ".smbundle", ""]
)
def test_a_pickle_is_not_loaded_whatever_its_name(tmp_path, suffix):
    path, trap = tmp_path / f"model{suffix}", tmp_path / "trap"
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(SensenetError):
        sensenet.create_model(path)
    assert not trap.exists()


def test_an_archive_of_python_objects_is_not_loaded(tmp_path):
    stream, trap = io.BytesIO(), tmp_path / "trap"
    graph = np.frombuffer(b"sensenet", np.uint8)
    np.savez(stream, graph=graph, weight=np.array([Trap(trap)], object))
    (tmp_path / "model.npz").write_bytes(stream.getvalue())
    with pytest.raises(SensenetError):
        sensenet.create_model(tmp_path / "model.npz")
    assert not trap.exists()


def test_the_bound_on_memory_is_the_one_that_the_page_states():
    assert DEFAULT_MEMORY_LIMIT == 2 << 30
    assert "2 GiB beyond the size of the file; `SENSENET_MEMORY_LIMIT`" in " ".join(PAGE.split())
    layer = {
        "type": "dense",
        "weights": "zeros",
        "offset": "zeros",
        "number_of_nodes": 1 << 30,
        "activation_function": "relu",
    }
    with pytest.raises(LimitError, match="SENSENET_MEMORY_LIMIT"):
        require_memory(DEFAULT_MEMORY_LIMIT + 1, "a weight")
    with pytest.raises(SensenetError):
        sensenet.create_model(documents.network([layer, documents.dense(3, 2)]))


ENDLESS = """sensenet graph
%x = input() {type=f32[?,2]} : f32[?,2]
%loop = while(%x) {condition=graph {
    %rows = input() {type=f32[?,2]} : f32[?,2]
    %yes = constant() {value=bool[]{true}} : bool[]
    output proceed = %yes
}, body=graph {
    %rows = input() {type=f32[?,2]} : f32[?,2]
    output rows = %rows
}} : f32[?,2]
output y = %loop
"""


def test_loops_end_after_as_many_steps_as_the_page_states(monkeypatch):
    """Those of TensorFlow and LiteRT: tests/backends/test_graph_loops.py and test_tflite_verify.py."""
    assert "each takes at most 1,048,576 steps" in PAGE
    assert control.MOST_STEPS == graph_loops.MOST_STEPS == MOST_STEPS == 1_048_576
    graph = parse_saved(ENDLESS.encode(), {}, "the file")
    monkeypatch.setattr(control, "MOST_STEPS", 9)
    with pytest.raises(SensenetError, match="a loop of the graph has not ended after 9 steps"):
        make_executable(graph).run({"x": np.ones((1, 2), np.float32)})


@pytest.mark.parametrize("name", ["../model.json", "/etc/passwd", "a/../../b"])
def test_a_bundle_leads_to_no_other_file(tmp_path, name):
    content = pack({"saved_model.pb": b"x"})
    start = content.index(b"[")
    changed = json.dumps([[".", [], [[name, 1]]]]).encode().ljust(1024)
    (tmp_path / "model.smbundle").write_bytes(content[:start] + changed + b"x")
    with pytest.raises(SensenetError):
        sensenet.create_model(tmp_path / "model.smbundle")


@pytest.mark.parametrize("name", ["../weights.bin", "/etc/passwd"])
def test_a_graph_model_leads_to_no_other_file(tmp_path, name):
    model = {
        "format": "graph-model",
        "modelTopology": {},
        "weightsManifest": [{"paths": [name], "weights": []}],
    }
    (tmp_path / "model.json").write_text(json.dumps(model))
    with pytest.raises(SensenetError, match="is not in the directory itself"):
        sensenet.create_model(tmp_path)


def test_members_of_an_archive_are_not_extracted(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with zipfile.ZipFile(folder / "model.npz", "w") as archive:
        archive.writestr("../escaped.npy", b"x")
    with pytest.raises(SensenetError):
        sensenet.create_model(folder / "model.npz")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "model.npz"]


def rows_of_page():
    """The rows of the table of files, as cells."""
    table = PAGE[PAGE.index("| file | what opening it does |") : PAGE.index("## What remains")]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


@pytest.mark.parametrize("row", rows_of_page(), ids=lambda row: row[0])
def test_each_row_names_its_tests(row):
    files = [ROOT / path for path in re.findall(r"`(tests/[\w/]+\.py)`", row[-1])]
    assert files, "name the tests of the row in its last cell"
    assert [path for path in files if "def test_" not in path.read_text("utf-8")] == []


@pytest.mark.parametrize("name", TARGETS)
def test_the_page_tells_of_every_target(name):
    """By the suffix of its files, or the target's name if they are directories."""
    suffix = TARGETS[name].suffix
    mark = f"`{suffix}`" if suffix.startswith(".") else name
    assert any(mark in file.lower() for file, *_ in rows_of_page()), (
        f"step 6: write a row into the table of SECURITY.md whose first cell has {mark}: "
        "what opening the file does, and what it cannot do"
    )
