"""The target wasm in Chromium, headless, on a page of localhost: the page of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.browser import drive, serve
from support.documents import ensemble, typed

import sensenet

pytestmark = pytest.mark.slow

pytest.importorskip("llvmlite")

PAGE = Path(__file__).parents[2] / "docs" / "wasm.md"
ROWS = [[2.5, "green", 3], [None, "purple", None], [-1, "blue", 10]]
BY_ANOTHER_WAY = """
<!doctype html>
<script type="module">
  import {load} from './model/model.js';
  const loading = {
    'a response of another type': async () => load(fetch('./model/copy.bin')),
    bytes: async () => load(await (await fetch('./model/model.wasm')).arrayBuffer()),
    'a url': async () => load('copy.bin'),
  };
  window.predict = async ([way, row]) => (await loading[way]()).predict(row);
</script>
"""
WAYS = ("a response of another type", "bytes", "a url")


def test_the_page_of_the_documentation_predicts(chromium, tmp_path):
    (block,) = re.findall(r"^```html\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "page.html").write_text(block, "utf-8")
    sensenet.compile(typed(), "wasm").save(tmp_path / "model")
    with serve(tmp_path) as address:
        answers = drive(chromium, f"{address}/page.html", [*ROWS, ROWS])
    assert answers[:-1] == answers[-1]
    for answer, values in zip(answers, sensenet.create_model(typed())(ROWS), strict=False):
        assert list(answer["probabilities"]) == ["yes", "no"]
        np.testing.assert_allclose(list(answer["probabilities"].values()), values, atol=1e-6)


def test_all_ways_of_loading(chromium, tmp_path):
    directory = sensenet.compile(ensemble(), "wasm").save(tmp_path / "model")
    (directory / "copy.bin").write_bytes((directory / "model.wasm").read_bytes())
    (tmp_path / "page.html").write_text(BY_ANOTHER_WAY, "utf-8")
    row = [2.5, "green", 3]
    with serve(tmp_path) as address:
        answers = drive(chromium, f"{address}/page.html", [[way, row] for way in WAYS])
    (want,) = sensenet.create_model(ensemble())(row)
    np.testing.assert_allclose(answers, np.repeat(want, len(WAYS)), rtol=1e-5)
