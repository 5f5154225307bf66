"""Requests hold no more memory than the limit, and as much as they were said to."""

from __future__ import annotations

import contextlib
import json
import tracemalloc

import pytest

from sensenet.errors import InputError, LimitError, ServerBusyError
from sensenet.limits import VARIABLE
from sensenet.serve.budget import Budget

pytest.importorskip("orjson")
from sensenet.serve.requests import BINARY_MEMORY, JSON_MEMORY, read_request


def test_what_is_held_is_returned():
    budget = Budget(100)
    with budget.hold() as first, budget.hold() as second:
        first.add(40, "a")
        second.add(50, "b")
        with pytest.raises(ServerBusyError, match="try again later"):
            first.add(11, "c")
        first.add(10, "c")
        assert budget.held == 100
    assert budget.held == 0


def test_more_than_the_limit_is_too_much_at_any_time(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1KiB")
    budget = Budget()
    assert budget.limit == 1024
    with budget.hold() as hold:
        hold.add(1000, "a")
        with pytest.raises(LimitError, match=r"^b needs 1\.1 KiB of memory"):
            hold.add(100, "b")
    assert budget.held == 0


def test_an_error_returns_what_was_held():
    budget = Budget(100)
    with contextlib.suppress(KeyError), budget.hold() as hold:
        hold.add(40, "a")
        raise KeyError
    assert budget.held == 0


HOSTILE = {
    "objects": "{},",
    "lists": "[],",
    "objects of one member": '{"":0},',
    "nested lists": "[[]],",
    "deep lists": "[" * 100 + "]" * 100 + ",",
    "deep objects": '{"":' * 100 + "0" + "}" * 100 + ",",
    "nested objects": '{"a":{}},',
    "two members": '{"a":0,"b":0},',
    "numbers": "1.5,",
    "short numbers": "9,",
    "integers": "300,",
    "words": '"ab",',
    "foreign words": '"語",',
    "escaped words": r'"\u0101",',
    "nulls": "null,",
}


@pytest.mark.parametrize("form", ["data", "inputs", "other"])
@pytest.mark.parametrize("case", HOSTILE)
def test_reading_takes_at_most_what_is_held_for_it(case, form):
    count = 20_000 // len(HOSTILE[case])
    items = (HOSTILE[case] * count)[:-1]
    tensor = f'{{"name": "x", "datatype": "BYTES", "shape": [{count}], "data": [{items}]}}'
    body = {
        "data": f'{{"inputs": [{tensor}]}}',
        "inputs": f'{{"inputs": [{items}]}}',
        "other": f'{{"x": [{items}], "é": "語"}}',
    }[form].encode()
    tracemalloc.start()
    try:
        with contextlib.suppress(InputError):
            read_request(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= JSON_MEMORY * len(body)


@pytest.mark.parametrize("element", [b"", b"a", b"ab"])
def test_reading_elements_takes_at_most_what_is_held_for_it(element):
    count = 10_000
    data = (len(element).to_bytes(4, "little") + element) * count
    tensor = {"name": "x", "datatype": "BYTES", "shape": [count]}
    text = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(data)}}]}).encode()
    body = text + data
    tracemalloc.start()
    try:
        read_request(body, len(text))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= BINARY_MEMORY * len(body)
