"""The pages name files, functions and modules that exist, and their lines are short."""

from __future__ import annotations

import ast
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), ROOT / "examples/README.md"]
GENERATED = {"api.md", "passes.md"}
WRITTEN = [page for page in PAGES if page.name not in GENERATED]
LONGEST_LINE = 120

STARTS = ("", "sensenet/", "sensenet/frontend/", "tests/", "docs/", "benchmarks/", "examples/")
"""Where a path in a page may begin."""

FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|js|md|toml|css|json|svg)|(?:[\w.-]+/)+)`")
"""A path of a file with a folder, or of a folder."""
PAIR = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.py|[\w-]+\.py)`, `(\w+)`")
"""A file and a function, class or constant in it."""
MODULE = re.compile(r"`(sensenet(?:\.\w+)+)")

OF_OTHERS = {"sensenet.layers", "sensenet.preprocess", "sensenet.importers", "sensenet.json"}
"""Modules of the published package that this one lacks; a file in an archive."""

MADE = {"assets/sensenet.json", "assets/settings.json"}
"""Files that a page names and an artifact has."""


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def find(path: str) -> Path | None:
    """The file or folder of that path, which may leave out a folder of STARTS."""
    return next((ROOT / start / path for start in STARTS if (ROOT / start / path).exists()), None)


def names_of(path: Path) -> set[str]:
    """What a module defines or assigns outside of functions and classes."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_tables_in_docstrings_have_a_row_a_line():
    """As they have before somebody wraps them like prose."""
    rule = re.compile(r"\|(?:-+\|)+")
    lines = [line for path in ROOT.glob("sensenet/**/*.py") for line in path.read_text("utf-8").splitlines()]
    found = [line.strip() for line in lines if rule.search(line)]
    assert found
    assert [line for line in found if not rule.fullmatch(line)] == []


@pytest.mark.parametrize("page", WRITTEN, ids=page_id)
def test_lines_are_short(page):
    """But for rows of tables and code, which cannot be wrapped."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    long = [line for line in prose.splitlines() if len(line) > LONGEST_LINE and not line.startswith("|")]
    assert long == []


@pytest.mark.parametrize("page", WRITTEN, ids=page_id)
def test_files_that_a_page_names_exist(page):
    assert [
        path for path in FILE.findall(page.read_text("utf-8")) if path not in MADE and not find(path)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_modules_that_a_page_names_exist(page):
    for name in set(MODULE.findall(page.read_text("utf-8"))) - OF_OTHERS:
        pkgutil.resolve_name(name)


@pytest.mark.parametrize("page", WRITTEN, ids=page_id)
def test_functions_that_a_page_names_are_in_their_files(page):
    for path, name in PAIR.findall(page.read_text("utf-8")):
        file = find(path)
        assert file, f"there is no file {path}"
        assert name in names_of(file), f"{path} has no {name}"


@pytest.mark.parametrize("kind", ["activation", "layer", "op"])
def test_messages_name_the_steps_of_the_checklists(kind):
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = page.split(f"## To add a{'n' if kind[0] in 'ao' else ''} {kind}\n")[1].split("\n## ")[0]
    steps = re.findall(r"^\| (\d+)\. .*\|(.*)\|$", section, re.MULTILINE)
    assert steps
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    for number, cell in steps:
        for path, name in PAIR.findall(cell):
            source = find(path).read_text("utf-8")
            (test,) = [node for node in ast.parse(source).body if getattr(node, "name", None) == name]
            assert re.search(rf"{kind}, steps? .*\b{number}\b", ast.get_source_segment(source, test)), (
                f"let {name} of {path} say “{kind}, step {number}: …”, as CONTRIBUTING.md numbers it"
            )


def test_the_pass_that_a_page_shows_is_that_of_the_package():
    (block,) = re.findall(
        r"^```python\n(def .*?)^```$", (ROOT / "docs/writing_a_pass.md").read_text("utf-8"), re.M | re.S
    )
    assert block in (ROOT / "sensenet/passes/fuse_activations.py").read_text("utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", WRITTEN, ids=page_id)
def test_headings_that_a_page_links_to_exist(page):
    for target, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", page.read_text("utf-8")):
        linked = page.parent / target if target else page
        assert anchor in anchors(linked), f"{target or 'the page'} has no heading #{anchor}"


def test_the_tour_names_a_file_and_a_function_at_each_hop():
    hops = re.findall(r"^\| \d+ \|(.*?)\|", (ROOT / "docs/tour.md").read_text("utf-8"), re.MULTILINE)
    assert len(hops) >= 30
    assert [hop for hop in hops if not PAIR.search(hop)] == []


def test_a_stale_name_is_found():
    assert PAIR.findall("see `ir/graph.py`, `Graph`, and `op.py`, `Op`") == [
        ("ir/graph.py", "Graph"),
        ("op.py", "Op"),
    ]
    assert FILE.findall("`ir/graph.py`, `docs/`, `a.b`, `x/y`") == ["ir/graph.py", "docs/"]
    assert find("ir/graph.py") == ROOT / "sensenet/ir/graph.py"
    assert find("ir/no_such_file.py") is None
    assert {"Graph", "apply"} <= names_of(ROOT / "sensenet/ir/graph.py")
