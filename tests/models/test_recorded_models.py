"""create_model and create_image_feature_extractor give the recorded answers of the published package."""

from __future__ import annotations

import numpy as np
import pytest
from support.conformance import (
    as_cell,
    assert_close,
    check_record,
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
    check_record(model, record)


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
