"""Documents that come through pipes are read once and whole; artifacts are never read from any."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import sensenet
from sensenet.backends import get_target
from sensenet.compiler.sources import find_target
from sensenet.errors import ArtifactError, DocumentError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes that have paths")

IRIS = Path(__file__).parents[1] / "examples" / "iris.json"
ROW = [5.1, 3.5, 1.4, 0.2]
CONTENTS = [IRIS.read_bytes(), gzip.compress(IRIS.read_bytes()), b" \n" + IRIS.read_bytes()]


@pytest.fixture(params=CONTENTS, ids=["plain", "gzip", "spaces"])
def pipe(request, tmp_path):
    """The path of a FIFO that a thread writes a document into."""
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(request.param))
    writer.start()
    yield path
    writer.join()


def test_models_of_fifos(pipe):
    np.testing.assert_array_equal(sensenet.create_model(pipe)(ROW), sensenet.create_model(IRIS)(ROW))


@pytest.mark.parametrize("target", ["numpy", "ir", "h5"])
def test_compilations_of_fifos(pipe, target):
    if target == "h5":
        pytest.importorskip("h5py")
    assert dict(sensenet.compile(pipe, target).files) == dict(sensenet.compile(IRIS, target).files)


@pytest.mark.parametrize("content", CONTENTS, ids=["plain", "gzip", "spaces"])
@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["compile", "{}", "-t", "numpy", "-o", "-"], "/dev/stdin"),
        (["compile", "-", "-t", "numpy", "-o", "/dev/stdout"], None),
        (["compile", "{}", "--strip-weights", "-o", "-"], "/dev/stdin"),
        (["predict", "{}", "rows.csv"], "/dev/stdin"),
        (["bisect", "{}"], "/dev/stdin"),
    ],
    ids=str,
)
def test_commands_read_documents_from_pipes(tmp_path, content, command, path):
    (tmp_path / "rows.csv").write_text("sepal length,sepal width,petal length,petal width\n5.1,3.5,1.4,0.2\n")

    def run(source, given):
        result = subprocess.run(
            [
                sys.executable,
                "-m",
                *(part.format(source) for part in [f"sensenet.{command[0]}", *command[1:]]),
            ],
            input=given,
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        return result.returncode, result.stdout, result.stderr

    found = run(path, content)
    wanted = run(IRIS, CONTENTS[0])
    assert found[0] == wanted[0] == 0, found
    assert found[1] == wanted[1]


@pytest.mark.parametrize("kind", ["directory", "socket", "empty"])
def test_what_holds_no_document(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        if kind == "socket":
            server.bind("document.json")
        elif kind == "directory":
            os.mkdir("document.json")
        for source in ["/dev/null"] if kind == "empty" else ["document.json", Path("document.json")]:
            with pytest.raises(DocumentError, match=r"document.json|the file is empty"):
                sensenet.create_model(source)


@pytest.mark.parametrize("name", ["saved_model.pb", "model.json"])
def test_a_fifo_in_place_of_an_artifacts_first_file(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert find_target(tmp_path) is None
    with pytest.raises(DocumentError, match="this is a directory"):
        sensenet.create_model(tmp_path)


@pytest.mark.parametrize("make", ["fifo", "link out", "dangling link", "device"])
def test_what_an_artifacts_directory_may_not_hold(tmp_path, make):
    root = tmp_path / "model"
    root.mkdir()
    (root / "model.json").write_text('{"format": "graph-model", "weightsManifest": []}')
    path = root / "group1-shard1of1.bin"
    if make == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to({"link out": IRIS, "dangling link": "nowhere", "device": os.devnull}[make])
    with pytest.raises(ArtifactError, match=r"group1-shard1of1\.bin"):
        sensenet.create_model(root)


@pytest.mark.parametrize("target", ["numpy", "ir", "tflite", "smbundle", "keras"])
def test_no_artifact_is_read_from_a_fifo(tmp_path, target):
    """Nobody writes into it, so that reading would wait."""
    for name in ("m.keras", "m.npz"):
        os.mkfifo(tmp_path / name)
    path = tmp_path / ("m.keras" if target == "keras" else "m.npz")
    with pytest.raises(ArtifactError, match="is not a file"):
        get_target(target).open(path)
