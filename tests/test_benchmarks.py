"""The comparison with the published package runs, and without that package gives our own figures."""

from __future__ import annotations

import ast
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.javascript import install

ROOT = Path(__file__).resolve().parent.parent

sys.path.insert(0, str(ROOT))

from benchmarks.published.runtime_works import RUNTIME_WORKS  # noqa: E402
from benchmarks.published.table import HEADER, replace_lines, work_of  # noqa: E402
from benchmarks.published.works import WORKS  # noqa: E402

NAMES = [work.name for work in (*WORKS, *RUNTIME_WORKS)]

PUBLISHED = "SENSENET_PEER_PYTHON"
WITH_TENSORFLOWJS = "SENSENET_TFJS_PYTHON"
WITH_TF2ONNX = "SENSENET_TF2ONNX_PYTHON"
PEERS = {PUBLISHED, WITH_TENSORFLOWJS, WITH_TF2ONNX}

OURS = ("sensenet", "support")

OF_THE_PUBLISHED = {"sensenet.layers.tree"}
"""Modules that only the published package has."""


def run_benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in PEERS}
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_our_figures_are_printed_without_the_published_package(tmp_path: Path) -> None:
    earlier = {"works": [{"work": "another"}, {"work": "one row"}]}
    (tmp_path / "figures.json").write_text(json.dumps(earlier))
    result = run_benchmarks("one row", "fresh", "--json", str(tmp_path / "figures.json"))
    assert result.returncode == 0, result.stderr
    assert f"{PUBLISHED} is not set" in result.stderr
    header, ruler, *lines = result.stdout.splitlines()
    assert {line.count("|") for line in (header, ruler, *lines)} == {8}
    record = json.loads((tmp_path / "figures.json").read_text())
    another, *works = record["works"]
    assert another == {"work": "another"}
    assert [work["work"] for work in works] == ["one row", "fresh process to first row"]
    for work in works:
        assert 0 < work["seconds"] < 60
        assert work["times_faster"] is None
        assert work["share_of_limit"] > 0
        assert all(len(seconds) == 1 for seconds in work["limits"].values())


@pytest.mark.parametrize(
    ("work", "variable"),
    [
        ("JSON of a table to tfjs", WITH_TENSORFLOWJS),
        ("tfjs file of numbers, wasm", WITH_TENSORFLOWJS),
        ("onnx file of a table", WITH_TF2ONNX),
    ],
)
def test_our_files_are_measured_without_those_of_other_converters(
    work: str, variable: str, tmp_path: Path
) -> None:
    if work.startswith("tfjs file"):
        install()
    if work.startswith("onnx file"):
        pytest.importorskip("onnxruntime")
    result = run_benchmarks(work, "--json", str(tmp_path / "figures.json"))
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith(f"{variable} is not set"), result.stderr
    (figures,) = json.loads((tmp_path / "figures.json").read_text())["works"]
    assert figures["work"] == work
    assert figures["seconds"] > 0
    assert figures["megabytes"] > 0
    assert figures["times_faster"] is None


@pytest.mark.parametrize(
    ("work", "package"),
    [
        ("a row, LiteRT's invoke", "ai_edge_litert"),
        ("a row, onnxruntime", "onnxruntime"),
        ("a row, laminar", "bigml"),
    ],
)
def test_other_runtimes_answer_the_same(work: str, package: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    result = run_benchmarks(work, "--json", str(tmp_path / "figures.json"))
    assert result.returncode == 0, result.stderr
    (figures,) = json.loads((tmp_path / "figures.json").read_text())["works"]
    assert figures["times_faster"] > 0


def test_the_page_has_a_line_for_each_work() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    works = [work_of(line) for line in page.split("\n")]
    assert sorted(name for name in works if name in NAMES) == sorted(NAMES)


def test_lines_of_the_page_are_replaced() -> None:
    old, other = "| one | 1 ms | 1 MB | – | – | – | – |", "| one | another table |"
    new = old.replace("1 ms", "2 ms")
    page = f"text\n{HEADER}\n{old}\n\n{other}\n"
    assert replace_lines(page, [new]) == page.replace(old, new)
    with pytest.raises(ValueError, match="is of two"):
        replace_lines(page, [new.replace("one", "two")])


def test_help_names_the_variable_of_each_environment() -> None:
    result = run_benchmarks("--help")
    assert all(variable in result.stdout for variable in PEERS)


def test_a_word_that_no_work_has_is_an_error() -> None:
    result = run_benchmarks("no such work")
    assert result.returncode == 2
    assert "no such work" in result.stderr


def test_a_model_that_is_not_quantized_is_an_error() -> None:
    command = [sys.executable, "-m", "benchmarks.quantizers", "digits", "no such model"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert (
        result.stderr == "no such model: no such model; expected some of digits, shapes, dense, mobilenetv2\n"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_exists(path: Path) -> None:
    """Inside functions too: no other test runs most of these scripts."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module not in OF_THE_PUBLISHED:
                for alias in names if module.startswith(OURS) else ():
                    pkgutil.resolve_name(f"{module}.{alias.name}")
