"""Compiled code on disk: found again, and never from files that others may have written."""

from __future__ import annotations

import os

import numpy as np
import pytest
from support.lowered import graph_of_op
from support.op_case import weights

from sensenet.backends.native.compiled import Compiled
from sensenet.backends.native.planner import plan_graph
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import f32
from sensenet.llvm import cache, compilation
from sensenet.llvm.cache import code_key, find_code, keep_code

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")

KEY = code_key("a", "b")


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "native"))
    return tmp_path / "native"


def test_code_is_found_again(directory):
    assert find_code(KEY) is None
    keep_code(KEY, b"code")
    assert find_code(KEY) == b"code"
    assert [each.name for each in directory.iterdir()] == [KEY]
    assert directory.stat().st_mode & 0o077 == 0


def test_keys_tell_texts_apart():
    assert code_key("ab", "c") != code_key("a", "bc")


def test_an_empty_name_means_no_cache(monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, "")
    keep_code(KEY, b"code")
    assert find_code(KEY) is None


def test_without_a_home_nothing_is_kept(monkeypatch):
    for variable in (cache.VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)

    def fail(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(cache.Path, "expanduser", fail)
    keep_code(KEY, b"code")
    assert find_code(KEY) is None


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_directories_that_others_may_write_are_not_trusted(directory, mode):
    keep_code(KEY, b"code")
    directory.chmod(mode)
    assert find_code(KEY) is None
    keep_code(code_key("other"), b"code")
    assert len([*directory.iterdir()]) == 1


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_files_that_others_may_write_are_not_trusted(directory, mode):
    keep_code(KEY, b"code")
    (directory / KEY).chmod(mode)
    assert find_code(KEY) is None


def test_links_are_not_followed(directory, tmp_path):
    keep_code(KEY, b"code")
    moved = tmp_path / "elsewhere"
    (directory / KEY).rename(moved)
    (directory / KEY).symlink_to(moved)
    assert find_code(KEY) is None


@pytest.mark.parametrize("damage", [lambda code: code[:-1], lambda code: code + b"x", lambda _: b""])
def test_damaged_code_is_not_used(directory, damage):
    keep_code(KEY, b"code")
    place = directory / KEY
    place.write_bytes(damage(place.read_bytes()))
    assert find_code(KEY) is None


def test_a_pipe_is_not_waited_for(directory):
    keep_code(KEY, b"code")
    (directory / KEY).unlink()
    os.mkfifo(directory / KEY)
    assert find_code(KEY) is None


def test_a_full_cache_loses_its_oldest_files(directory, monkeypatch):
    monkeypatch.setattr(cache, "MOST_FILES", 4)
    for number in range(5):
        keep_code(code_key(str(number)), b"code")
        os.utime(directory / code_key(str(number)), (number, number))
    kept = [number for number in range(5) if find_code(code_key(str(number)))]
    assert kept == [2, 3, 4]


def test_large_code_is_not_kept(directory, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST_FILE", 3)
    keep_code(KEY, b"code")
    assert find_code(KEY) is None


def test_machine_code_is_compiled_once(directory, monkeypatch):
    pytest.importorskip("llvmlite")
    plan = plan_graph(graph_of_op(Dense(kernel=weights(3, 4)), f32(None, 3)))
    x = np.ones((2, 3), np.float32)
    first = Compiled(plan).answer(x)
    kept = []
    monkeypatch.setattr(compilation, "keep_code", lambda *given: kept.append(given))
    np.testing.assert_array_equal(Compiled(plan).answer(x), first)
    assert not kept
