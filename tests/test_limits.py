"""The bound on memory: how it is set, and what is refused."""

from __future__ import annotations

import pytest

from sensenet.errors import LimitError, SensenetError, SettingsError
from sensenet.limits import (
    DEFAULT_MEMORY_LIMIT,
    VARIABLE,
    format_size,
    memory_limit,
    parse_size,
    require_memory,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000000", 1_000_000),
        ("12B", 12),
        ("500MiB", 500 << 20),
        ("500 mib", 500 << 20),
        ("8GiB", 8 << 30),
        ("8G", 8 << 30),
        ("1T", 1 << 40),
        ("3kb", 3 << 10),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1.5GiB", "8 GiB of memory", "8XiB", "9" * 400, "٣GiB"])
def test_what_is_not_a_size(text):
    with pytest.raises(SettingsError, match="is not a size"):
        parse_size(text)


def test_the_environment_sets_the_limit(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert memory_limit() == DEFAULT_MEMORY_LIMIT
    monkeypatch.setenv(VARIABLE, "64MiB")
    assert memory_limit() == 64 << 20
    monkeypatch.setenv(VARIABLE, "lots")
    with pytest.raises(SettingsError, match=f"the environment variable {VARIABLE}: 'lots' is not a size"):
        memory_limit()


def test_more_than_the_limit_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1KiB")
    require_memory(1024, "a row")
    with pytest.raises(
        LimitError, match=f"a row needs 1.0 KiB of memory, and the limit is 1.0 KiB: set {VARIABLE}"
    ):
        require_memory(1025, "a row")
    assert issubclass(LimitError, SensenetError)
    assert issubclass(LimitError, MemoryError)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1 << 20, "1.0 MiB"),
        (3 << 29, "1.5 GiB"),
        (10**400, "more than 1 EiB"),
    ],
)
def test_sizes_for_people(size, text):
    assert format_size(size) == text
