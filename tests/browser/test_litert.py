"""LiteRT.js in Chromium, headless: files of one size answer as the interpreter.

Skipped, and says so, where Chromium or Node is missing.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.browser import drive, serve
from support.documents import DOCUMENTS
from support.javascript import DIRECTORY, install

import sensenet
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.settings import ensure_settings

pytestmark = pytest.mark.slow
pytest.importorskip("ai_edge_litert")

HERE = Path(__file__).parent
BATCH, HEIGHT, WIDTH = 2, 20, 30
LOW = {"bounding_box_threshold": 0.01}
SETTINGS = {"detector": LOW}
NAMES = ("typed", "ensemble", "image", "detector")


@pytest.fixture(scope="module")
def site(tmp_path_factory, chromium):
    """A directory that is served with LiteRT.js, and its URL."""
    root = tmp_path_factory.mktemp("site")
    (root / "node_modules").symlink_to(install(DIRECTORY / "litert").resolve())
    (root / "litert.html").symlink_to(HERE / "litert.html")
    with serve(root) as address:
        yield root, address


def compile_file(name, **sizes):
    return sensenet.compile(DOCUMENTS[name](), "tflite", settings=SETTINGS.get(name), **sizes)


def draw_inputs(graph):
    random = np.random.default_rng(4)
    shapes = {node.name: node.types[0].shape for node in graph.inputs}
    images = {name: random.integers(0, 256, shape) for name, shape in shapes.items() if len(shape) > 2}
    numbers = {name: random.integers(-1, 3, shape) for name, shape in shapes.items() if len(shape) == 2}
    return {name: array.astype(np.float32) for name, array in (images | numbers).items()}


def as_input(array):
    return {"shape": list(array.shape), "numbers": array.ravel().tolist()}


def test_files_of_one_size_answer_as_the_interpreter(chromium, site):
    root, address = site
    requests, expected = [], []
    for name in NAMES:
        images = {"image_size": f"{HEIGHT}x{WIDTH}"} if name in ("image", "detector") else {}
        artifact = compile_file(name, batch=BATCH, **images)
        artifact.save(root / f"{name}.tflite")
        inputs = draw_inputs(artifact.graph)
        given = {each: as_input(array) for each, array in inputs.items()}
        requests.append({"url": f"/{name}.tflite", "inputs": given})
        imported = import_graph(DOCUMENTS[name](), ensure_settings(SETTINGS.get(name, {})))
        expected.append(evaluate(imported, inputs))
    answers = drive(chromium, f"{address}/litert.html", requests)
    assert expected[-1]["valid"].min() > 1
    for answer, want in zip(answers, expected, strict=True):
        assert set(answer) == set(want)
        for output, array in want.items():
            assert answer[output]["shape"] == list(array.shape)
            found = np.reshape(answer[output]["numbers"], array.shape)
            np.testing.assert_allclose(found, array, atol=5e-6, rtol=5e-5, err_msg=output)


def test_the_page_of_the_documentation_predicts(chromium, site):
    root, address = site
    text = (HERE.parents[1] / "docs" / "litertjs.md").read_text("utf-8")
    (page,) = re.findall(r"^```html\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (root / "documented.html").write_text(page, "utf-8")
    iris = str(HERE.parents[1] / "examples" / "iris.json")
    sensenet.compile(iris, "tflite", batch=1).save(root / "iris.tflite")
    rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    answers = drive(chromium, f"{address}/documented.html", rows)
    np.testing.assert_allclose(answers, sensenet.create_model(iris)(rows), atol=1e-6)


def test_files_of_any_size_are_refused(chromium, site):
    """So the option is needed: once this fails, LiteRT.js has learned to resize tensors."""
    root, address = site
    compile_file("typed").save(root / "dynamic.tflite")
    inputs = {"numeric_inputs": as_input(np.zeros((BATCH, 3), np.float32))}
    with pytest.raises(AssertionError, match=re.escape("does not match")):
        drive(chromium, f"{address}/litert.html", [{"url": "/dynamic.tflite", "inputs": inputs}])
