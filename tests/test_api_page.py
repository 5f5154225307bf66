"""docs/api.md is what signatures and docstrings say, and has every public name."""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
from functools import cached_property
from pathlib import Path

import pytest

import sensenet
from sensenet import errors
from sensenet.published import constants
from sensenet.settings import DEFAULTS, Settings

ROOT = Path(__file__).resolve().parent.parent
TOOL = runpy.run_path(str(ROOT / "tools" / "api_page.py"))
ENTRIES = [
    TOOL["find"](module, path)
    for section in TOOL["SECTIONS"]
    for module, paths in section.names.items()
    for path in paths
]
CLASSES = [entry.value for entry in ENTRIES if inspect.isclass(entry.value)]

WHOLE = (
    "sensenet.accessors",
    "sensenet.artifact",
    "sensenet.load",
    "sensenet.models.bundle",
    "sensenet.models.drawing",
    "sensenet.models.settings",
    "sensenet.models.wrappers",
    "sensenet.pretrained",
)
"""Modules of which every function and class is public, or all that `__all__` has."""

LEFT_OUT = {
    "sensenet.artifact": {"CallMemory", "Executable"},  # between backends and models
    "sensenet.models.drawing": {"label_colors"},
}


def public_names(module):
    home = importlib.import_module(module)
    if hasattr(home, "__all__"):
        return set(home.__all__)
    return {
        name
        for name, value in vars(home).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module
    }


def test_the_page_is_current():
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert page == TOOL["make_page"](), "run: python tools/api_page.py"


@pytest.mark.parametrize("module", WHOLE)
def test_the_page_has_every_public_name(module):
    told = {entry.path for entry in ENTRIES if entry.module.__name__ == module}
    assert public_names(module) - LEFT_OUT.get(module, set()) - told == set()


def test_the_page_has_every_name_of_the_package():
    told = {entry.title for entry in ENTRIES} | {"sensenet.SensenetError", "sensenet.__version__"}
    assert {f"sensenet.{name}" for name in sensenet.__all__} - told == set()
    page = TOOL["make_page"]()
    assert "`sensenet.SensenetError`" in page
    assert "`sensenet.__version__`" in page


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: f"{made.__module__}.{made.__name__}")
def test_the_page_has_every_member_of_a_class(made):
    kinds = (property, cached_property, classmethod)
    members = {
        f"{made.__name__}.{name}"
        for name, value in vars(made).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds))
    }
    told = {entry.path for entry in ENTRIES}
    left_out = {"Trial.checks", "Trial.try_passes", "Trial.try_graph"}  # for find_culprit and its kin
    assert members - told - left_out == set()


def test_names_are_told_once_and_by_the_shortest_way():
    titles = re.findall(r"^###+ `(.+)`$", TOOL["make_page"](), re.MULTILINE)
    assert len(titles) == len(ENTRIES)
    modules = [title for title in titles if title.startswith("sensenet.")]
    assert len(set(modules)) == len(modules)
    assert {"sensenet.compile", "sensenet.create_model", "sensenet.models.settings.Settings"} <= set(modules)
    assert "sensenet.compiler.driver.compile" not in modules


def test_the_page_is_the_same_on_every_machine():
    page = TOOL["make_page"]()
    assert " at 0x" not in page
    assert str(Path.home()) not in page
    assert str(ROOT) not in page


def test_every_setting_has_its_default_in_the_table():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| (\w+) \|", TOOL["tabulate_settings"](), re.MULTILINE)
    assert [name for name, *_ in rows] == [field.name for field in Settings.__attrs_attrs__]
    for name, kind, default, _ in rows:
        if name in DEFAULTS:
            value = DEFAULTS[name]
            assert kind == type(value).__name__
            assert default.startswith(str(value).lower())
    assert {models for *_, models in rows} == {"detectors", "images", "regressions"}


@pytest.mark.parametrize(
    "text",
    ["What it means. Default: 3.", "Detectors: what it means.", "Detectors: what it means Default: 3."],
)
def test_a_setting_of_which_too_little_is_said_is_refused(text):
    with pytest.raises(SystemExit, match=re.escape(text)):
        TOOL["split_setting"](text)


def test_every_error_is_in_the_table():
    told = re.findall(r"^\| `(\w+)` \|", TOOL["tabulate_errors"](), re.MULTILINE)
    assert set(told) == public_names("sensenet.errors")
    assert told[0] == errors.SensenetError.__name__


def test_every_constant_is_in_the_table():
    table = TOOL["tabulate_constants"]()
    own = set(re.findall(r"^([A-Z_]+) = ", inspect.getsource(constants), re.MULTILINE))
    assert len(own) > 10
    assert set(re.findall(r"`([A-Z_]+)` = ", table)) == own
    for name in own:
        assert f"`{name}` = `{getattr(constants, name)!r}`" in table


@pytest.mark.parametrize(
    ("module", "path", "form"),
    [
        ("sensenet.passes", "DEFAULT_LEVEL", "DEFAULT_LEVEL = 2"),
        ("sensenet.pretrained", "NETWORKS", "NETWORKS: dict[str, Classifier | Detector]"),
        ("sensenet.artifact", "Artifact.files", "files: Mapping[str, bytes]"),
        ("sensenet.signature", "Signature.from_json", "from_json(record: Any) -> Signature"),
        ("sensenet.load", "count_types", None),
    ],
)
def test_names_are_shown_as_python_declares_them(module, path, form):
    entry = TOOL["find"](module, path)
    shown = TOOL["write_form"](entry)[0]
    assert shown == form if form else shown.startswith("count_types(preprocessors: ")


def test_a_name_without_a_docstring_is_refused():
    with pytest.raises(SystemExit, match=r"sensenet\.passes\.DEFAULT_LEVEL has no docstring"):
        TOOL["describe"](TOOL["find"]("sensenet.passes", "DEFAULT_LEVEL"))


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        TOOL["find"]("sensenet.load", "nothing_of_this_name")
