"""Saving artifacts: whole or not at all, and never over something else."""

from __future__ import annotations

import errno
import os
import sys

import pytest
from support.artifacts import ONE, SEPARATE_FILES, SEVERAL, tree

from sensenet.artifact import Artifact, LayerRecord, PassRecord, Report
from sensenet.errors import ArtifactError, InputError, MissingPackageError
from sensenet.files import writing as files_module

needs_permissions = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="the superuser may write anywhere"
)


def test_one_file(tmp_path):
    assert ONE.save(tmp_path / "m.bin") == tmp_path / "m.bin"
    assert tree(tmp_path) == {"m.bin": b"content"}
    assert bytes(ONE) == b"content"


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(ONE.save("m.bin")) == "m.bin"
    assert tree(tmp_path) == {"m.bin": b"content"}


def test_a_directory(tmp_path):
    SEVERAL.save(str(tmp_path / "m"))
    assert tree(tmp_path) == {"m/a.pb": b"a", "m/variables/b": b"bb"}
    with pytest.raises(ArtifactError, match="has 2 files"):
        bytes(SEVERAL)


@pytest.mark.parametrize("name", ["m.ir", "m.npz", "m"])
def test_files_beside_each_other(tmp_path, name):
    assert SEPARATE_FILES.save(tmp_path / name) == tmp_path / "m.ir"
    assert tree(tmp_path) == {"m.ir": b"text", "m.npz": b"weights"}


def test_a_dot_in_the_name_is_no_suffix(tmp_path):
    SEPARATE_FILES.save(tmp_path / "m.v2")
    assert tree(tmp_path).keys() == {"m.v2.ir", "m.v2.npz"}


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "other").write_bytes(b"")
    ONE.save(tmp_path / "m")
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("made", [ONE, SEVERAL], ids=["file", "directory"])
@pytest.mark.parametrize("present", ["file", "directory", "empty", "dangling"])
def test_an_existing_path_is_refused(tmp_path, made, present):
    path = tmp_path / "m"
    if present == "file":
        path.write_bytes(b"mine")
    elif present == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.mkdir()
        if present == "directory":
            (path / "mine").write_bytes(b"mine")
    before = tree(tmp_path)
    with pytest.raises(ArtifactError, match="already exists"):
        made.save(path)
    assert tree(tmp_path) == before


def test_an_existing_companion_is_refused(tmp_path):
    (tmp_path / "m.npz").write_bytes(b"mine")
    with pytest.raises(ArtifactError, match=r"m\.npz already exists"):
        SEPARATE_FILES.save(tmp_path / "m.ir")
    assert tree(tmp_path) == {"m.npz": b"mine"}


def test_a_refused_path_costs_no_work(tmp_path):
    def produce():
        raise AssertionError("made for nothing")

    made = Artifact(target="test", graph=ONE.graph, report=ONE.report, produce=produce)
    (tmp_path / "m").write_bytes(b"mine")
    with pytest.raises(ArtifactError):
        made.save(tmp_path / "m")
    with pytest.raises(ArtifactError):
        made.save(tmp_path / "no" / "m")


def test_files_are_made_once():
    calls = []

    def produce():
        calls.append(1)
        return {"m": b""}

    made = Artifact(target="test", graph=ONE.graph, report=ONE.report, produce=produce)
    assert bytes(made) == b""
    assert made.files == {"m": b""}
    assert calls == [1]


def test_an_error_while_making_files_leaves_nothing(tmp_path):
    def produce():
        raise MissingPackageError("x", "y", "this")

    made = Artifact(target="test", graph=ONE.graph, report=ONE.report, produce=produce)
    with pytest.raises(MissingPackageError):
        made.save(tmp_path / "m")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", ["no/m", "file/m"])
def test_a_missing_directory(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError, match="no such directory"):
        ONE.save(tmp_path / name)
    assert tree(tmp_path) == {"file": b""}


@pytest.mark.parametrize("name", ["a\0b", "n" * 300])
def test_a_name_that_no_file_can_have(tmp_path, name):
    with pytest.raises(ArtifactError, match="cannot be written"):
        ONE.save(tmp_path / name)
    assert tree(tmp_path) == {}


def test_the_longest_name(tmp_path):
    ONE.save(tmp_path / ("n" * 255))
    assert tree(tmp_path) == {"n" * 255: b"content"}


@needs_permissions
def test_a_read_only_directory(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ArtifactError, match="cannot be written: Permission denied"):
            ONE.save(tmp_path / "m")
    finally:
        tmp_path.chmod(0o700)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("made", [ONE, SEVERAL, SEPARATE_FILES], ids=["file", "directory", "separate files"])
@pytest.mark.parametrize(
    ("failing", "force"),
    [("_write_synced", False), ("_write_synced", True), ("_move", False), ("_replace", True)],
)
def test_a_failure_leaves_nothing(tmp_path, monkeypatch, made, failing, force):
    def fail(path, *_):
        if failing == "_write_synced":
            path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files_module, failing, fail)
    with pytest.raises(ArtifactError, match="cannot be written: No space left on device"):
        made.save(tmp_path / "m", force=force)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_at_the_second_file_takes_back_the_first(tmp_path, monkeypatch):
    move = files_module._move

    def fail_later(temporary, destination):
        if destination.suffix == ".npz":
            raise OSError(errno.EIO, "Input/output error")
        move(temporary, destination)

    monkeypatch.setattr(files_module, "_move", fail_later)
    with pytest.raises(ArtifactError):
        SEPARATE_FILES.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", [ONE, SEVERAL], ids=["file", "directory"])
