"""Golden files: each pass on small graphs that it changes, and on such that it must leave alone."""

from __future__ import annotations

import pytest
from support.check_pass import PASSES, check_pass
from support.golden import FILES, FOLDER, GOLDENS, print_golden, print_goldens, read_goldens, update_golden

KINDS = ("fires_", "leaves_", "shared_")
"""How cases are named: the pass changes the graph, does not, or meets a second reader."""

UPDATE = "run pytest tests/passes/test_golden.py --update, then read the diff"

EXPECTED = {FOLDER / f"{name}.ir" for name in PASSES}

IDS = [golden.id for golden in GOLDENS]


@pytest.mark.parametrize("golden", GOLDENS, ids=IDS)
def test_golden(golden, request):
    assert golden.pass_name in PASSES, f"step 2: PIPELINE has no pass {golden.pass_name}"
    graph = golden.graph
    after = check_pass(graph, PASSES[golden.pass_name])
    if request.config.getoption("--update"):
        update_golden(golden, after)
        return
    assert golden.after.strip(), f"the case {golden.id} has no graph after `=>`: {UPDATE}"
    assert print_golden(graph) == golden.before, f"the case {golden.id} is written otherwise: {UPDATE}"
    assert print_golden(after) == golden.after, f"the pass makes another graph: if it is right, {UPDATE}"
    assert (after is graph) or not golden.name.startswith("leaves_"), "the pass changes this graph"
    assert (after is not graph) or not golden.name.startswith("fires_"), "the pass leaves this graph alone"


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_has_golden_cases_of_each_kind(name):
    names = [golden.name for golden in GOLDENS if golden.pass_name == name]
    for kind in KINDS:
        assert any(found.startswith(kind) for found in names), (
            f"step 3: add `// case: {kind}…` and a graph to tests/passes/{name}.ir "
            f"(docs/writing_a_pass.md#the-tests), {UPDATE}"
        )


def test_each_file_is_of_a_pass():
    for path in FILES:
        assert path in EXPECTED, f"{path} is of no pass: name it after one that is in PIPELINE (step 2)"


def test_each_case_has_a_name_of_its_own():
    assert sorted(set(IDS)) == sorted(IDS)
    for golden in GOLDENS:
        assert golden.name.startswith(KINDS), f"{golden.id}: begin its name with one of {', '.join(KINDS)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_reads_back(path):
    assert print_goldens(read_goldens(path)) == path.read_text("utf-8"), f"a half is missing: {UPDATE}"
