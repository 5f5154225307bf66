"""sensenet.compile: sources, targets, levels, stages, reports."""

from __future__ import annotations

import gzip
import inspect
import json
from pathlib import Path

import attrs
import numpy as np
import pytest
from support.small_network import DOCUMENT, ROWS, predict, reference

import sensenet
from sensenet.backends import TARGETS, get_target
from sensenet.compiler.driver import compile, compile_targets
from sensenet.compiler.pipelines import make_executable
from sensenet.compiler.request import ARGUMENTS, Request
from sensenet.errors import (
    ArtifactError,
    DocumentError,
    SettingsError,
    UnknownPassError,
    UnknownTargetError,
    UnsupportedOpError,
)
from sensenet.frontend import import_graph
from sensenet.ir.graph import same_graph
from sensenet.passes import PIPELINES


@pytest.mark.parametrize("level", PIPELINES)
def test_every_level_means_the_same(level):
    artifact = sensenet.compile(DOCUMENT, "numpy", optimize=level)
    np.testing.assert_allclose(predict(artifact), reference(), rtol=1e-6)
    assert artifact.report.level == level
    assert artifact.target == artifact.report.target == "numpy"


def test_sources(tmp_path):
    text = json.dumps(DOCUMENT)
    path, packed = tmp_path / "m.json", tmp_path / "m.json.gz"
    path.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    sources = [DOCUMENT, text, text.encode(), str(path), path, packed]
    graphs = [sensenet.compile(source, "numpy").graph for source in sources]
    assert all(same_graph(graphs[0], graph) for graph in graphs)


def test_a_document_is_not_changed():
    before = json.dumps(DOCUMENT)
    sensenet.compile(DOCUMENT, "numpy")
    assert json.dumps(DOCUMENT) == before


def test_a_graph_is_a_source():
    imported = sensenet.compile(DOCUMENT, "numpy", optimize=0).graph
    again = sensenet.compile(imported, "numpy", optimize=2)
    assert same_graph(again.graph, sensenet.compile(DOCUMENT, "numpy", optimize=2).graph)


@pytest.mark.parametrize("target", ["ir", "numpy"])
def test_a_saved_graph_is_a_source(tmp_path, target):
    artifact = sensenet.compile(DOCUMENT, target)
    path = artifact.save(tmp_path / f"m{TARGETS[target].suffix}")
    assert same_graph(sensenet.compile(path, "numpy").graph, artifact.graph)


def test_a_graph_takes_no_settings():
    graph = sensenet.compile(DOCUMENT, "numpy").graph
    with pytest.raises(SettingsError, match="a graph's settings are fixed"):
        sensenet.compile(graph, "numpy", settings={"regression_normalize": True})
    sensenet.compile(graph, "numpy", settings={})


def test_settings_reach_the_graph():
    artifact = sensenet.compile(DOCUMENT, "numpy", settings={"regression_normalize": True})
    np.testing.assert_allclose(predict(artifact), (reference() - 10.0) / 3.0, rtol=1e-5)
    assert artifact.graph.signature.settings == {"regression_normalize": True}


def test_compiling_twice_gives_the_same_bytes():
    first, second = (bytes(sensenet.compile(DOCUMENT, "numpy")) for _ in range(2))
    assert first == second


def test_stages_are_observed():
    stages = []
    sensenet.compile(DOCUMENT, "numpy", observe=lambda stage, graph: stages.append((stage, len(graph.nodes))))
    passes = [current.name for current in PIPELINES[2]]
    assert [stage for stage, _ in stages] == ["imported", *passes, "legalize"]
    assert stages[0][1] > stages[-1][1]


def test_stages_of_several_targets_are_told_apart():
    stages = []
    targets = compile_targets(
        DOCUMENT, ["numpy", "ir"], passes=[], observe=lambda stage, _: stages.append(stage)
    )
    assert len(list(targets)) == 2
    assert stages == ["imported", "legalize-numpy", "legalize-ir"]


def test_the_report_tells_of_every_stage():
    report = sensenet.compile(DOCUMENT, "numpy").report
    assert [record.name for record in report.passes] == [*[p.name for p in PIPELINES[2]], "legalize"]
    assert report.frontend_seconds > 0
    assert report.backend_seconds > 0
    assert len(report.lines()) == len(report.passes) + 2


@pytest.mark.parametrize("level", [3, -1, "2", 1.5, None])
def test_an_unknown_level(level):
    with pytest.raises(UnknownTargetError, match="expected one of: 0, 1, 2"):
        sensenet.compile(DOCUMENT, "numpy", optimize=level)


def test_passes_are_chosen_by_name():
    report = sensenet.compile(DOCUMENT, "numpy", passes=["fuse-activations", "remove-identities"]).report
    assert [record.name for record in report.passes] == ["fuse-activations", "remove-identities", "legalize"]
    assert len(sensenet.compile(DOCUMENT, "numpy", passes=[]).report.passes) == 1


