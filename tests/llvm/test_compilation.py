"""LLVM that is too old for the modules is refused, as if it were not installed."""

from __future__ import annotations

import numpy as np
import pytest
from support.documents import typed

from sensenet.errors import BrokenPackageError
from sensenet.frontend.json import machine_code_reader, reader
from sensenet.llvm import installed
from sensenet.llvm.compilation import load_llvm
from sensenet.llvm.installed import has_llvm
from sensenet.models.create import create_model

llvmlite = pytest.importorskip("llvmlite")


@pytest.fixture
def old_llvm(monkeypatch):
    """LLVM of llvmlite 0.44, which numba 0.61 wants; caches are empty, then and afterwards."""
    caches = load_llvm, machine_code_reader._functions
    with monkeypatch.context() as patch:
        patch.setattr(installed, "_version_in", lambda _: (0, 44))
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()


def test_old_llvm_is_refused(old_llvm):
    with pytest.raises(BrokenPackageError, match=r"version 0\.44, expected 0\.45 or newer.*pip install"):
        load_llvm()


def test_rows_are_interpreted_then(old_llvm):
    assert not has_llvm()
    assert create_model(typed()).engine == "numpy"
    with pytest.raises(BrokenPackageError, match=r"version 0\.44"):
        create_model(typed(), engine="native")


def test_documents_are_read_without_machine_code_then(old_llvm, monkeypatch):
    pytest.importorskip("simdjson")
    monkeypatch.setattr(reader, "BYTES_FOR_MACHINE_CODE", 0)
    found = reader.read_bytes(b'{"weights": [[1, 2], [3, 4.5]]}')
    np.testing.assert_array_equal(found["weights"], [[1, 2], [3, 4.5]])


def test_the_version_is_that_of_the_folder_next_to_the_package(tmp_path):
    (tmp_path / "llvmlite-0.46.1rc2.dist-info").mkdir()
    (tmp_path / "llvmlite_other-0.1.dist-info").mkdir()
    (tmp_path / "other-llvmlite-0.2.dist-info").mkdir()
    (tmp_path / "empty").mkdir()
    assert installed._version_in((str(tmp_path / "llvmlite"),)) == (0, 46)
    assert installed._version_in((str(tmp_path / "empty" / "llvmlite"),)) is None
    assert installed._version_in((str(tmp_path / "none" / "llvmlite"),)) is None
    assert installed._version_in(tuple(llvmlite.__path__)) >= installed.OLDEST
