"""What `force` may replace, and that what it replaces is there, whole, until what comes instead is.

Processes are killed at each step by hanging there; several write at once.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.artifacts import (
    NEW,
    NEW_DOCUMENT,
    OLD_DOCUMENT,
    ONE,
    SEPARATE_FILES,
    SEVERAL,
    make_artifact,
    tree,
)
from support.processes import finish, kill, start

import sensenet
from sensenet.errors import ArtifactError
from sensenet.files import directories
from sensenet.files import writing as files_module
from sensenet.files.destinations import Layout
from sensenet.files.interrupts import deferred_interrupts
from sensenet.files.writing import new_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and devices of POSIX")

SAVED = {"a.pb": b"a", "variables/b": b"bb"}
ROW = [1.0] * 8


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("thesis.txt", lambda path: path.write_bytes(b"mine")),
        ("variables/thesis.txt", lambda path: path.write_bytes(b"mine")),
        ("empty/", lambda path: path.mkdir()),
        ("the link b", lambda path: path.with_name("b").symlink_to(path.parent)),
        ("the special file variables/b-1", lambda path: os.mkfifo(path.parents[1] / "variables" / "b-1")),
    ],
)
def test_one_foreign_file_saves_a_directory(tmp_path, name, make):
    SEVERAL.save(tmp_path / "m")
    make(tmp_path / "m" / name)
    with pytest.raises(ArtifactError, match=f"m contains {name}, which does not belong to such an artifact"):
        NEW.save(tmp_path / "m", force=True)
    assert tree(tmp_path / "m").items() >= SAVED.items()


def test_files_of_the_right_names_that_someone_else_wrote(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.pb").write_bytes(b"MINE")
    with pytest.raises(ArtifactError, match="m was not saved by sensenet"):
        SEVERAL.save(tmp_path / "m", force=True)
    assert tree(tmp_path) == {"m/a.pb": b"MINE"}


def test_an_artifact_without_a_layout_replaces_no_directory(tmp_path):
    SEVERAL.save(tmp_path / "m")
    bare = sensenet.artifact.Artifact(
        target="test", graph=ONE.graph, report=ONE.report, produce=lambda: dict(SAVED)
    )
    with pytest.raises(ArtifactError, match=r"m contains a\.pb"):
        bare.save(tmp_path / "m", force=True)


@pytest.mark.parametrize("path", [".", "..", "/", "~", "../..", "m/.."])
def test_directories_that_are_in_use(tmp_path, monkeypatch, path):
    (tmp_path / "work" / "m").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for made in (ONE, SEVERAL):
        with pytest.raises(ArtifactError):
            made.save(os.path.expanduser(path), force=True)
    assert (tmp_path / "work" / "m").is_dir()
    assert [each.name for each in sorted(tmp_path.iterdir())] == ["home", "work"]


def test_a_stranger_who_comes_while_a_directory_is_replaced(tmp_path, monkeypatch):
    SEVERAL.save(tmp_path / "m")

    def exchange(one, other):
        (tmp_path / "m" / "thesis.txt").write_bytes(b"mine")
        return directories.exchange(one, other)

    monkeypatch.setattr(files_module, "exchange", exchange)
    with pytest.raises(ArtifactError, match=r"contains thesis\.txt"):
        NEW.save(tmp_path / "m", force=True)
    assert tree(tmp_path) == {"m/thesis.txt": b"mine", "m/a.pb": b"a", "m/variables/b": b"bb"}


@pytest.mark.parametrize("fault", [ArtifactError("m holds variables/"), FileNotFoundError("m/a.pb")])
def test_another_writer_who_deletes_what_is_looked_at(tmp_path, monkeypatch, fault):
    SEVERAL.save(tmp_path / "m")
    looks = []

    def require(path, layout):
        looks.append(path)
        if len(looks) == 1:
            path.rename(tmp_path / "old")
            SEVERAL.save(path)
            raise fault

    monkeypatch.setattr(files_module, "require_replaceable_directory", require)
    files_module.require_replaceable(tmp_path / "m", SAVED, SEVERAL.layout)
    assert looks == [tmp_path / "m"] * 2


@pytest.mark.parametrize("supported", [True, False])
@pytest.mark.parametrize("made", [ONE, SEVERAL], ids=["file", "directory"])
def test_modes_and_links_are_kept(tmp_path, monkeypatch, made, supported):
    if not supported:
        monkeypatch.setattr(files_module, "exchange", lambda *_: False)
    made.save(tmp_path / "real")
    for each in [tmp_path / "real", *tmp_path.glob("real/**/*")]:
        each.chmod(0o750 if each.is_dir() else 0o640)
    before = {each: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("**/*")}
    (tmp_path / "link").symlink_to("real")
    new = NEW if made is SEVERAL else make_artifact({"model.bin": b"new"})
    new.save(tmp_path / "link", force=True)
    assert os.readlink(tmp_path / "link") == "real"
    assert {each: stat.S_IMODE(each.stat().st_mode) for each in before} == before
    assert (tree(tmp_path / "real") or (tmp_path / "real").read_bytes()) in (dict(NEW.files), b"new")


def test_force_writes_where_a_dangling_link_points(tmp_path):
    (tmp_path / "m").symlink_to("there")
    ONE.save(tmp_path / "m", force=True)
    assert (tmp_path / "there").read_bytes() == b"content"
    assert (tmp_path / "m").is_symlink()


@pytest.mark.parametrize("link", [False, True])
def test_devices_stay_devices(tmp_path, link):
    path = Path(os.devnull)
    if link:
        path = tmp_path / "null"
        path.symlink_to(os.devnull)
    ONE.save(path)
    ONE.save(path, force=True)
    with new_file(path, force=True) as stream:
        stream.write("text")
    for made in (SEVERAL, SEPARATE_FILES):
        with pytest.raises(ArtifactError):
            made.save(path, force=True)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert not list(tmp_path.glob("null.*"))
    assert not list(Path(os.devnull).parent.glob("null.*"))


def test_a_fifo_is_written_into(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    ONE.save(tmp_path / "pipe", force=True)
    reader.join()
    assert read == [b"content"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(ArtifactError, match="a device or a pipe"):
        SEVERAL.save(tmp_path / "pipe", force=True)


def test_a_full_device(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with pytest.raises(ArtifactError, match="/dev/full cannot be written: No space left on device"):
        ONE.save("/dev/full")


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(ArtifactError, match="is a socket"):
            ONE.save("socket", force=True)
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_standard_output_by_its_name(tmp_path, kind):
    """What was written to the file before stays, and it stays the same file."""
    code = """if True:
        from support.artifacts import ONE
        print("first", flush=True)
        ONE.save("/dev/stdout")
    """
    with (tmp_path / "out").open("wb") as out:
        inode = os.fstat(out.fileno()).st_ino
        process = start(code, stdout=out if kind == "file" else subprocess.PIPE)
        printed, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert (tmp_path / "out").stat().st_ino == inode
    assert (printed or (tmp_path / "out").read_text()) == "first\ncontent"


def hang(place, call):
    """Code by which a function hangs at the given call, before it does anything, to be killed there."""
    return f"""if True:
        import json, sys, time
        from pathlib import Path
        import sensenet.files.writing
        import sensenet
        from support.artifacts import NEW, NEW_DOCUMENT
        calls, original = [], {place}
        def hang(*arguments, **options):
            calls.append(arguments)
            if len(calls) == {call}:
                print("hangs", flush=True)
                time.sleep(600)
            return original(*arguments, **options)
        {place} = hang
    """


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_pair_that_is_killed_while_it_is_replaced_can_be_opened(tmp_path, call):
    """Before and after each renaming: weights of both, the text, the weights of the new one."""
    answers = [
        sensenet.create_model(document, engine="numpy")(ROW).item()
        for document in (OLD_DOCUMENT, NEW_DOCUMENT)
    ]
    sensenet.compile(OLD_DOCUMENT, "ir").save(tmp_path / "m.ir")
    code = hang("sensenet.files.writing._replace", call)
    kill(
        start(
            f"{code}    sensenet.compile(NEW_DOCUMENT, 'ir').save(sys.argv[1], force=True)",
            str(tmp_path / "m.ir"),
        )
    )
    found = sensenet.create_model(tmp_path / "m.ir")(ROW).item()
    assert found == answers[0 if call < 3 else 1]
    sensenet.compile(NEW_DOCUMENT, "ir").save(tmp_path / "m.ir", force=True)
    assert sensenet.create_model(tmp_path / "m.ir")(ROW) == answers[1]


def test_a_replaced_pair_keeps_none_of_the_old_weights(tmp_path):
    sensenet.compile(OLD_DOCUMENT, "ir").save(tmp_path / "m.ir")
    artifact = sensenet.compile(NEW_DOCUMENT, "ir")
    artifact.save(tmp_path / "m.ir", force=True)
    assert tree(tmp_path) == {"m.ir": artifact.files["model.ir"], "m.npz": artifact.files["model.npz"]}


def test_a_pair_of_which_half_is_damaged_is_replaced(tmp_path):
    artifact = sensenet.compile(NEW_DOCUMENT, "ir")
    for text, weights in ((b"nothing", b"nothing"), (b"", None), (None, b"")):
        for name, content in (("m.ir", text), ("m.npz", weights)):
            (tmp_path / name).write_bytes(content or b"")
            if content is None:
                (tmp_path / name).unlink()
        artifact.save(tmp_path / "m.ir", force=True)
        assert sensenet.create_model(tmp_path / "m.ir")(ROW).shape == (1, 1)


@pytest.mark.parametrize("function", ["_replace", "exchange", "require_replaceable_directory", "_remove"])
def test_a_directory_that_is_killed_while_it_is_replaced_is_whole(tmp_path, function):
    SEVERAL.save(tmp_path / "m")
    code = hang(f"sensenet.files.writing.{function}", 2 if function == "require_replaceable_directory" else 1)
    kill(start(f"{code}    NEW.save(sys.argv[1], force=True)", str(tmp_path / "m")))
    before = function in ("_replace", "exchange")
    assert tree(tmp_path / "m") == (SAVED if before else dict(NEW.files))


@pytest.mark.parametrize("made", ["ONE", "SEVERAL", "SEPARATE_FILES"])
@pytest.mark.parametrize("force", [False, True])
def test_an_interrupt_waits_for_the_renaming(tmp_path, made, force):
    """It comes at the first step; the process saves all, leaves nothing else, and then ends by it."""
    code = f"""if True:
        import os, signal, sys
        import sensenet.files.writing
        from support.artifacts import {made}
        original = sensenet.files.writing.{"_replace_all" if force else "_move_all"}
        def interrupt(*arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return original(*arguments)
        sensenet.files.writing.{"_replace_all" if force else "_move_all"} = interrupt
        try:
            {made}.save(sys.argv[1], force={force})
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert finish(start(code, str(tmp_path / "m"))) == "interrupted"
    assert sorted(tree(tmp_path)) in (["m"], ["m/a.pb", "m/variables/b"], ["m.ir", "m.npz"])


def test_an_interrupt_while_files_are_written_leaves_nothing(tmp_path, monkeypatch):
    write = files_module._write

    def interrupt(path, content):
        write(path, content)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(files_module, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        SEPARATE_FILES.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_interrupts_go_to_whoever_handled_them():
    seen = []
    previous = signal.signal(signal.SIGINT, lambda *_: seen.append("handled"))
    try:
        with deferred_interrupts() as handle:
            os.kill(os.getpid(), signal.SIGINT)
            assert seen == []
            handle()
            assert seen == ["handled"]
            os.kill(os.getpid(), signal.SIGINT)
        assert seen == ["handled"] * 2
    finally:
        signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize("supported", [True, False])
@pytest.mark.parametrize("kind", ["file", "directory", "pair"])
def test_threads_that_write_to_one_path(tmp_path, monkeypatch, kind, supported):
    """Each of them succeeds, and in the end all files are of one of them."""
    if not supported:
        monkeypatch.setattr(files_module, "exchange", lambda *_: False)
    if kind == "pair":
        made = [sensenet.compile(document, "ir") for document in (OLD_DOCUMENT, NEW_DOCUMENT)]
        wanted = [{f"m{Path(name).suffix}": part for name, part in each.files.items()} for each in made]
    elif kind == "file":
        made = [ONE, make_artifact({"model.bin": b"other"})]
        wanted = [{"m": bytes(each)} for each in made]
    else:
        made = [SEVERAL, NEW]
        wanted = [{f"m/{name}": part for name, part in each.files.items()} for each in made]
    made[0].save(tmp_path / "m")
    faults = []

    def write(artifact):
        try:
            for _ in range(25):
                artifact.save(tmp_path / "m", force=True)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(each,)) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert tree(tmp_path) in wanted


@pytest.mark.parametrize("code", [38, 22, 95])
def test_a_system_that_cannot_exchange(tmp_path, monkeypatch, code):
    """ENOSYS, EINVAL and ENOTSUP."""
    monkeypatch.setattr("ctypes.get_errno", lambda: code)
    assert not directories.exchange(tmp_path / "no", tmp_path / "none")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot exchange")
def test_exchanging_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        directories.exchange(tmp_path / "no", tmp_path / "none")


@pytest.mark.parametrize("path", [".", "..", "/", "m/.."])
def test_files_next_to_each_other_need_a_name(tmp_path, monkeypatch, path):
    (tmp_path / "m").mkdir()
    monkeypatch.chdir(tmp_path / "m")
    with pytest.raises(ArtifactError):
        SEPARATE_FILES.save(path, force=True)
    assert list(tmp_path.rglob("*")) == [tmp_path / "m"]


@pytest.mark.parametrize("target", ["savedmodel", "tfjs"])
def test_layouts_recognize_what_their_targets_write(target, tmp_path):
    backend = pytest.importorskip(f"sensenet.backends.{target}")
    if target == "savedmodel":
        pytest.importorskip("tensorflow")
    artifact = sensenet.compile(NEW_DOCUMENT, target)
    assert isinstance(backend.LAYOUT, Layout)
    assert all(re.fullmatch(backend.LAYOUT.names, name) for name in artifact.files)
    artifact.save(tmp_path / "m")
    sensenet.compile(OLD_DOCUMENT, target).save(tmp_path / "m", force=True)
    (tmp_path / "m" / backend.LAYOUT.mark).write_bytes(b'{"mine": 1}')
    if target == "tfjs":
        with pytest.raises(ArtifactError, match="not saved by sensenet"):
            artifact.save(tmp_path / "m", force=True)
    (tmp_path / "m" / backend.LAYOUT.mark).unlink()
    with pytest.raises(ArtifactError, match="not saved by sensenet"):
        artifact.save(tmp_path / "m", force=True)
