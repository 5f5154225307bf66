"""The table of the pipeline: every pass is in it once, with a reason, under the name of its file."""

from __future__ import annotations

import importlib
import pkgutil

import sensenet.passes
from sensenet.passes import ALL_PASSES, LEVELS, PIPELINE
from sensenet.passes.infrastructure.rules import Pass

DOORS = {"manager", "selection"}
"""Old paths of names, which are no passes."""


def pass_files():
    return {info.name for info in pkgutil.iter_modules(sensenet.passes.__path__) if not info.ispkg} - DOORS


def test_each_pass_has_a_step():
    for name in pass_files():
        module = importlib.import_module(f"{sensenet.passes.__name__}.{name}")
        file = f"sensenet/passes/{name}.py"
        assert isinstance(getattr(module, "PASS", None), Pass), f"{file} has no PASS"
        assert module.PASS.name == name.replace("_", "-"), f"name the pass of {file} after its file"
        steps = [step for step in PIPELINE if step.pass_ is module.PASS]
        assert len(steps) == 1, f"give {module.PASS.name} a Step in PIPELINE of sensenet/passes/__init__.py"


def test_each_step_has_a_file_a_level_and_a_reason():
    assert {name.replace("-", "_") for name in ALL_PASSES} == pass_files()
    for step in PIPELINE:
        assert step.level in LEVELS[1:]
        assert step.reason
