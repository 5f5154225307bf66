"""Errors in other processes: each class of the family, with its message and attributes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import cloudpickle
import pytest
from support.pools import raise_error

import sensenet.errors
from sensenet.errors import (
    ArtifactError,
    BrokenPackageError,
    DocumentError,
    InputError,
    MissingPackageError,
    SensenetError,
)
from sensenet.pretrained.requests import TransferError

ARGUMENTS = {
    DocumentError: [("wrong", "network.layers[0]"), ("wrong",)],
    BrokenPackageError: [("tensorflow", "tensorflow", "this test", "ImportError: no")],
    MissingPackageError: [("tensorflow", "tensorflow", "this test")],
}


def family(kind):
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


CASES = [(kind, args) for kind in family(SensenetError) for args in ARGUMENTS.get(kind, [("what is wrong",)])]
ERRORS = [kind(*args) for kind, args in CASES]


def test_all_of_the_module_are_in_the_family():
    kinds = [
        each
        for each in vars(sensenet.errors).values()
        if isinstance(each, type) and issubclass(each, Exception)
    ]
    assert len(kinds) >= 18
    assert set(kinds) <= set(family(SensenetError))


def describe(error):
    attributes = {name: value for name, value in vars(error).items() if name != "__notes__"}
    known = [getattr(error, name, None) for name in ("msg", "errno", "strerror", "filename", "path")]
    return type(error), str(error), error.args, attributes, known


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, "pickle", "cloudpickle"])
def test_a_copy_has_all_that_the_error_has(error, copied):
    if isinstance(copied, str):
        module = {"pickle": pickle, "cloudpickle": cloudpickle}[copied]
        results = [
            pickle.loads(module.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ]
    else:
        results = [copied(error)]
    for result in results:
        assert describe(result) == describe(error)


def test_errors_of_workers():
    """A pool whose workers raise what cannot be unpickled would wait forever."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for kind, arguments in CASES:
            with pytest.raises(kind) as caught:
                pool.apply(raise_error, (kind, arguments))
            assert str(caught.value) == str(kind(*arguments))
            assert caught.value.extra == {"place": 7}
            assert caught.value.__notes__ == ["a note"]


def test_the_errors_inside_of_downloads():
    assert str(pickle.loads(pickle.dumps(TransferError("no")))) == "no"


@pytest.mark.parametrize("kind", [SensenetError, DocumentError, ArtifactError, InputError])
def test_every_message_can_be_written(kind):
    """Names in damaged files, and paths that are not text, may have half surrogate pairs."""
    error = kind("no layer '\ud800'")
    assert str(error) == "no layer '\\ud800'"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
