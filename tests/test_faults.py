"""Saving where the system itself fails: killed processes, full disks, directories that nobody may write to.

tests/test_artifact.py has the failures that can be acted; here they are real.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs
import pytest
from support.artifacts import make_artifact
from support.processes import finish, kill, start

import sensenet
from sensenet.backends import TARGETS
from sensenet.cli.compile import main
from sensenet.errors import ArtifactError
from sensenet.models.wrappers import create_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")

IRIS = Path(__file__).parents[1] / "examples" / "iris.json"
NOBODY = 65534
LIMIT = 65536

MADE = {
    "file": "{'model.bin': b'x' * 300_000}",
    "directory": "{f'part-{n}': b'x' * 100_000 for n in range(3)}",
}


@pytest.mark.parametrize(
    ("made", "place", "call"),
    [
        ("file", "os.fsync", 1),
        ("file", "os.link", 1),
        ("directory", "os.fsync", 1),
        ("directory", "os.fsync", 3),
        ("directory", "Path.rename", 1),
    ],
)
def test_a_killed_save_leaves_nothing_at_its_path(tmp_path, made, place, call):
    """The process hangs where it makes its first file sure, or its last, or renames, and is killed there."""
    code = f"""if True:
        import os, sys, time
        from pathlib import Path
        from support.artifacts import make_artifact
        calls = []
        def hang(*arguments, **options):
            calls.append(arguments)
            if len(calls) == {call}:
                print("hangs", flush=True)
                time.sleep(600)
        {place} = hang
        make_artifact({MADE[made]}).save(sys.argv[1])
    """
    path = tmp_path / "saved"
    kill(start(code, str(path)))
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".sensenet-")
    assert left.name.endswith(".partial")
    make_artifact({"model.bin": b"new"}).save(path)
    assert path.read_bytes() == b"new"
    assert left.exists(), "what another process writes is not for a save to delete"


HANGING_COMMAND = """
import sys
from sensenet.cli.compile import main

folder, left = sys.argv.pop(1), [int(sys.argv.pop(1))]

def hang(event, arguments):
    if event.partition(".")[0] in ("open", "os", "shutil") and any(folder in str(each) for each in arguments):
        left[0] -= 1
        if left[0] == 0:
            print("hangs", flush=True)
            sys.stdin.read()

