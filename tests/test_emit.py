"""`sensenet compile --emit`: drawings of the graph that a target is made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.documents import ensemble, image, typed

from sensenet import compile
from sensenet.backends import TARGETS, get_target
from sensenet.cli.compile import main
from sensenet.compiler.pipelines import lowering_passes
from sensenet.drawing import FORMS, draw
from sensenet.frontend import import_graph
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes


@pytest.fixture
def model(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(ensemble()))
    return "model.json"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("level", [0, 2])
def test_a_drawing_of_the_level(model, form, level):
    assert main([model, "--emit", form, f"-O{level}"]) == 0
    graph = compile(ensemble(), "ir", optimize=level).graph
    assert Path(f"model.{form}").read_text("utf-8") == draw(graph, form)
    assert len(list(Path.cwd().iterdir())) == 2


def test_a_drawing_of_what_a_target_is_made_from(model):
    assert main([model, "--emit", "svg", "-t", "numpy", "-o", "graph"]) == 0
    assert Path("graph").read_text("utf-8") == draw(compile(ensemble(), "numpy").graph, "svg")


@pytest.mark.parametrize(("image", "level"), [("iris.svg", "-O0"), ("iris_optimized.svg", "-O2")])
def test_the_images_of_the_documentation_are_current(image, level, tmp_path):
    root = Path(__file__).parents[1]
    made = tmp_path / image
    assert main([str(root / "examples/iris.json"), "--emit", "svg", level, "-o", str(made)]) == 0
    assert made.read_text("utf-8") == (root / "docs" / image).read_text("utf-8")


def test_standard_output(model, capfdbinary):
    assert main([model, "--emit", "dot", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out.decode() == draw(compile(ensemble(), "ir").graph, "dot")


def test_printing_and_drawing(model, capsys):
    assert main([model, "--emit", "html", "--print-ir"]) == 0
    assert capsys.readouterr().out.startswith("sensenet graph")
    assert Path("model.html").exists()


def test_nothing_is_replaced_unless_forced(model, capsys):
    Path("model.svg").write_text("mine")
    assert main([model, "--emit", "svg"]) == 1
    assert "model.svg already exists" in capsys.readouterr().err
    assert Path("model.svg").read_text() == "mine"
    assert main([model, "--emit", "svg", "-f"]) == 0
    assert Path("model.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--emit", "png"], "invalid choice: 'png'"),
        (["--emit", "svg", "-t", "ir", "-t", "numpy"], "--emit draws one graph"),
        (["--emit", "svg", "--strip-weights"], "--strip-weights writes a document alone"),
    ],
)
def test_wrong_command_lines(model, capsys, options, message):
    with pytest.raises(SystemExit) as error:
        main([model, *options])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("make", [ensemble, typed, image])
def test_the_graph_of_every_target_is_drawn(target, make):
    backend = get_target(target)
    passes = (*PIPELINES[2], *lowering_passes(backend))
    graph, _ = run_passes(import_graph(make()), passes)
    for form in FORMS:
        assert all(node.name in draw(graph, form) for node in graph.nodes)