def test_targets_of_one_level_keep_it_whatever_passes_are_chosen():
    report = sensenet.compile(DOCUMENT, "h5", passes=["remove-identities"]).report
    assert [record.name for record in report.passes] == ["legalize"]


@pytest.mark.parametrize("target", ["numpy", "h5"])
def test_an_unknown_pass(target):
    with pytest.raises(UnknownPassError, match="unknown pass 'fuse'"):
        sensenet.compile(DOCUMENT, target, passes=["fuse"])


def test_an_unknown_target():
    with pytest.raises(UnknownTargetError, match=r"unknown target 'caffe'; expected one of: ir, numpy"):
        sensenet.compile(DOCUMENT, "caffe")


def test_an_unknown_option():
    with pytest.raises(UnknownTargetError, match="no option 'quantize'"):
        sensenet.compile(DOCUMENT, "numpy", quantize="int8")


@pytest.mark.parametrize("source", [{}, [], None, 3, "", "{", b"\xff", "nowhere.json", {"layers": []}])
def test_sources_that_mean_nothing(source):
    with pytest.raises(DocumentError):
        sensenet.compile(source, "numpy")


def test_a_damaged_archive(tmp_path):
    path = sensenet.compile(DOCUMENT, "numpy").save(tmp_path / "m.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ArtifactError, match="truncated or damaged"):
        sensenet.compile(path, "ir")


def test_ops_that_the_target_lacks_are_an_error(monkeypatch):
    poor = attrs.evolve(get_target("numpy"), legal=dict)
    monkeypatch.setattr("sensenet.compiler.driver.get_target", lambda target: poor)
    with pytest.raises(sensenet.SensenetError) as caught:
        sensenet.compile(DOCUMENT, "numpy")
    causes = [caught.value, caught.value.__cause__]
    assert any(isinstance(cause, UnsupportedOpError) for cause in causes)


def test_a_request_has_the_arguments_of_compile():
    parameters = inspect.signature(compile).parameters
    assert parameters.keys() - {"source", "target", "options"} == ARGUMENTS
    defaults = {name: parameters[name].default for name in ARGUMENTS - {"settings", "observe"}}
    request = Request(source=DOCUMENT, targets=["numpy", "ir", "numpy"])
    assert {name: getattr(request, name) for name in defaults} == defaults
    assert request.targets == ("numpy", "ir")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.optimize = 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 3}, "rows is of type int; expected a list of rows, an array or a data frame"),
        ({"rows": Path("rows.csv")}, "rows is of type (Posix|Windows)Path; expected a list of rows"),
        ({"calibration": iter(())}, "calibration is of type tuple_iterator; .* or a data frame, or a path"),
        ({"calibration": None}, "calibration is of type NoneType"),
        ({"passes": 3}, "passes is of type int; expected a list of names"),
        ({"weights": 3}, "weights is of type int; expected a path"),
    ],
)
def test_arguments_of_other_types_are_refused(arguments, message):
    with pytest.raises(SettingsError, match=f"the argument {message}"):
        sensenet.compile(DOCUMENT, "numpy", **arguments)


def test_no_target_makes_no_artifact():
    assert not [*compile_targets(DOCUMENT, [])]


def test_several_targets_take_the_arguments_of_one():
    with pytest.raises(UnknownTargetError, match="numpy has no option 'quantise'"):
        list(compile_targets(DOCUMENT, ["numpy"], optimize=0, quantise=True))
    with pytest.raises(SettingsError, match="unknown setting 'threshold'"):
        compile_targets(DOCUMENT, ["numpy"], settings={"threshold": 1})
    reports = [artifact.report for artifact in compile_targets(DOCUMENT, ["numpy", "h5"], optimize=2)]
    assert [(report.target, report.level) for report in reports] == [("numpy", 2), ("h5", 0)]


def test_the_interpreter_executes_a_graph_without_an_artifact(monkeypatch):
    def refuse(*_):
        raise AssertionError("an artifact was made")

    graph = import_graph(DOCUMENT)
    target = attrs.evolve(get_target("numpy"), build=refuse, load=refuse)
    monkeypatch.setattr("sensenet.compiler.pipelines.get_target", lambda _: target)
    executable = make_executable(graph, "numpy")
    expected = sensenet.compile(graph, "numpy").graph
    assert same_graph(executable.graph, expected)
    assert len(expected.nodes) < len(graph.nodes)


@pytest.mark.tensorflow
def test_keras_and_tflite(tmp_path):
    pytest.importorskip("tensorflow")
    keras = sensenet.compile(DOCUMENT)
    assert keras.target == "keras"
    np.testing.assert_allclose(keras.model(ROWS), reference(), rtol=1e-5)
    tflite = sensenet.compile(DOCUMENT, "tflite")
    np.testing.assert_allclose(predict(tflite), reference(), rtol=1e-5)
    with pytest.raises(ArtifactError, match="does not contain its graph"):
        sensenet.compile(tflite.save(tmp_path / "m.tflite"), "numpy")
