"""LLVM that is too old for the modules is refused, as if it were not installed."""

from __future__ import annotations

import numpy as np
import pytest

from sensenet.errors import BrokenPackageError
from sensenet.frontend.json import machine_code_reader, reader
from sensenet.llvm.compilation import load_llvm

binding = pytest.importorskip("llvmlite.binding")


@pytest.fixture
def old_llvm(monkeypatch):
    """LLVM of llvmlite 0.44, which numba 0.61 wants; caches are empty, then and afterwards."""
    caches = load_llvm, machine_code_reader._functions
    with monkeypatch.context() as patch:
        patch.setattr(binding, "llvm_version_info", (15, 0, 7))
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()


def test_old_llvm_is_refused(old_llvm):
    with pytest.raises(BrokenPackageError, match=r"it has LLVM 15, expected 20 or newer.*pip install"):
        load_llvm()


def test_documents_are_read_without_machine_code_then(old_llvm, monkeypatch):
    pytest.importorskip("simdjson")
    monkeypatch.setattr(reader, "BYTES_FOR_MACHINE_CODE", 0)
    found = reader.read_bytes(b'{"weights": [[1, 2], [3, 4.5]]}')
    np.testing.assert_array_equal(found["weights"], [[1, 2], [3, 4.5]])