sys.addaudithook(hang)
sys.exit(main())
"""
"""The command that compiles; it hangs before the nth time that it opens, links, renames or removes a file."""


@pytest.mark.slow
def test_a_killed_command_leaves_a_whole_file_or_none(tmp_path):
    """Killed before each thing that it does in the folder."""
    path = tmp_path / "iris.npz"
    for step in itertools.count(1):
        arguments = (str(tmp_path), str(step), str(IRIS), "-t", "numpy", "-o", str(path))
        process = start(HANGING_COMMAND, *arguments, stdin=subprocess.PIPE)
        hung = process.stdout.readline() == "hangs\n"
        if hung:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert hung or process.returncode == 0
        if path.exists():
            assert create_model(path)([5.1, 3.5, 1.4, 0.2]).shape == (1, 3)
            path.unlink()
        others = [each.name for each in tmp_path.iterdir() if not each.name.endswith(".partial")]
        assert others == []
        if not hung:
            break
    assert step > 3, step


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_limit_on_file_sizes(tmp_path, made):
    code = f"""if True:
        import resource, sys
        from sensenet.errors import ArtifactError
        from support.artifacts import make_artifact
        resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
        try:
            make_artifact({made}).save(sys.argv[1])
        except ArtifactError as error:
            print(error)
    """
    assert "cannot be written: File too large" in finish(start(code, str(tmp_path / "saved")))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB; skips where it cannot be mounted, which takes the superuser."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={LIMIT}", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("files", [{"model.bin": bytes(300_000)}, {"a": bytes(40_000), "b": bytes(40_000)}])
def test_a_full_disk(small_disk, files):
    with pytest.raises(ArtifactError, match="cannot be written: No space left on device"):
        make_artifact(files).save(small_disk / "saved")
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_keeps_what_was_to_be_replaced(small_disk):
    make_artifact({"model.bin": b"old"}).save(small_disk / "saved")
    with pytest.raises(ArtifactError, match="No space left on device"):
        make_artifact({"model.bin": bytes(300_000)}).save(small_disk / "saved", force=True)
    assert (small_disk / "saved").read_bytes() == b"old"


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="test_artifact.py has it for others")
@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_directory_of_someone_else(made):
    """The superuser may write anywhere, so the process becomes nobody first."""
    code = f"""if True:
        import os, sys
        from sensenet.errors import ArtifactError
        import sensenet.files.writing  # nobody may read the modules of Python
        from support.artifacts import make_artifact
        artifact = make_artifact({made})
        os.setuid({NOBODY})
        try:
            artifact.save(sys.argv[1])
        except ArtifactError as error:
            print(error)
    """
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o555)
        assert "cannot be written: Permission denied" in finish(start(code, f"{directory}/saved"))
        assert list(Path(directory).iterdir()) == []


def test_a_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArtifactError, match="no such directory"):
        sensenet.compile(IRIS, "numpy").save(tmp_path / "file" / "iris.npz")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("failing", [1, 3, "last"])
def test_stages_on_a_full_disk(small_disk, tmp_path, failing, monkeypatch):
    """At the first of them, at a later one and at the weights: none of them stays."""
    if failing == "last":
        monkeypatch.setattr("sensenet.cli.stages.write_npz", lambda _: bytes(LIMIT * 2))
    else:
        calls = []

        def print_graph(_):
            calls.append(1)
            return "x" * (LIMIT * 2 if len(calls) == failing else 10)

        monkeypatch.setattr("sensenet.cli.stages.print_graph", print_graph)
    arguments = [str(IRIS), "-t", "numpy", "-o", str(tmp_path / "m.npz"), "--dump-ir"]
    assert main([*arguments, str(small_disk / "a" / "b")]) == 1
    assert list(small_disk.iterdir()) == []
    (small_disk / "mine").mkdir()
    assert main([*arguments, str(small_disk / "mine")]) == 1
    assert list(small_disk.rglob("*")) == [small_disk / "mine"]


@pytest.mark.parametrize("target", ["numpy", "tflite", "keras", "savedmodel", "smbundle"])
@pytest.mark.parametrize("kind", ["full", "missing"])
def test_no_room_for_temporary_files(small_disk, tmp_path, capsys, target, kind, monkeypatch):
    """What needs none is written; all else is refused in one line."""
    if target in ("keras", "savedmodel", "smbundle"):
        pytest.importorskip("tensorflow")
    (small_disk / "full").write_bytes(bytes(LIMIT - 8192))
    if kind == "full":
        monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    path = tmp_path / f"model{TARGETS[target].suffix}"
    status = main([str(IRIS), "-t", target, "-o", str(path)])
    error = capsys.readouterr().err
    if target in ("numpy", "tflite"):
        assert (status, error) == (0, "")
        return
    assert (status, error.count("\n")) == (1, 1)
    assert "cannot write temporary files" in error
    assert "set TMPDIR" in error
    assert not path.exists()


@pytest.mark.parametrize("vanishing", ["a directory", "the working directory"])
def test_an_output_whose_directory_vanishes(tmp_path, monkeypatch, vanishing):
    place = tmp_path / "place"
    place.mkdir()
    if vanishing == "the working directory":
        monkeypatch.chdir(place)
    artifact = make_artifact({"model.bin": b"content"})
    path = Path("m") if vanishing == "the working directory" else place / "m"
    artifact = attrs.evolve(artifact, produce=lambda: (place.rmdir(), {"model.bin": b"content"})[1])
    with pytest.raises(ArtifactError, match=r"no such directory|cannot be written"):
        artifact.save(path)
    monkeypatch.chdir(tmp_path)
    assert list(tmp_path.iterdir()) == []
