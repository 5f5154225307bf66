"""Recorded cases of the published package, read in place: they are no part of the repository.

They lie in the directory `conformance` of SENSENET_SHARED (default: `../shared` beside the checkout). Where
it is absent, the tests that ask for cases are skipped, and say so:

    @pytest.mark.parametrize("case", recorded_cases("tabular", "real"))
    def test_answers(case):
        record = case.read()
"""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from attrs import frozen

from sensenet.errors import SensenetError

SHARED = Path(os.environ.get("SENSENET_SHARED") or Path(__file__).parents[3] / "shared")
DATA = SHARED / "conformance"
IMAGES = DATA / "images"
SUFFIXES = (".png", ".jpg", ".jpeg", ".tiff", ".tif", ".bmp", ".gif")


@frozen
class RecordedCase:
    """One file: name, note, kind, model, settings, inputs, outputs, tolerance."""

    path: Path

    @property
    def name(self):
        return self.path.name.removesuffix(".json.gz")

    def read(self):
        return read_recorded(self.path)


def read_recorded(path):
    """The value of a recorded file, by its path below DATA; skips where it is absent."""
    path = DATA / path
    if not path.is_file():
        pytest.skip(f"there is no recorded {path}; set SENSENET_SHARED")
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        return json.loads(stream.read())


def recorded_cases(*groups, names="*", skip=()):
    """The cases of groups, as parameters of a test; `names` is a pattern, `skip` lists patterns to leave out.

    One skipped parameter, where there are none.
    """
    paths = [path for group in groups for path in sorted((DATA / group).glob("*.json.gz"))]
    cases = [RecordedCase(path) for path in paths]
    chosen = [
        pytest.param(case, id=f"{case.path.parent.name}/{case.name}")
        for case in cases
        if fnmatch.fnmatch(case.name, names) and not any(fnmatch.fnmatch(case.name, p) for p in skip)
    ]
    reason = f"there are no recorded cases in {DATA}; set SENSENET_SHARED"
    return chosen or [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]


def is_error(record):
    """Whether the published package raised where this is recorded."""
    return isinstance(record, dict) and "error" in record


def may_be_refused(record):
    """Whether a case records an accident of the published package that need not be repeated."""
    return record["note"].startswith("OPTIONAL ODDITY")


@contextlib.contextmanager
def skip_if_refused(record):
    """Skip the test if the document of a case is refused and may be."""
    try:
        yield
    except SensenetError as error:
        if "construct_error" in record or may_be_refused(record):
            pytest.skip(f"refused: {error}")
        raise


def as_cell(value):
    """A recorded cell or argument as a caller would pass it: images as paths or arrays."""
    if isinstance(value, list):
        return [as_cell(entry) for entry in value]
    if isinstance(value, str) and value.lower().endswith(SUFFIXES):
        return str(IMAGES / value)
    if not isinstance(value, dict):
        return value
    if "raw" in value:
        return value["raw"]
    if "stack" in value:
        return np.stack([as_cell(entry) for entry in value["stack"]])
    return _as_pixels(value) if "pixels" in value else value


def _as_pixels(recipe):
    """The array that a recipe describes: an image's pixels after a number of steps, in this order."""
    from PIL import Image

    with Image.open(IMAGES / recipe["pixels"]) as image:
        array = np.array(image.convert(recipe["mode"]))
    if recipe.get("expand"):
        array = array[..., None]
    if recipe.get("channels"):
        array = array[..., : recipe["channels"]]
    array = array.astype(recipe["dtype"])
    number = array.dtype.type
    if "div" in recipe:
        array = array / number(recipe["div"])
    if "mul" in recipe:
        array = array * number(recipe["mul"])
    if "add" in recipe:
        array = array + number(recipe["add"])
    if "threshold" in recipe:
        array = (array > recipe["threshold"]).astype(recipe["dtype"])
    for index, entry in recipe.get("edits", []):
        array[tuple(index)] = entry
    return array[None] if recipe.get("batch") else array


def assert_close(got, want, tolerance):
    """Arrays of one shape, within a case's tolerance; NaN equals NaN."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, atol=tolerance["atol"], rtol=tolerance["rtol"], equal_nan=True)


def assert_same_objects(got, want):
    """A detector's answer for an image: boxes and labels exactly, scores to 1e-4."""
    assert [(list(found["box"]), found["label"]) for found in got] == [(o["box"], o["label"]) for o in want]
    np.testing.assert_allclose([found["score"] for found in got], [o["score"] for o in want], atol=1e-4)


def assert_same_answer(got, want, tolerance):
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
            assert_same_answer(part, expected, tolerance)
    else:
        assert_close(got, want, tolerance)


def contains_objects(want):
    return isinstance(want, dict) or (isinstance(want, list) and any(map(contains_objects, want[:3])))


def check_answer(call, want, tolerance):
    """Call, and compare with what is recorded: an answer, or an error."""
    if is_error(want):  # to answer is right too: the published package refuses more than it must
        try:
            call()
        except SensenetError:
            return
    else:
        assert_same_answer(call(), want, tolerance)


def check_record(model, record):
    """Call a model with all that a case records, one row or argument at a time, and compare."""
    tolerance = record.get("tolerance") or {"atol": 1e-6, "rtol": 1e-5}
    if record.get("kind") == "calls":
        for argument, want in zip(record["calls"], record["outputs"], strict=True):
            check_answer(lambda argument=argument: model(as_cell(argument)), want, tolerance)
        return
    for row, want in zip(record["inputs"], record["outputs"], strict=True):
        check_answer(lambda row=row: model([as_cell(row)])[0], want, tolerance)
