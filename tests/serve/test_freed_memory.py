"""The server returns memory to the system after large images, and only then."""

from __future__ import annotations

import pytest

from sensenet.serve import freed_memory
from sensenet.serve.freed_memory import MOST_KEPT, FreedMemory


def test_memory_is_returned_when_the_process_has_grown():
    sizes = iter([100, 100 + MOST_KEPT, 101 + MOST_KEPT, 200, 200 + MOST_KEPT, 201 + MOST_KEPT, 300])
    trimmed = []
    freed = FreedMemory(resident=lambda: next(sizes), trim=lambda: trimmed.append(1))
    counts = []
    for _ in range(4):
        freed.release()
        counts.append(len(trimmed))
    assert counts == [0, 1, 1, 2]


@pytest.mark.parametrize("content", [None, "", "1", "1 x"])
def test_systems_that_do_not_tell_sizes(content, tmp_path, monkeypatch):
    path = tmp_path / "statm"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(freed_memory, "STATUS", path)
    assert freed_memory.read_resident() == 0
    FreedMemory(trim=lambda: pytest.fail("there is nothing to return")).release()


def test_other_libraries_of_c(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    freed_memory.trim()
