"""The scripts of docs/scale.md run, and their answers are those of one process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.scale import require, scored

import sensenet

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RECIPES = dict(re.findall(r"```python\n# (\w+): (.*?)```", (ROOT / "docs/scale.md").read_text("utf-8"), re.S))


def test_the_page_has_the_recipes():
    assert [*RECIPES] == ["DuckDB", "Polars", "Dask"]


@pytest.mark.parametrize("tool", RECIPES)
def test_a_recipe_gives_the_answers_of_one_process(tool, tmp_path):
    require(tool.lower())
    pa, parquet = require("pyarrow"), require("pyarrow.parquet")
    shutil.copy(ROOT / "examples/iris.json", tmp_path)
    random = np.random.default_rng(0)
    names = ("sepal length", "sepal width", "petal length", "petal width")
    columns = {name: random.normal(3, 2, 1000) for name in names}
    table = pa.table({"id": range(1000), **columns})
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=150)
    script = tmp_path / "recipe.py"
    script.write_text(f"# {RECIPES[tool]}", "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, check=True)
    found = parquet.read_table(tmp_path / "scores.parquet").sort_by("id").to_pylist()
    wanted = scored(table, sensenet.create_model(ROOT / "examples/iris.json"), keep=["id"])
    if tool == "Dask":
        wanted = [{name: row[name] for name in ("id", "prediction")} for row in wanted]
    assert found == wanted
