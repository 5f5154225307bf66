"""Golden files: each pass on small graphs that it changes, and on such that it must leave alone."""

from __future__ import annotations

import pytest
from support.check_pass import PASSES, check_pass
from support.golden import FILES, FOLDER, GOLDENS, print_golden, print_goldens, read_goldens, update_golden

KINDS = ("fires_", "leaves_", "shared_")
"""How cases are named: the pass changes the graph, does not, or meets a second reader."""

IDS = [golden.id for golden in GOLDENS]


@pytest.mark.parametrize("golden", GOLDENS, ids=IDS)
def test_golden(golden, request):
    graph = golden.graph
    after = check_pass(graph, PASSES[golden.pass_name])
    if request.config.getoption("--update"):
        update_golden(golden, after)
        return
    assert print_golden(graph) == golden.before
    assert print_golden(after) == golden.after
    assert (after is graph) or not golden.name.startswith("leaves_")
    assert (after is not graph) or not golden.name.startswith("fires_")


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_has_golden_cases_of_each_kind(name):
    names = [golden.name for golden in GOLDENS if golden.pass_name == name]
    for kind in KINDS:
        assert any(found.startswith(kind) for found in names), f"{name} has no golden case {kind}…"


def test_each_pass_has_one_file():
    assert set(FILES) == {FOLDER / f"{name}.ir" for name in PASSES}


def test_each_case_has_a_name_of_its_own():
    assert sorted(set(IDS)) == sorted(IDS)
    assert all(golden.name.startswith(KINDS) for golden in GOLDENS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_reads_back(path):
    assert print_goldens(read_goldens(path)) == path.read_text("utf-8")
