"""What commands do with their streams, with a lack of memory, and with the memory limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensenet.cli import common as command_line
from sensenet.cli.bisect import main as bisect
from sensenet.cli.compile import main as compile_main
from sensenet.cli.decompile import main as decompile
from sensenet.cli.predict import main as predict
from sensenet.errors import ArtifactError, LimitError
from sensenet.limits import memory_limit

ROOT = Path(__file__).parents[1]
IRIS, ROWS = ROOT / "examples/iris.json", ROOT / "examples/iris.csv"
PREDICT = f"{sys.executable} -m sensenet.predict {IRIS} {ROWS}"
COMPILE = f"{sys.executable} -m sensenet.compile {IRIS} -t numpy"
needs_dev_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


def shell(command, **environment):
    """Exit status, stdout and stderr of a command line."""
    process = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        env={**os.environ, "PYTHONUNBUFFERED": "", **environment},
        timeout=120,
        check=False,
    )
    return process.returncode, process.stdout.decode(), process.stderr.decode()


@needs_dev_full
@pytest.mark.parametrize(
    "command",
    [PREDICT, f"{PREDICT} --batch 1", f"{COMPILE} -o -", f"{sys.executable} -m sensenet.predict --help"],
)
def test_a_full_disk_is_one_line(command):
    code, _, err = shell(f"{command} > /dev/full")
    assert code == 1
    assert err == "sensenet: error: standard output cannot be written: No space left on device\n"


@needs_dev_full
def test_a_full_disk_without_buffers():
    code, _, err = shell(f"{PREDICT} > /dev/full", PYTHONUNBUFFERED="1")
    assert (code, err.count("\n")) == (1, 1)


@needs_dev_full
def test_stderr_that_is_full_changes_no_status():
    assert shell(f"{PREDICT} > /dev/full 2> /dev/full") == (1, "", "")
    assert shell(f"{sys.executable} -m sensenet.predict none.json {ROWS} 2> /dev/full") == (1, "", "")


def test_a_reader_that_has_had_enough_ends_the_command_without_a_word():
    code, out, err = shell(f"set -o pipefail; {PREDICT} --batch 1 | true")
    assert (code, out, err) == (1, "", "")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (f"{PREDICT} >&-", "standard output cannot be written: Bad file descriptor"),
        (f"{COMPILE} -o - >&-", "standard output cannot be written: Bad file descriptor"),
        (f"{sys.executable} -m sensenet.predict {IRIS} - <&-", "- cannot be read: Bad file descriptor"),
        (f"{sys.executable} -m sensenet.compile - -t ir -o - <&-", "standard input cannot be read: Bad file"),
    ],
)
def test_a_closed_stream_is_one_line(command, told):
    code, out, err = shell(command)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err


def test_closed_streams_that_nobody_needs_change_nothing(tmp_path):
    expected = shell(PREDICT)
    assert shell(f"{PREDICT} <&- 2>&-") == (0, expected[1], "")
    path = tmp_path / "answers.csv"
    assert shell(f"{PREDICT} -o {path} <&- >&- 2>&-") == (0, "", "")
    assert path.read_text() == expected[1]
    assert shell(f"{sys.executable} -m sensenet.predict none.json {ROWS} 2>&-") == (1, "", "")


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_both_streams_are_utf_8_whatever_the_locale(tmp_path, environment):
    document = json.loads(IRIS.read_text())
    document["deepnet"]["network"]["output_exposition"]["values"] = ["Łódź", "日本", "c"]
    document["deepnet"]["fields"]["000003"]["name"] = "größe"
    path, rows = tmp_path / "model.json", tmp_path / "rows.csv"
    path.write_text(json.dumps(document))
    rows.write_bytes("größe\n1\n".encode())
    code, out, _ = shell(f"{sys.executable} -m sensenet.predict {path} - < {rows}", **environment)
    assert code == 0
    assert out.splitlines()[0] == "species,Łódź,日本,c"
    rows.write_bytes("größe\n1\n".encode("latin-1"))
    code, out, err = shell(f"{sys.executable} -m sensenet.predict {path} - < {rows}", **environment)
    assert (code, out) == (1, "")
    assert "line 1: not CSV in UTF-8: byte 0xf6" in err


@pytest.mark.parametrize("output", [[], ["-o", "answers.csv"]])
def test_a_class_that_utf_8_cannot_write(tmp_path, monkeypatch, capsys, output):
    monkeypatch.chdir(tmp_path)
    document = json.loads(IRIS.read_text())
    document["deepnet"]["network"]["output_exposition"]["values"] = ["\ud800", "b", "c"]
    Path("model.json").write_text(json.dumps(document))
    assert predict(["model.json", str(ROWS), *output]) == 1
    assert "sensenet: error: " in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "not enough memory"),
        (RecursionError("maximum recursion depth exceeded"), "lists or objects are nested too deep"),
        (LimitError("the weights need 3 GiB"), "the weights need 3 GiB"),
        (PermissionError(13, "Permission denied", "a.csv"), "a.csv: Permission denied"),
        (ArtifactError("two\nlines \x1b[2J\ud800"), "two lines \\x1b[2J\\ud800"),
    ],
)
def test_what_ends_a_command_is_one_line(capsys, error, told):
    def act():
        raise error

    assert command_line.run(act) == 1
    assert capsys.readouterr().err == f"sensenet: error: {told}\n"


COMMANDS = {
    predict: [str(IRIS), str(ROWS), "-o", "answers.csv"],
    compile_main: [str(IRIS), "-t", "ir", "--print-ir"],
    bisect: [str(IRIS), "--passes", ""],
    decompile: ["none.h5", "--like", str(IRIS)],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_all_commands_take_a_memory_limit(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "1GiB")
    command([*COMMANDS[command], "--memory-limit", "3GiB"])
    assert memory_limit() == 3 << 30
    with pytest.raises(SystemExit) as stopped:
        command([*COMMANDS[command], "--memory-limit", "lots"])
    assert stopped.value.code == 2
    assert "argument --memory-limit: 'lots' is not a size" in capsys.readouterr().err
    assert memory_limit() == 3 << 30
