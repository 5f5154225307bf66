"""create_model and create_image_feature_extractor give the recorded answers of the published package."""

from __future__ import annotations

import numpy as np
import pytest
from conformance import (
    as_cell,
    assert_close,
    assert_same_objects,
    is_error,
    may_be_refused,
    recorded_cases,
)

import sensenet
from sensenet.errors import SensenetError
from sensenet.models.wrappers import create_image_feature_extractor, create_model

GROUPS = ("tabular", "real", "image", "detector", "extractor")


def make(record):
    create = create_image_feature_extractor if record.get("kind") == "extractor" else create_model
    return create(record["model"], record["settings"])


def assert_same(got, want, tolerance):
    """Numbers within tolerance; objects, and lists of them, as `assert_same_objects`; raw arrays in order."""
    if isinstance(want, dict):
        assert list(got) == list(want)
        for name in want:
            assert_close(got[name], want[name], tolerance)
    elif want and isinstance(want[0], dict):
        assert_same_objects(got, want)
    elif contains_objects(want):
        assert len(got) == len(want)
        for part, expected in zip(got, want, strict=True):
            assert_same(part, expected, tolerance)
    else:
        assert_close(got, want, tolerance)


def contains_objects(want):
    return isinstance(want, dict) or (isinstance(want, list) and any(map(contains_objects, want[:3])))


def check(call, want, tolerance):
    if is_error(want):  # to answer is right too: the published package refuses more than it must
        try:
            call()
        except SensenetError:
            return
    else:
        assert_same(call(), want, tolerance)


@pytest.mark.parametrize("case", recorded_cases(*GROUPS, skip=("trained_images",)))
def test_answers(case):
    record = case.read()
    if "construct_error" in record:
        try:
            make(record)
        except SensenetError:
            return
        return
    try:
        model = make(record)
    except SensenetError:
        if may_be_refused(record):
            return
        raise
    tolerance = record.get("tolerance") or {"atol": 1e-6, "rtol": 1e-5}
    if record.get("kind") == "calls":
        for argument, want in zip(record["calls"], record["outputs"], strict=True):
            check(lambda argument=argument: model(as_cell(argument)), want, tolerance)
        return
    rows = [as_cell(row) for row in record["inputs"]]
    for row, want in zip(rows, record["outputs"], strict=True):
        check(lambda row=row: model([row])[0], want, tolerance)


@pytest.mark.parametrize("case", recorded_cases("tabular", "real"))
def test_all_rows_in_one_call(case):
    record = case.read()
    if "construct_error" in record or any(map(is_error, record["outputs"])):
        pytest.skip("it records an error")
    try:
        model = make(record)
    except SensenetError:
        if may_be_refused(record):
            pytest.skip("an accident that is refused")
        raise
    rows = [as_cell(row) for row in record["inputs"]]
    assert_close(model(rows), record["outputs"], record["tolerance"])
    array = np.empty((len(rows), len(rows[0])), object)
    for number, row in enumerate(rows):
        array[number] = row
    np.testing.assert_array_equal(model(array), model(rows))


@pytest.mark.parametrize("case", recorded_cases("tabular", "real", skip=("*image*",)))
@pytest.mark.parametrize("level", [0, 1, 2])
def test_saved_artifacts_answer_alike(case, level, tmp_path):
    """Compiled at each level, saved for NumPy, and opened again."""
    record = case.read()
    if "construct_error" in record or any(map(is_error, record["outputs"])):
        pytest.skip("it records an error")
    try:
        artifact = sensenet.compile(record["model"], "numpy", settings=record["settings"], optimize=level)
    except SensenetError:
        if may_be_refused(record):
            pytest.skip("an accident that is refused")
        raise
    model = create_model(artifact.save(tmp_path / "m.npz"))
    assert_close(model(record["inputs"]), record["outputs"], record["tolerance"])
