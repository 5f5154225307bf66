"""How many threads a process has: those that it may run on, or fewer if its engine says so."""

from __future__ import annotations

import pytest

from sensenet.processors import usable_processors


@pytest.mark.parametrize("text", ["1", " 1 ", "1,4"])
def test_omp_num_threads_bounds_threads(monkeypatch, text):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert usable_processors() == 1


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "1.5", "100000"])
def test_other_values_bound_nothing(monkeypatch, text):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    usual = usable_processors()
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert usable_processors() == usual >= 1
