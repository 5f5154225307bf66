"""Progress on terminals: bars and lines that fit, leave nothing behind, and are not drawn elsewhere."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("termios")  # no Windows
from support.terminals import run_on_terminal, shown_lines

from sensenet.progress import above_progress, progress_bar, status_line

IRIS = Path(__file__).parents[1] / "examples/iris.json"


def run(code, **options):
    status, written = run_on_terminal([sys.executable, "-c", code], **options)
    assert status == 0, written
    return written


def draw(unit, label, *calls, **options):
    code = f"""if True:
        from sensenet.progress import {unit.upper()}, progress_bar
        with progress_bar({label!r}, {unit.upper()}) as show:
            for done, total in {calls!r}:
                show(done, total)
    """
    return run(code, **options)


@pytest.mark.parametrize(
    ("unit", "calls", "expected"),
    [
        ("bytes", [(25_000_000, 100_000_000)], r"file:  25%\|.*\| 25\.0M/100M \[00:00<\?, .*B/s\]"),
        ("bytes", [(25_000_000, None)], r"file: 25\.0MB \[00:00, \?B/s\]"),
        ("steps", [(3, 12)], r"file:  25%\|.*\| 3/12 \[00:00<\?, \? steps/s\]"),
        ("rows", [(1000, 4000)], r"file:  25%\|.*\| 1\.00k/4\.00k \[00:00<\?, \? rows/s\]"),
        ("rows", [(1000, None)], r"file: 1\.00k rows \[00:00, \? rows/s\]"),
    ],
)
def test_a_bar(unit, calls, expected):
    written = draw(unit, "file", *calls)
    assert re.search(expected, written), written
    assert shown_lines(written) == [""]


def test_a_download_that_starts_again_goes_back():
    written = draw("bytes", "file", (90, 100), (10, 100), (100, 100))
    assert "90%" in written
    assert shown_lines(written) == [""]


@pytest.mark.parametrize("columns", [0, 1, 12, 40, 300])
def test_no_line_is_longer_than_the_terminal(columns):
    label = "a file with a long name \x1b[31m" * 20
    written = draw("rows", label, (1, 9), columns=columns) + run(
        f"from sensenet.progress import status_line\nwith status_line() as show: show({label!r})",
        columns=columns,
    )
    assert "\x1b" not in written
    assert max(map(len, re.split(r"[\r\n]", written))) < max(columns or 80, 2)


def test_notes_are_lines_of_their_own_above_a_bar():
    code = """if True:
        import sys
        from sensenet.cli.common import print_note
        from sensenet.progress import STEPS, progress_bar, status_line
        with status_line() as step, progress_bar("inner", STEPS) as show:
            step("outer")
            show(1, 2)
            print_note("first")
            show(2, 2)
            print_note("second")
        print_note("third")
    """
    assert shown_lines(run(code))[:3] == [f"sensenet: note: {name}" for name in ("first", "second", "third")]


def test_an_empty_text_erases_the_line():
    code = """if True:
        import sys
        from sensenet.progress import status_line
        with status_line() as show:
            show("a step")
            show("")
            print("result", file=sys.stderr)
            show("next")
    """
    written = run(code)
    assert "a step" in written
    assert shown_lines(written) == ["result", ""]


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "ValueError"])
def test_an_error_leaves_no_bar(error):
    code = f"""if True:
        import os
        from sensenet.progress import progress_bar, status_line
        try:
            with status_line() as line, progress_bar("file") as show:
                line("a step")
                show(1, 9)
                raise {error}
        except {error}:
            pass
    """
    assert set(shown_lines(run(code))) == {""}


def test_no_thread_and_no_semaphore():
    code = """if True:
        import sys, threading
        from sensenet.progress import progress_bar
        with progress_bar("file") as show:
            show(1, 9)
            print(threading.active_count(), "multiprocessing.synchronize" in sys.modules, file=sys.stderr)
    """
    assert "1 False" in run(code)


def test_a_dumb_terminal_shows_nothing():
    assert draw("rows", "file", (1, 9), environment={"TERM": "dumb"}) == ""


def test_a_wrong_variable_of_tqdm_is_an_error_in_one_line():
    command = [sys.executable, "-m", "sensenet", "inspect", str(IRIS)]
    status, written = run_on_terminal(
        command, environment={"TQDM_MININTERVAL": "x"}, stdout=subprocess.DEVNULL
    )
    assert status == 1
    assert re.fullmatch(r"sensenet: error: an environment variable TQDM_… has .*'x'\r\n", written)


def test_results_on_the_terminal_have_no_bar_between_them():
    code = """if True:
        import sys
        from sensenet.progress import progress_bar, status_line
        with progress_bar("file", results=sys.stderr) as show, status_line(sys.stderr) as step:
            show(1, 9)
            step("a step")
    """
    assert run(code) == ""


def test_nothing_is_drawn_elsewhere(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar("file") as show, status_line() as step:
        show(1, 100)
        step("a step")
    assert stream.getvalue() == ""


def test_program_without_standard_error_has_no_bar(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    with progress_bar("file") as show, status_line() as step:
        show(1, 100)
        step("a step")


def test_tqdm_is_imported_only_to_draw():
    code = """if True:
        import sys
        from sensenet.progress import above_progress, progress_bar, status_line
        with progress_bar("file") as show, status_line() as step, above_progress():
            show(1, 100)
            step("a step")
        print("tqdm" in sys.modules)
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("False\n", "")


def test_what_is_written_above_no_bar_is_written(capsys):
    with above_progress():
        print("text", file=sys.stderr)
    assert capsys.readouterr().err == "text\n"


def test_a_command_shows_rows_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "sensenet", "predict", str(IRIS), str(IRIS.with_suffix(".csv"))]
    status, written = run_on_terminal([*command, "-o", str(tmp_path / "scores.csv")], columns=200)
    assert status == 0
    assert "iris.csv: 100%|" in written
    assert "rows/s]" in written
    assert shown_lines(written) == [""]


def test_an_error_of_a_command_is_the_only_line():
    command = [sys.executable, "-m", "sensenet", "inspect", "missing.json"]
    status, written = run_on_terminal(command, stdout=subprocess.DEVNULL)
    assert status == 1
    (line, end) = shown_lines(written)
    assert line.startswith("sensenet: error: ")
    assert end == ""
