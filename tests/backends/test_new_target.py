"""A target is one module and a line in the table: everything else sees it there."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import json_target
from support.documents import ROW, typed
from support.target_pages import (
    options_in_page,
    options_of_targets,
    targets_in_readme,
    targets_without_section,
)

import sensenet
from sensenet.backends import MODULES, TARGETS
from sensenet.backends.options import describe_options
from sensenet.backends.target import Target
from sensenet.cli import bisect as bisect_command
from sensenet.cli import compile as command
from sensenet.cli import predict
from sensenet.compiler.sources import find_target
from sensenet.errors import ArtifactError, UnknownTargetError
from sensenet.files.reading import read_head
from sensenet.models.engines import ENGINES

PACKAGE = Path(sensenet.__file__).parent
ROWS = [list(ROW), [None, "red", 3]]
IMPORTED_LATE = {"tensorflow", "keras", "ai_edge_litert", "flatbuffers", "h5py", "tensorflowjs"}


@pytest.fixture
def added(monkeypatch, tmp_path):
    """The target json, in the table of this process and its children; the working directory is empty."""
    monkeypatch.setitem(MODULES, "json", json_target.__name__)
    path = [str(Path(json_target.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(json.dumps(typed()))
    return tmp_path


def require_answers(model):
    assert model.engine == "json"
    np.testing.assert_allclose(model(ROWS), sensenet.create_model(typed())(ROWS), rtol=1e-6)


def test_it_compiles_and_opens(added):
    artifact = sensenet.compile(typed(), "json")
    path = artifact.save(added / "saved")
    for source in (artifact, path):
        model = sensenet.create_model(source)
        require_answers(model)
        require_answers(pickle.loads(pickle.dumps(model)))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ArtifactError, match="is damaged"):
        sensenet.create_model(path)


def test_documents_are_not_taken_for_it(added):
    assert find_target(added / "m.json") is None
    assert sensenet.create_model(added / "m.json").engine == "numpy"


def test_it_is_an_engine(added, capsys):
    require_answers(sensenet.create_model(typed(), engine="json"))
    with pytest.raises(SystemExit):
        predict.main(["--help"])
    assert "json" in capsys.readouterr().out


def test_it_is_verified_in_a_fresh_process(added):
    assert sensenet.compile(typed(), "json", verify=True).report.verification.rows > 0


def test_the_command_compiles_for_it(added):
    assert command.main(["m.json", "-t", "json", "--verify"]) == 0
    assert find_target("m.graph.json").name == "json"
    assert command.main(["m.json", "-o", "by_suffix.graph.json", "--option", "layout=indented"]) == 0
    assert find_target("by_suffix.graph.json").name == "json"
    assert Path("by_suffix.graph.json").read_text().startswith('{\n "sensenet_graph": ')


def test_the_command_lists_it(added, capsys):
    assert command.main(["--list-targets"]) == 0
    brief = capsys.readouterr().out.splitlines()
    assert brief[-1].split() == ["json", ".graph.json", "the", "graph", "as", "JSON"]
    assert command.main(["--list-targets", "-v"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "    layout: compact, indented (default: compact)",
        "        Whether each number has a line.",
    ]


def test_its_options_are_checked(added):
    with pytest.raises(UnknownTargetError, match=r"json has no option 'layuot'; did you mean 'layout'\?"):
        sensenet.compile(typed(), "json", layuot="indented")
    with pytest.raises(UnknownTargetError, match=r"'indent'; did you mean 'indented'\? expected one of comp"):
        sensenet.compile(typed(), "json", layout="indent")
    with pytest.raises(UnknownTargetError, match=r"unknown target 'jsn'; did you mean 'json'\?"):
        sensenet.compile(typed(), "jsn")


def test_bisect_tries_it(added, capsys):
    assert bisect_command.main(["m.json", "-t", "json"]) == 0
    assert "no answer differs" in capsys.readouterr().out


def test_the_pages_lack_it(added):
    assert targets_in_readme() != list(TARGETS)
    assert options_in_page() != options_of_targets()
    assert targets_without_section() == ["json"]


@pytest.mark.parametrize("name", MODULES)
def test_step_1_the_module_holds_the_target(name):
    target = importlib.import_module(MODULES[name]).TARGET
    assert isinstance(target, Target)
    assert target.name == name
    assert target.options.__doc__
    assert all(option.meaning for option in describe_options(target.options))


def test_step_2_each_target_has_a_line_in_the_table():
    """Each module of the room that makes a `Target`."""
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((PACKAGE / "backends").rglob("*.py"))
        if "\nTARGET = " in path.read_text("utf-8")
    ]
    assert sorted(MODULES.values()) == modules


def test_step_3_the_modules_import_little():
    """Opening a file asks each target whether it is its own, which imports all modules of the table."""
    code = (
        "import sys, sensenet.models.create; before = set(sys.modules); "
        "from sensenet.backends import TARGETS; list(TARGETS.values()); "
        "print(*(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = result.stdout.split()
    assert not {module.partition(".")[0] for module in imported} & IMPORTED_LATE
    assert len(imported) <= 2 * len(MODULES), sorted(imported)


def test_step_4_the_readme_has_a_row():
    assert targets_in_readme() == list(TARGETS), "give each target a row in the README's table"


def test_step_4_the_page_has_a_section():
    assert targets_without_section() == [], "give each target a section in docs/targets.md"


def test_step_4_the_page_lists_the_options():
    expected = options_of_targets()
    assert options_in_page() == expected, "the table of docs/targets.md is\n" + "\n".join(expected)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", MODULES)
def test_step_5_a_saved_artifact_is_recognized_and_opened(name, tmp_path):
    """By its own target and no other."""
    for package in ("tensorflow", "tensorflowjs", "ai_edge_litert"):
        pytest.importorskip(package)
    target = TARGETS[name]
    artifact = sensenet.compile(typed(), name)
    path = artifact.save(tmp_path / f"model{target.suffix}")
    head = read_head(path)
    assert [each.name for each in TARGETS.values() if each.recognizes(path, head)] == [name]
    assert set(target.list_files(path)) == {each for each in tmp_path.rglob("*") if each.is_file()}
    if not target.runs:
        assert name not in ENGINES
        with pytest.raises(ArtifactError):
            sensenet.create_model(path)
        return
    model = sensenet.create_model(path, engine=name)
    np.testing.assert_allclose(model(ROWS), sensenet.create_model(typed())(ROWS), rtol=1e-4, atol=1e-5)
