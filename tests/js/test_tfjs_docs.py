"""The JavaScript in docs/tfjs.md: it encodes rows as the runtime does, and its program predicts."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.documents import ensemble, typed
from support.javascript import install

import sensenet
from sensenet.models.wrappers import create_model
from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import as_table
from sensenet.signature import CategoricalColumn, ImageColumn, NumericColumn, Signature

PAGE = Path(__file__).parents[2] / "docs" / "tfjs.md"
CODE = re.findall(r"^```js\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
ENCODER, PROGRAM, _ = CODE  # the last is for browsers: tests/browser runs it

COLUMNS = (
    NumericColumn(index=0, missing=1.5),
    CategoricalColumn(index=1, values=("red", "None", "True", "3", None, "red", "")),
    ImageColumn(index=2),
    NumericColumn(index=-1),
)
ROWS = [
    [2.5, "red", "image.png", 1],
    [None, None, None, None],
    ["1e3", True, None, " 7 "],
    [-0.0, 3, None, True],
    [1, "", None, "-2.5"],
    [0.1, "Red", None, False],
]


@pytest.fixture
def directory(tmp_path):
    """A directory with the page's two programs, in which Node finds TensorFlow.js."""
    (tmp_path / "node_modules").symlink_to(install())
    (tmp_path / "encode-row.mjs").write_text(ENCODER, "utf-8")
    (tmp_path / "predict.mjs").write_text(PROGRAM, "utf-8")
    return tmp_path


def run(directory, program, *arguments):
    command = ["node", program, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def encode(directory, signature, rows):
    (directory / "case.json").write_text(json.dumps({"signature": signature.to_json(), "rows": rows}))
    (directory / "encode.mjs").write_text(
        "import {readFileSync} from 'node:fs';\n"
        "import {encodeRow} from './encode-row.mjs';\n"
        "const {signature, rows} = JSON.parse(readFileSync('case.json', 'utf8'));\n"
        "console.log(JSON.stringify(rows.map((row) => encodeRow(signature, row))));\n"
    )
    return run(directory, "encode.mjs")


def test_rows_are_encoded_as_the_runtime_does(directory):
    signature = Signature(columns=COLUMNS)
    encoder = row_encoder(signature)
    result = encode(directory, signature, ROWS)
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(
        np.array(json.loads(result.stdout), np.float32), encoder.encode(as_table(ROWS, encoder.layout))
    )


@pytest.mark.parametrize("cell", ["", " ", "abc", [1, 2]])
def test_cells_that_are_no_numbers_are_refused(directory, cell):
    result = encode(directory, Signature(columns=COLUMNS[:1]), [[cell]])
    assert result.returncode != 0
    assert "cell 0 is no number" in result.stderr


@pytest.mark.parametrize("make", [typed, ensemble])
def test_the_program_predicts(directory, make):
    sensenet.compile(make(), "tfjs").save(directory / "model")
    for row in ([2.5, "green", 3], [None, "purple", None]):
        result = run(directory, "predict.mjs", "model", json.dumps(row))
        assert result.returncode == 0, result.stderr
        np.testing.assert_allclose(json.loads(result.stdout), create_model(make())(row), atol=5e-6, rtol=5e-5)
