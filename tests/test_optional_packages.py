"""Optional packages that are missing, or installed and broken: an error that says so."""

from __future__ import annotations

import pickle
import sys

import h5py
import pytest
from support.documents import network
from support.h5_files import LAYERS, load, write

from sensenet.errors import BrokenPackageError, MissingPackageError
from sensenet.optional_packages import import_package

FAULTS = {
    "ImportError": ("from os import nothing", "ImportError: cannot import name 'nothing'"),
    "another package": ("import a_package_that_is_not_there", "ModuleNotFoundError: No module named"),
    "OSError": ("raise OSError('libcuda.so: cannot open')", "OSError: libcuda.so: cannot open"),
    "AttributeError": ("import os; os.nothing", "AttributeError: module 'os' has no"),
    "SyntaxError": ("(", "SyntaxError"),
    "no message": ("raise RuntimeError", "RuntimeError"),
}


@pytest.fixture
def broken(tmp_path, monkeypatch):
    def make(name, code):
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)

    return make


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_package_is_reported_with_its_fault(broken, name):
    code, message = FAULTS[name]
    broken("broken_package", code)
    with pytest.raises(BrokenPackageError, match="which cannot be imported") as caught:
        import_package("broken_package", "tensorflow", "a test")
    assert message in str(caught.value)
    assert "pip install --force-reinstall 'sensenet-compiler[tensorflow]'" in str(caught.value)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (BrokenPackageError, str(caught.value))


def test_a_missing_package_is_reported_by_its_name():
    with pytest.raises(MissingPackageError, match="'no_such_package', which is not installed") as caught:
        import_package("no_such_package.part", "tensorflow", "a test")
    assert not isinstance(caught.value, BrokenPackageError)


def test_a_broken_package_in_the_process_that_reads_h5_files(broken, tmp_path):
    path = write(network(LAYERS), tmp_path / "weights.h5")
    broken("h5py", "raise OSError('libhdf5.so: cannot open')")
    try:
        with pytest.raises(BrokenPackageError, match=r"h5py.*libhdf5\.so"):
            load(network(LAYERS), path)
    finally:
        sys.modules["h5py"] = h5py
