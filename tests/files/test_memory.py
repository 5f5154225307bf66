"""Reserved memory is zeros, which may be written to."""

from __future__ import annotations

import mmap

import pytest

from sensenet.files.memory import reserve


@pytest.mark.parametrize("size", [1, 4096, (1 << 22) + 1])
def test_reserved_memory(size):
    content = reserve(size)
    assert len(content) == size
    assert content[:1] == content[-1:] == b"\0"
    content[-1:] = b"x"
    assert content[-1:] == b"x"


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="this system has no large pages")
def test_a_kernel_without_large_pages_gives_small_ones(monkeypatch):
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", 12345)
    assert len(reserve(10)) == 10


def test_more_than_there_are_addresses():
    with pytest.raises(MemoryError, match="no memory for 4611686018427387904 bytes"):
        reserve(1 << 62)
