"""Chromium, headless, on a page of localhost: trees, images and a detector, against the interpreter.

WebGL and WebGPU compute on the processor whatever has fewer than about 1,000 numbers: some inputs have more.
Skipped, and says so, where Chromium or Node is missing.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

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
    webgpu = packages / "tfjs-backend-webgpu" / "dist"
    scripts = [
        packages / "tfjs" / "dist" / "tf.min.js",
        wasm / "tf-backend-wasm.min.js",
        webgpu / "tf-backend-webgpu.min.js",
    ]
    for path in (HERE / "page.html", *scripts, *wasm.glob("*.wasm")):
        (root / path.name).symlink_to(path.resolve())
    names = ("encode-row.mjs", "documented.html", "mend-cast.mjs")
    for name, block in zip(names, documented_code(), strict=True):
        (root / name).write_text(block, "utf-8")
    with serve(root) as address:
        yield root, address


def documented_code():
    """The code of docs/tfjs.md for browsers."""
    text = (HERE.parents[1] / "docs" / "tfjs.md").read_text("utf-8")
    blocks = re.findall(r"^```(?:js|html)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "node:" not in block]


@pytest.fixture(scope="module")
def pixels(site):
    """Images that are served, as the tensors of their pixels, by height."""
    random = np.random.default_rng(0)
    tensors = {}
    for height in (40, 60):
        found = random.integers(0, 256, (height, 60, 3), np.uint8)
        Image.fromarray(found).save(site[0] / f"image-{height}.png")
        tensors[height] = found[None].astype(np.float32)
    return tensors


def test_chromium_predicts_as_the_interpreter_does(chromium, site, pixels):
    """The detector's image has no filled edge, where boxes have equal scores: WebGPU takes any of these."""
    root, address = site
    rows = encode_rows(ensemble(), ROWS)
    arrays = {
        "trees": {"numeric_inputs": rows},
        "trees of many rows": {"numeric_inputs": np.tile(rows, (400, 1))},
        "image": {"numeric_inputs": encode_rows(image(), [[None, 2.0]]), "image_pixel_inputs": pixels[40]},
        "detector": {"image_pixel_inputs": pixels[60]},
    }
    documents = {
        "trees": ensemble(),
        "trees of many rows": ensemble(),
        "image": image(),
        "detector": detector(),
    }
    want = {}
    for name, document in documents.items():
        settings = DETECTION if name == "detector" else {}
        sensenet.compile(document, "tfjs", settings=settings, shard_size=1000).save(root / name)
        want[name] = evaluate(import_graph(document, ensure_settings(settings)), arrays[name])
    runs = [(name, backend) for name in documents for backend in ("cpu", "wasm", "webgl", "webgpu")]
    requests = [
        {
            "url": f"/{quote(name)}/model.json",
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
    return {"image": f"/image-{array.shape[1]}.png"} if array.ndim == 4 else {"values": array.tolist()}
