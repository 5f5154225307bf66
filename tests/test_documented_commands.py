"""Blocks of shell commands in pages are run here, or a comment above says who runs them, or why nobody does.

    <!-- not run: needs Docker -->      <!-- run by .ci/run -->

Blocks of `console`, with what commands print, are run by test_examples.py. Of commands that install, the
requirements are checked, and nothing is installed.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.shell import ROOT as SOURCES
from support.shell import run_shell

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for place in (".", "docs", "examples", ".github") for path in ROOT.glob(f"{place}/*.md"))
SHELLS = ("sh", "bash", "zsh", "tcsh")
BLOCK = re.compile(
    rf"^(?:<!-- (?P<comment>[^\n]*) -->\n)?```(?P<shell>{'|'.join(SHELLS)})\n(?P<code>.*?)^```$", re.M | re.S
)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def find_blocks():
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start("code"))
            yield pytest.param(block, id=f"{page.relative_to(ROOT).as_posix()}:{line}")


BLOCKS = list(find_blocks())
RUN = [each for each in BLOCKS if each.values[0]["comment"] is None]


def commands_of(block):
    """The commands of a block, without comments, each in a line."""
    return [line for line in block["code"].replace("\\\n", "").splitlines() if line and line[0] != "#"]


def is_installation(command):
    return re.search(r"\bpip (un)?install\b", command) is not None


@pytest.mark.parametrize("block", BLOCKS)
def test_comments_above_blocks_say_who_runs_them_or_why_nobody(block):
    match (block["comment"] or "").split(" ", 2):
        case [""] | ["not", "run:", _]:
            pass
        case ["run", "by", path]:
            assert (ROOT / path).is_file()
        case _:
            pytest.fail(f"expected `not run: REASON` or `run by FILE`, found {block['comment']!r}")


@pytest.mark.parametrize("block", BLOCKS)
def test_what_is_installed_exists(block):
    for command in filter(is_installation, commands_of(block)):
        words = shlex.split(command, comments=True)
        for word in words[words.index("install" if "install" in words else "uninstall") + 1 :]:
            if word == "&&":
                break
            if found := re.fullmatch(r"(?:\.|sensenet-compiler)(?:\[([\w,-]+)\])?", word):
                assert set(filter(None, (found[1] or "").split(","))) <= EXTRAS.keys(), command
            elif word == "sensenet":
                pytest.fail("the distribution `sensenet` belongs to others")
            elif word.endswith(".txt"):
                assert (ROOT / word).is_file()


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A working directory with the examples, which is also the home directory."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("block", RUN)
def test_commands_run(block, directory):
    commands = [command for command in commands_of(block) if not is_installation(command)]
    served = [command for command in commands if command.startswith("sensenet serve ")]
    for command in served:
        serve_for_a_moment(command)
    shell = "bash" if block["shell"] == "sh" else block["shell"]
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    others = [command for command in commands if command not in served]
    (directory / "functions").mkdir()
    path = f"fpath=({directory}/functions)\n" if shell == "zsh" else ""
    run_shell(path + "\n".join(others), shell=shell, check=True, HOME=str(directory))


def serve_for_a_moment(command):
    """Run a server at a free port until it listens."""
    for package in ("uvicorn", "starlette", "orjson", "prometheus_client"):
        pytest.importorskip(package)
    arguments = re.sub(r"--port \d+", "--port 0", command).split()[1:]
    started = [sys.executable, "-m", "sensenet", *arguments, "--json"]
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PYTHONPATH": SOURCES}
    ) as server:
        line = server.stdout.readline()
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=60)
    assert json.loads(line or "{}").get("models"), errors.decode()


def test_blocks_are_found():
    marked = "<!-- not run: a -->\n```sh\na\nb\n```\n"
    text = f"<!-- not run: it takes\nlong -->\n```sh\nx\n```\n{marked}```zsh\nc\n```\n"
    found = [(each["comment"], each["shell"], each["code"]) for each in BLOCK.finditer(text)]
    assert found == [(None, "sh", "x\n"), ("not run: a", "sh", "a\nb\n"), (None, "zsh", "c\n")]
    fences = [line for page in PAGES for line in page.read_text("utf-8").splitlines()]
    assert sum(line.lstrip().removeprefix("```") in SHELLS for line in fences if "```" in line) == len(BLOCKS)
    assert not [page for page in PAGES if "```shell" in page.read_text("utf-8")]


def test_all_blocks_with_output_are_in_pages_that_are_run():
    shown = [page for page in PAGES if "```console\n" in page.read_text("utf-8")]
    assert {page.parent.name for page in shown} <= {"docs", ROOT.name}
    assert {page.name for page in shown if page.parent == ROOT} <= {"README.md"}
