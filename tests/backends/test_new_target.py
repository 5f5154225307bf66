"""A target is one module and a line in the table: everything else sees it there."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import re
import subprocess
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs
import numpy as np
import pytest
from fuzz.formats import FORMATS, FORMATS_OF_TARGETS
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
from sensenet.backends.options import KINDS, describe_options
from sensenet.backends.target import Target
from sensenet.cli import bisect as bisect_command
from sensenet.cli import compile as command
from sensenet.cli import predict
from sensenet.compiler.sources import find_target
from sensenet.errors import (
    ArtifactError,
    BrokenPackageError,
    LimitError,
    MissingPackageError,
    UnknownTargetError,
)
from sensenet.files.reading import read_head
from sensenet.models.engines import ENGINES

PACKAGE = Path(sensenet.__file__).parent
ROWS = [list(ROW), [None, "red", 3]]

IMPORTED_EARLY = {"sensenet", "numpy", "attr", "attrs", "threadpoolctl"}
"""The packages that modules of targets import at their top."""

OWN_ROOMS = (*MODULES.values(), "sensenet.backends.tensorflow")
"""Most of what is in them is imported in functions."""

LIGHT = {"sensenet.backends.keras.weights", *MODULES.values()}
"""Modules of these rooms that modules of targets may import at their top, as they may each `names`."""


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


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ("7", ArtifactError),
        ('"ä"', ArtifactError),
        ('"AAAA"', ArtifactError),
        ("1" + "0" * 5000, ArtifactError),
        ("[" * 100_000, ArtifactError),
        ("[{},{}]", ArtifactError),
        ("[" + "{}," * 40_000 + "{}]", LimitError),
    ],
    ids=["number", "not base64", "not an archive", "huge number", "deep", "list", "many values"],
)
def test_damaged_files_of_it_are_refused(added, monkeypatch, weights, error):
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "10MiB" if error is LimitError else "2GiB")
    for text in ('"sensenet graph"', "7", '"\\ud800"'):
        (added / "model").write_text(f'{{"sensenet_graph": {text}, "weights": {weights}}}')
        with pytest.raises(error):
            sensenet.create_model(added / "model")


def test_documents_are_not_taken_for_it(added):
    assert find_target(added / "m.json") is None
    assert sensenet.create_model(added / "m.json").engine in {"numpy", "native"}


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
        "        Whether each member has a line.",
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
    target = getattr(importlib.import_module(MODULES[name]), "TARGET", None)
    assert isinstance(target, Target), f"step 1: write TARGET = Target(name={name!r}, …) into {MODULES[name]}"
    assert target.name == name, f"step 1: {MODULES[name]} names its target {target.name!r}, MODULES {name!r}"
    options = f"{target.options.__module__}.{target.options.__name__}"
    assert target.options.__doc__, f"step 1: give {options} a docstring"
    for field in attrs.fields(target.options):
        assert field.default is not attrs.NOTHING, f"step 1: give {options}.{field.name} a default"
        kind = typing.get_type_hints(target.options)[field.name]
        assert kind in KINDS or typing.get_origin(kind) in (Literal, Sequence), (
            f"step 1: make the type of {options}.{field.name} Literal, Sequence, or one of KINDS: "
            "backends/options.py checks no others"
        )
    for option in describe_options(target.options):
        assert option.meaning, f"step 1: give {options}.{option.name} a docstring below it"


def test_step_2_each_target_has_a_line_in_the_table():
    """Each module of the room that makes a `Target`."""
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((PACKAGE / "backends").rglob("*.py"))
        if re.search("^TARGET(:.*)? = ", path.read_text("utf-8"), re.MULTILINE)
    ]
    table = "MODULES of sensenet/backends/__init__.py"
    for module in modules:
        assert module in MODULES.values(), f"step 2: give {module} a line in {table}"
    assert sorted(MODULES.values()) == modules, f"step 2: give each module one line in {table}"


def test_step_3_the_modules_import_little():
    """Opening a file asks each target whether it is its own, which imports all modules of the table."""
    code = """
import json, sys, sensenet.backends
for name in sensenet.backends.MODULES:
    before = set(sys.modules)
    sensenet.backends.TARGETS[name]
    print(json.dumps([name, sorted(set(sys.modules) - before)]))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = dict(map(json.loads, result.stdout.splitlines()))
    assert [*imported] == [*MODULES]
    for name, modules in imported.items():
        late = [module for module in modules if not may_be_imported_at_the_top(module)]
        assert not late, (
            f"step 3: import these inside of functions, not at the top of {MODULES[name]}: {', '.join(late)}"
        )


def may_be_imported_at_the_top(module):
    package = module.partition(".")[0]
    if package not in {*IMPORTED_EARLY, *sys.stdlib_module_names}:
        return False
    if module in LIGHT or module.endswith(".names"):
        return True
    return not module.startswith(tuple(f"{room}." for room in OWN_ROOMS))


def test_heavy_modules_are_imported_in_functions():
    heavy = ("tensorflow", "sensenet.backends.tfjs.convert", "sensenet.backends.tensorflow.activation")
    assert not any(map(may_be_imported_at_the_top, heavy))
    assert may_be_imported_at_the_top("sensenet.backends.tfjs.names")


def test_step_4_the_readme_has_a_row():
    assert targets_in_readme() == list(TARGETS), (
        "step 4: give each target a row in the table of README.md, in the order of MODULES: "
        f"{', '.join(TARGETS)}"
    )


def test_step_4_the_page_has_a_section():
    missing = targets_without_section()
    assert not missing, f"step 4: write a section `## {missing[0]}` into docs/targets.md"


def test_step_4_the_page_lists_the_options():
    expected = options_of_targets()
    table = "\n".join(expected)
    assert options_in_page() == expected, f"step 4: the table of docs/targets.md should be\n{table}"


@contextlib.contextmanager
def skipped_without_its_package():
    """The test is skipped if the block needs a package that is not installed."""
    try:
        yield
    except BrokenPackageError:
        raise
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", MODULES)
def test_step_5_a_saved_artifact_is_recognized_and_opened(name, tmp_path):
    """By its own target and no other."""
    target = TARGETS[name]
    path = tmp_path / f"model{target.suffix}"
    with skipped_without_its_package():
        path = sensenet.compile(typed(), name).save(path)
    head = read_head(path)
    found = [each.name for each in TARGETS.values() if each.recognizes(path, head)]
    assert found == [name], f"step 5: {path.name} is recognized by {found}, not by {name} alone"
    listed, present = set(target.list_files(path)), {each for each in tmp_path.rglob("*") if each.is_file()}
    assert listed == present, f"step 5: `list_files` of {name} returns {listed}, not the files {present}"
    if not target.runs:
        assert name not in ENGINES or target.executes
        with pytest.raises(ArtifactError):
            sensenet.create_model(path)
        return
    with skipped_without_its_package():
        model = sensenet.create_model(path, engine=name)
    np.testing.assert_allclose(model(ROWS), sensenet.create_model(typed())(ROWS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODULES)
def test_step_7_the_target_is_fuzzed(name):
    """Files of it, damaged, are opened."""
    chosen = FORMATS.get(FORMATS_OF_TARGETS.get(name, name))
    module = chosen.module if chosen else f"fuzz.{name}"
    file = f"tests/{module.replace('.', '/')}.py"
    assert chosen, f'step 7: write {file}, and "{name}": Format(…) into FORMATS of tests/fuzz/formats.py'
    for function in ("seeds", "mutate", "open"):
        assert hasattr(chosen.load(), function), f"step 7: {file} has no function {function}"
