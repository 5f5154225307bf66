"""The table of the pipeline: every pass is in it once, with a reason, under the name of its file."""

from __future__ import annotations

import importlib

import pytest
from support.check_pass import PASS_FILES

import sensenet.passes
from sensenet.passes import ALL_PASSES, LEVELS, PIPELINE
from sensenet.passes.infrastructure.rules import Pass

TABLE = "PIPELINE of sensenet/passes/__init__.py"


@pytest.mark.parametrize("name", PASS_FILES)
def test_each_pass_has_a_step(name):
    module = importlib.import_module(f"{sensenet.passes.__name__}.{name}")
    file = f"sensenet/passes/{name}.py"
    assert isinstance(getattr(module, "PASS", None), Pass), (
        f'step 1: {file} has no PASS: write PASS = rewriting_pass("{name.replace("_", "-")}", …)'
    )
    assert module.PASS.name == name.replace("_", "-"), f"step 1: name the pass of {file} after its file"
    steps = [step for step in PIPELINE if step.pass_ is module.PASS]
    assert len(steps) == 1, f"step 2: write Step({name}.PASS, level, reason) once into {TABLE}"


@pytest.mark.parametrize("step", PIPELINE, ids=list(ALL_PASSES))
def test_each_step_has_a_file_a_level_and_a_reason(step):
    name = step.pass_.name
    assert name.replace("-", "_") in PASS_FILES, f"step 1: name {name} of {TABLE} after its file"
    assert step.level in LEVELS[1:], f"step 2: the level of {name} in {TABLE} is one of {LEVELS[1:]}"
    assert step.reason.strip(), f"step 2: give the Step of {name} in {TABLE} the reason for its place"
