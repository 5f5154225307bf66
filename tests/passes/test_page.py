"""docs/passes.md is what the docstrings of the passes say, and what they show are graphs."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import attrs
import pytest
from support.check_pass import PASS_FILES

import sensenet
from sensenet.ir.ops.table import OPS
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.selection import LOWERING

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "passes_page.py"))

NAMES = [*(name.replace("_", "-") for name in PASS_FILES), *LOWERING]
"""The names of all files of passes, whether the pipeline has them or not."""

NODE = re.compile(r"%(\w+) = (\w+)\((.*?)\) (\{.*\}) : (.+)")
"""A line of the text form."""

UNCHANGED = "prints the same afterwards"
"""What a pass says that changes no line of the text."""


def shown(name):
    """The graphs that the docstring of a pass shows, and the words between them."""
    _, parts = TOOL["split_docstring"](name)
    words = " ".join(text for is_graph, text in parts if not is_graph)
    return [text for is_graph, text in parts if is_graph], " ".join(words.split())


def names_in(attributes):
    """The names of the outermost attributes in `{name=value, …}`."""
    inside = attributes[1:-1]
    while (flat := re.sub(r"[\[({][^\[\](){}]*[\])}]", "", inside)) != inside:
        inside = flat
    return re.findall(r"(\w+)=", inside)


def test_the_page_is_current():
    page = (ROOT / "docs" / "passes.md").read_text("utf-8")
    assert page == TOOL["make_page"](), "run: python tools/passes_page.py"


def test_the_page_has_every_pass_and_its_place():
    page = TOOL["make_page"]()
    assert re.findall("^## (.+-.+|legalize)$", page, re.MULTILINE) == [*ALL_PASSES, *LOWERING]
    places = re.findall(r"^\| (\d+) \| \[(.+)\]\(#\2\) \| (.+?) \|", page, re.MULTILINE)
    expected = [
        (str(n), name, " ".join(f"-O{level}" for level, passes in PIPELINES.items() if each in passes))
        for n, (name, each) in enumerate(ALL_PASSES.items(), start=1)
    ]
    assert places == expected


def test_what_passes_are_worth_stands_at_the_end(monkeypatch, tmp_path):
    table = tmp_path / "passes.md"
    monkeypatch.setitem(TOOL["make_page"].__globals__, "WORTH", table)
    without = TOOL["make_page"]()
    assert "## What each is worth" not in without
    table.write_text("| pass | worth |\n")
    assert TOOL["make_page"]() == without + "\n## What each is worth\n\n| pass | worth |\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_shows_before_and_after(name):
    file = Path(TOOL["module_of"](name).__file__).relative_to(Path(sensenet.__file__).parents[1])
    missing = f"step 1: the docstring of {file} has"
    docstring = TOOL["module_of"](name).__doc__ or ""
    assert docstring.startswith(f"{name}: "), f"{missing} no first line “{name}: …”"
    graphs, words = shown(name)
    enough = 1 if UNCHANGED in words else 2
    assert len(graphs) >= enough, f"{missing} {len(graphs)} graphs: indent one before and one after by 4"
    assert "becomes" in words or UNCHANGED in words, f"{missing} no line “becomes” between the graphs"
    assert "Valid" in words, f"{missing} no “Valid because …”"
    if name != "legalize":  # which raises for what it cannot lower
        assert "ust not fire" in words, f"{missing} no “Must not fire …”"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_docstring_shows_is_in_the_text_form(name):
    for graph in shown(name)[0]:
        defined = set()
        for line in graph.splitlines():
            match = NODE.fullmatch(line)
            assert match, f"{name}: not as `%1 = relu(%0) {{…}} : f32[?,4]`: {line}"
            result, op, _, attributes, _ = match.groups()
            assert op in OPS, f"{name}: there is no op {op}: {line}"
            unknown = set(names_in(attributes)) - {field.name for field in attrs.fields(OPS[op])}
            assert not unknown, f"{name}: {op} has no attributes {unknown}: {line}"
            assert result not in defined, f"{name}: %{result} is there twice: {line}"
            defined.add(result)


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_the_place_of_a_node_keeps_its_name(name):
    last = [NODE.fullmatch(graph.splitlines()[-1])[1] for graph in shown(name)[0]]
    assert len(set(last)) <= 1, f"{name}: the last node of each graph has the same name, not {last}"
