"""Graphs of rows that were recorded, rows that are unusual, and answers that are the same to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume

import sensenet
from sensenet.backends.native.planner import plan_graph
from sensenet.errors import UnsupportedOpError
from support.conformance import skip_if_refused


def assert_same_bits(found, wanted):
    """All numbers are the same; NaN is NaN, of whatever bits."""
    np.testing.assert_array_equal(found, wanted)
    zeros = wanted == 0
    np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(wanted[zeros]))


def unusual_rows(columns, count=50):
    random = np.random.default_rng(0)
    x = np.concatenate(
        [random.normal(0, 2, (count, columns)), random.integers(-1, 5, (count, columns))]
    ).astype(np.float32)
    if columns:
        x[5, 0], x[6, 0], x[7, 0] = np.nan, np.inf, -np.inf
    x[8] *= 100
    return x


def recorded_graph(case, level):
    record = case.read()
    with skip_if_refused(record):
        settings = record.get("settings")
        graph = sensenet.compile(record["model"], "numpy", settings=settings, optimize=level).graph
    if graph.signature.image is not None or not graph.inputs:
        pytest.skip("it reads images")
    return graph


def assume_plan(graph):
    """Return the plan of a drawn graph; hypothesis draws another one if it is not of rows."""
    try:
        return plan_graph(graph)
    except UnsupportedOpError:
        assume(False)
