"""Golden files: each pass on small graphs that it changes, and on such that it must leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.check_pass import PASSES, Golden, check_pass, print_golden

from sensenet.ir.parser import parse_graph

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.ir"))
KINDS = ("fires_", "leaves_", "shared_")
"""How golden files are named: the pass changes the graph, does not, or meets a second reader."""


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
def test_golden(path, request):
    golden = Golden(path)
    _, before, expected = golden.read()
    graph = parse_graph(before)
    after = check_pass(graph, golden.current)
    if request.config.getoption("--update"):
        golden.update(after)
        return
    assert print_golden(graph) == before
    assert print_golden(after) == expected
    assert (after is graph) or not path.stem.startswith("leaves_")
    assert (after is not graph) or not path.stem.startswith("fires_")


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_has_golden_files_of_each_kind(name):
    names = [path.stem for path in FILES if path.parent.name == name]
    for kind in KINDS:
        assert any(found.startswith(kind) for found in names), f"{name} has no golden file {kind}….ir"


def test_each_directory_is_of_a_pass():
    assert {path.parent.name for path in FILES} <= set(PASSES)
