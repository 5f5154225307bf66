"""The site of the documentation: built strictly, with every page, and no request to anywhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs_jupyter")
pytest.importorskip("material")

ROOT = Path(__file__).parents[1]

REQUEST = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc\s*=\s*["']?((?:https?:)?//[^"' >]*)"""
    r"""|<link\b(?![^>]*rel="?canonical)[^>]*\bhref\s*=\s*["']?((?:https?:)?//[^"' >]*)"""
)
"""What a browser would fetch from elsewhere for a page."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return folder


def test_every_page_is_on_the_site(site):
    sources = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/**/*.ipynb")]
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in sources}
    assert {page for page in pages if not (site / page).is_file()} == set()
    navigation = (site / "index.html").read_text(encoding="utf-8")
    assert {page for page in pages if f'href="{page.as_posix()}"' not in navigation} == set()


def test_links_to_files_outside_of_the_documentation_lead_to_the_site(site):
    page = (site / "passes.html").read_text(encoding="utf-8")
    assert 'href="source/sensenet/passes/fuse_activations.py"' in page
    copied = site / "source" / "sensenet" / "passes" / "fuse_activations.py"
    assert copied.read_bytes() == (ROOT / "sensenet" / "passes" / "fuse_activations.py").read_bytes()
    for page, link in (("writing_a_pass", "CONTRIBUTING.html#to-add-a-pass"), ("CONTRIBUTING", "tour.html")):
        assert f'href="{link}"' in (site / f"{page}.html").read_text(encoding="utf-8")


def test_models_of_rows_are_pages_that_predict(site):
    linked = re.findall(r'href="(models/[^"]+)"', (site / "examples.html").read_text(encoding="utf-8"))
    assert len(linked) == 4
    assert sorted(linked) == sorted(f"models/{path.name}" for path in site.glob("models/*"))
    assert all("<form" in (site / page).read_text(encoding="utf-8") for page in linked)
    first_page = (site / "index.html").read_text(encoding="utf-8")
    assert '<iframe src="models/iris.html" title="The page of' in first_page


def test_figures_of_the_first_page_are_those_of_the_benchmarks():
    lines = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").splitlines()
    measured = {row[0]: row for row in (line.strip("| ").split(" | ") for line in lines) if len(row) == 7}
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (.+) \| ([\d.]+ m?s) \| ([\d,]+) \|$", page, re.MULTILINE)
    assert len(shown) == 5
    for work, time, faster in shown:
        _, our_time, _, times_faster, *_ = measured[work]
        assert time == our_time.split(" (")[0]
        assert faster == f"{float(times_faster.replace(',', '')):,.0f}"


def test_no_page_asks_for_anything_from_elsewhere(site):
    pages = [*site.rglob("*.html")]
    assert len(pages) > 30
    assert REQUEST.search('<script async src="https://example.org/a.js">')
    found = {(page.name, match[0]) for page in pages for match in REQUEST.finditer(page.read_text("utf-8"))}
    assert found == set()


def test_pages_are_found_by_what_they_say(site):
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert "fold-batch-normalization" in index
    assert "Open Inference Protocol" in index
