"""Sixty ways of calling a model, as recorded from the published package.

Where it raised, a SensenetError is right; or, for forms that it lacks, what the same cells in a list give.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from support.conformance import read_recorded

from sensenet.errors import InputError, SensenetError
from sensenet.models.wrappers import create_model

TOLERANCE = {"atol": 1e-6, "rtol": 1e-5}

ANSWERED = {
    "tuple": lambda recorded: recorded["tuple"],
    "list of tuples": lambda recorded: recorded["list_of_tuples"],
    "tuple of lists": lambda recorded: recorded["tuple_of_lists"],
    "list of numpy 1-D arrays": lambda recorded: recorded["list_of_numpy"],
    "flat list of numpy.float32": lambda recorded: recorded["values"],
    "flat list of numpy.int64": lambda recorded: recorded["values"],
    "numpy 1-D object array": lambda recorded: recorded["numpy"],
}
"""Calls that the published package refuses and this one answers: the same cells as lists."""

FACTORIES = {"numpy.float64": np.float64, "numpy.float32": np.float32, "numpy.int64": np.int64}


@functools.cache
def read():
    models, calls = {}, []
    for record in read_recorded("behaviours.json"):
        if record["call"].startswith("DEFINITION"):
            models[record["call"].split("'")[1]] = record["input"]
        else:
            calls.append(record)
    return {name: create_model(model) for name, model in models.items()}, calls


def as_argument(recorded):
    if not isinstance(recorded, dict):
        return recorded
    match recorded:
        case {"tuple": cells}:
            return tuple(cells)
        case {"list_of_tuples": rows}:
            return [tuple(row) for row in rows]
        case {"tuple_of_lists": rows}:
            return tuple(rows)
        case {"bytes": text}:
            return text.encode()
        case {"generator_of": rows}:
            return (row for row in rows)
        case {"list_of_numpy": rows, "dtype": dtype}:
            return [np.array(row, dtype) for row in rows]
        case {"numpy": values, "dtype": dtype}:
            return np.array(values, dtype).reshape(recorded.get("shape", np.shape(values)))
        case {"list_of": kind, "values": values}:
            return [FACTORIES[kind](value) for value in values]
        case {"list_of_lists_of": kind, "values": rows}:
            return [[FACTORIES[kind](value) for value in row] for row in rows]
    return recorded


def equal(got, want):
    assert isinstance(got, np.ndarray)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.asarray(want, np.float64), equal_nan=True, **TOLERANCE)


def expected_rows(record):
    """The same cells as lists, for a call that this package answers though the published one does not."""
    argument = record["input"]
    if record["call"] in ANSWERED:
        return ANSWERED[record["call"]](argument)
    if record["call"].startswith(("numpy 1-D array", "numpy 2-D array")):
        array = as_argument(argument)
        return [array[i].tolist() for i in range(len(array))] if array.ndim == 2 else array.tolist()
    return None


def test_the_recording_is_understood():
    models, calls = read()
    assert sorted(models) == ["mixed", "numeric"]
    assert len(calls) == 60
    for record in calls:
        as_argument(record["input"])


def test_calls_that_were_answered():
    models, calls = read()
    answered = [record for record in calls if "value" in record["result"]]
    assert len(answered) == 19
    for record in answered:
        want = record["result"]["value"]
        rows = [[np.nan] * 3] if isinstance(want, str) else want
        assert not isinstance(want, str) or want == "[[nan, nan, nan]]"
        equal(models[record["model"]](as_argument(record["input"])), rows)


def test_calls_that_were_refused():
    models, calls = read()
    for record in calls:
        if "exception" not in record["result"]:
            continue
        model, argument, rows = models[record["model"]], as_argument(record["input"]), expected_rows(record)
        if rows is not None:
            equal(model(argument), model(rows))
        elif record["call"] == "numpy empty array (0, 3)":
            assert model(argument).shape == (0, len(model.classes))
        else:
            with pytest.raises(SensenetError):
                model(argument)


def test_each_refusal_is_of_the_type_that_a_caller_would_catch():
    """ValueError for what can't be read, TypeError for what holds no rows."""
    models, calls = read()
    for record in calls:
        if record["result"].get("exception") in ("ValueError", "IndexError") and not expected_rows(record):
            with pytest.raises(InputError) as caught:
                models[record["model"]](as_argument(record["input"]))
            assert isinstance(caught.value, ValueError)
    for argument in (None, 3, 1.5, b"abc", iter([1])):
        with pytest.raises(TypeError, match="expected a row"):
            models["mixed"](argument)
