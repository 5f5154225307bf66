"""The code of docs/wasm.md, in Node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import sensenet

pytest.importorskip("llvmlite")

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_page_of_the_documentation(tmp_path):
    text = (ROOT / "docs" / "wasm.md").read_text("utf-8")
    answer, program = re.findall(r"^```js\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    sensenet.compile(ROOT / "examples" / "iris.json", "wasm").save(tmp_path / "model")
    row = "{'petal length': 1.4, 'petal width': 0.2}"
    more = f"console.log(JSON.stringify(model.predict({row})) === JSON.stringify({answer.strip()}));"
    (tmp_path / "program.mjs").write_text(program + more, "utf-8")
    result = subprocess.run(
        ["node", "program.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "setosa"
    assert lines[1] == "Float32Array(3) ["
    assert lines[-1] == "true"