def test_an_interruption_leaves_nothing(tmp_path, monkeypatch, made):
    def interrupt(path, _):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(files_module, "_write_synced", interrupt)
    with pytest.raises(KeyboardInterrupt):
        made.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", [ONE, SEVERAL], ids=["file", "directory"])
def test_a_path_that_appears_meanwhile_stays(tmp_path, monkeypatch, made):
    write = files_module._write

    def write_and_appear(path, content):
        write(path, content)
        (tmp_path / "m").write_bytes(b"theirs")

    monkeypatch.setattr(files_module, "_write", write_and_appear)
    with pytest.raises(ArtifactError, match="cannot be written"):
        made.save(tmp_path / "m")
    assert tree(tmp_path) == {"m": b"theirs"}


def refuse_links(*_):
    raise OSError(errno.EPERM, "Operation not permitted")


def test_a_filesystem_without_hard_links(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", refuse_links)
    ONE.save(tmp_path / "m")
    assert tree(tmp_path) == {"m": b"content"}
    with pytest.raises(ArtifactError, match="already exists"):
        ONE.save(tmp_path / "m")


def test_a_path_that_appears_meanwhile_stays_without_hard_links(tmp_path, monkeypatch):
    def appear(*_):
        (tmp_path / "m").write_bytes(b"theirs")
        refuse_links()

    monkeypatch.setattr(os, "link", appear)
    with pytest.raises(ArtifactError, match="cannot be written: File exists"):
        ONE.save(tmp_path / "m")
    assert tree(tmp_path) == {"m": b"theirs"}


def test_force_replaces_a_file(tmp_path):
    (tmp_path / "m").write_bytes(b"old")
    ONE.save(tmp_path / "m", force=True)
    assert tree(tmp_path) == {"m": b"content"}


def test_force_replaces_an_older_directory(tmp_path):
    SEVERAL.save(tmp_path / "m")
    (tmp_path / "m" / "variables" / "b-2").write_bytes(b"stale")
    SEVERAL.save(tmp_path / "m", force=True)
    assert tree(tmp_path) == {"m/a.pb": b"a", "m/variables/b": b"bb"}


def test_force_replaces_a_file_by_a_directory(tmp_path):
    (tmp_path / "m").write_bytes(b"old")
    SEVERAL.save(tmp_path / "m", force=True)
    assert tree(tmp_path) == {"m/a.pb": b"a", "m/variables/b": b"bb"}


@pytest.mark.parametrize("made", [ONE, SEVERAL], ids=["file", "directory"])
def test_force_deletes_no_directory_of_other_things(tmp_path, made):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.txt").write_bytes(b"mine")
    with pytest.raises(ArtifactError, match=r"is a directory: choose|m contains thesis\.txt"):
        made.save(tmp_path / "m", force=True)
    assert tree(tmp_path) == {"m/thesis.txt": b"mine"}


def test_a_failed_replacement_puts_the_old_directory_back(tmp_path, monkeypatch):
    SEVERAL.save(tmp_path / "m")
    monkeypatch.setattr(files_module, "exchange", lambda *_: False)
    rename = type(tmp_path).rename
    failed = []

    def fail(self, destination):
        if destination == tmp_path / "m" and not failed:
            failed.append(self)
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, destination)

    monkeypatch.setattr(type(tmp_path), "rename", fail)
    with pytest.raises(ArtifactError):
        SEVERAL.save(tmp_path / "m", force=True)
    assert tree(tmp_path) == {"m/a.pb": b"a", "m/variables/b": b"bb"}


def test_report_lines():
    record = PassRecord(name="fold", seconds=0.0015, nodes_before=5, nodes_after=3, changed=True)
    report = Report(target="numpy", level=2, frontend_seconds=0.1, passes=(record,), backend_seconds=0.25)
    lines = report.lines()
    assert [line.split()[:2] for line in lines] == [
        ["frontend", "100.00"],
        ["fold", "1.50"],
        ["backend", "numpy"],
    ]
    assert lines[1].endswith("5 → 3 nodes")


def test_report_lines_of_layers():
    layers = [
        LayerRecord(name="dense", scheme="int8", size=1234, difference=0.00123456),
        LayerRecord(name="head", scheme="float32", size=8, difference=None),
    ]
    header, *lines = Report(target="tflite", level=2, layers=tuple(layers)).layer_lines()
    assert header.split() == ["layer", "stored", "as", "bytes", "effect"]
    assert [line.split() for line in lines] == [
        ["dense", "int8", "1,234", "0.00123"],
        ["head", "float32", "8"],
    ]
    assert Report(target="tflite", level=2).layer_lines() == []


def test_repr():
    assert repr(ONE) == "<Artifact for test at -O2>"


def test_a_new_file_appears_when_it_is_complete(tmp_path):
    with files_module.new_file(tmp_path / "m.csv", force=False) as stream:
        stream.write("a,ü\r\n")
        assert not (tmp_path / "m.csv").exists()
    assert tree(tmp_path) == {"m.csv": "a,ü\r\n".encode()}
    with (
        pytest.raises(ArtifactError, match="already exists"),
        files_module.new_file(tmp_path / "m.csv", force=False),
    ):
        pass


def test_an_error_while_a_new_file_is_written_leaves_the_old_one(tmp_path):
    def write_half():
        with files_module.new_binary_file(tmp_path / "m", force=True) as stream:
            stream.write(b"new")
            raise InputError("stop")

    (tmp_path / "m").write_bytes(b"old")
    with pytest.raises(InputError):
        write_half()
    assert tree(tmp_path) == {"m": b"old"}


def test_a_full_disk_while_a_new_file_is_written(tmp_path):
    with (
        pytest.raises(ArtifactError, match="m cannot be written: No space left on device"),
        files_module.new_binary_file(tmp_path / "m", force=False),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert tree(tmp_path) == {}
