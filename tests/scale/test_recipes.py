"""The scripts of docs/scale.md run, and their answers are those of one process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.resources import region_resource
from support.scale import ALWAYS, require, scored, write_images

import sensenet

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RECIPES = dict(re.findall(r"```python\n# (\w+): (.*?)```", (ROOT / "docs/scale.md").read_text("utf-8"), re.S))


FRAMES = ["DuckDB", "Polars", "Dask"]


def write_flowers(folder):
    """Write a model and a table into a folder; return the table."""
    pa, parquet = require("pyarrow"), require("pyarrow.parquet")
    shutil.copy(ROOT / "examples/iris.json", folder)
    random = np.random.default_rng(0)
    names = ("sepal length", "sepal width", "petal length", "petal width")
    columns = {name: random.normal(3, 2, 1000) for name in names}
    table = pa.table({"id": range(1000), **columns})
    parquet.write_table(table, folder / "rows.parquet", row_group_size=150)
    return table


def run_script(text, folder):
    """Run a script in a folder; return what it prints."""
    script = folder / "recipe.py"
    script.write_text(f"# {text}", "utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [sys.executable, script]
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE).stdout


def test_the_page_has_the_recipes():
    assert [*RECIPES] == ["Spark", "Columns", "Ray", *FRAMES]


@pytest.mark.parametrize("tool", FRAMES)
def test_a_recipe_gives_the_answers_of_one_process(tool, tmp_path):
    require(tool.lower())
    table = write_flowers(tmp_path)
    run_script(RECIPES[tool], tmp_path)
    found = require("pyarrow.parquet").read_table(tmp_path / "scores.parquet").sort_by("id").to_pylist()
    wanted = scored(table, sensenet.create_model(ROOT / "examples/iris.json"), keep=["id"])
    if tool == "Dask":
        wanted = [{name: row[name] for name in ("id", "prediction")} for row in wanted]
    assert found == wanted


def test_spark(tmp_path):
    require("pyspark")
    if not shutil.which("java") and not os.environ.get(ALWAYS):
        pytest.skip("Spark needs Java")
    table = write_flowers(tmp_path)
    printed = run_script(f"{RECIPES['Spark']}\n# {RECIPES['Columns']}", tmp_path).decode()
    found = require("pyarrow.parquet").read_table(tmp_path / "scores").sort_by("id").to_pylist()
    assert found == scored(table, sensenet.create_model(ROOT / "examples/iris.json"), keep=["id"])
    assert "species" in printed
    assert "virginica" in printed


def test_ray(tmp_path):
    require("ray")
    pa, parquet = require("pyarrow"), require("pyarrow.parquet")
    (tmp_path / "model.json").write_text(json.dumps(region_resource()))
    (tmp_path / "images").mkdir()
    paths = write_images(tmp_path / "images", 9)
    run_script(RECIPES["Ray"], tmp_path)
    table = pa.table({"path": paths, "photo": [Path(path).read_bytes() for path in paths]})
    model = sensenet.create_model(tmp_path / "model.json")
    wanted = scored(table, model, keep=["path"], on_error="null")
    found = parquet.read_table(tmp_path / "scores").sort_by("path").to_pylist()
    assert all(row["error"] is None for row in found)
    assert [{**row, "path": str(tmp_path / row["path"])} for row in found] == wanted
