"""Chromium, headless, on a page of localhost: trees, images and a detector, against the interpreter.

Skipped, and says so, where Chromium or Node is missing.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browser import drive, serve
from support.documents import detector, ensemble, image, typed
from support.javascript import install, method_of

import sensenet
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.models.wrappers import create_model
from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import as_table
from sensenet.settings import ensure_settings

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROWS = [[2.5, "green", 3], [None, "purple", None], [-1, "blue", 10]]
DETECTION = {"bounding_box_threshold": 0.01}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A directory that is served, and its URL."""
    root = tmp_path_factory.mktemp("site")
    packages = install() / "@tensorflow"
    wasm = packages / "tfjs-backend-wasm" / "dist"
    scripts = [packages / "tfjs" / "dist" / "tf.min.js", wasm / "tf-backend-wasm.min.js"]
    for path in (HERE / "page.html", *scripts, *wasm.glob("*.wasm")):
        (root / path.name).symlink_to(path.resolve())
    with serve(root) as address:
        yield root, address


@pytest.fixture(scope="module")
def image_url(site):
    """An image that is served, as the tensor of its pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(site[0] / "image.png")
    return pixels[None].astype(np.float32)


def test_chromium_predicts_as_the_interpreter_does(chromium, site, image_url):
    root, address = site
    arrays = {
        "trees": {"numeric_inputs": encode_rows(ensemble(), ROWS)},
        "image": {"numeric_inputs": encode_rows(image(), [[None, 2.0]]), "image_pixel_inputs": image_url},
        "detector": {"image_pixel_inputs": image_url},
    }
    documents = {"trees": ensemble(), "image": image(), "detector": detector()}
    want = {}
    for name, document in documents.items():
        settings = DETECTION if name == "detector" else {}
        sensenet.compile(document, "tfjs", settings=settings, shard_size=1000).save(root / name)
        want[name] = evaluate(import_graph(document, ensure_settings(settings)), arrays[name])
    runs = [(name, backend) for name in documents for backend in ("cpu", "wasm", "webgl")]
    requests = [
        {
            "url": f"/{name}/model.json",
            "backend": backend,
            "method": method_of(root / name),
            "inputs": {given: as_input(array) for given, array in arrays[name].items()},
        }
        for name, backend in runs
    ]
    answers = drive(chromium, f"{address}/page.html", requests)
    assert want["detector"]["valid"][0] > 1
    for (name, backend), answer in zip(runs, answers, strict=True):
        assert answer.pop("backend") == backend
        assert set(answer) == set(want[name])
        for output, array in want[name].items():
            np.testing.assert_allclose(answer[output], array, atol=5e-6, rtol=5e-5)


def test_the_page_of_the_documentation_predicts(chromium, site):
    root, address = site
    text = (HERE.parents[1] / "docs" / "tfjs.md").read_text("utf-8")
    blocks = re.findall(r"^```(?:js|html)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[:2]
    for name, block in zip(("encode-row.mjs", "documented.html"), blocks, strict=True):
        (root / name).write_text(block, "utf-8")
    sensenet.compile(typed(), "tfjs").save(root / "model")
    answers = drive(chromium, f"{address}/documented.html", ROWS)
    for answer, values in zip(answers, create_model(typed())(ROWS), strict=True):
        assert list(answer) == ["yes", "no"]
        np.testing.assert_allclose(list(answer.values()), values, atol=5e-6)


def encode_rows(document, rows):
    """What the model's own encoder makes of rows."""
    encoder = row_encoder(create_model(document).signature)
    return encoder.encode(as_table(rows, encoder.layout))


def as_input(array):
    """An input as the page takes it: an image from the server, or numbers."""
    return {"image": "/image.png"} if array.ndim == 4 else {"values": array.tolist()}
