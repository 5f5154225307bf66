"""The script that completes command lines, run by bash."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from sensenet.backends import TARGETS
from sensenet.cli.completion import REPEATED
from sensenet.cli.sensenet import COMMANDS, SHELLS, main

pytest.importorskip("shtab")


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    path = tmp_path_factory.mktemp("completion") / "sensenet.bash"
    command = [sys.executable, "-m", "sensenet", "--print-completion", "bash"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    return path


def complete(script, line, directory=None):
    """What bash offers for the last word of a command line, which may be empty."""
    words = line.split(" ")
    code = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        entry=$(complete -p sensenet); function=${entry#*-F }
        ${function%% *} sensenet "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    result = subprocess.run(
        ["bash", "-c", code, "bash", script, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=directory,
    )
    return set(result.stdout.split())


def test_subcommands(script):
    assert complete(script, "sensenet ") == set(COMMANDS)
    assert complete(script, "sensenet com") == {"compile"}
    assert complete(script, "sensenet --v") == {"--version"}
    assert complete(script, "sensenet --print-completion ") == set(SHELLS)


def test_options(script):
    assert complete(script, "sensenet compile --tar") == {"--target"}
    assert complete(script, "sensenet bisect --stop") == {"--stop-after"}
    assert "--list-targets" not in complete(script, "sensenet predict --")


def test_values_of_options(script):
    assert complete(script, "sensenet compile deepnet.json -t ") == set(TARGETS)
    assert complete(script, "sensenet compile --target tf") == {"tflite", "tfjs"}
    assert complete(script, "sensenet compile --emit ") == {"svg", "dot", "html"}


def test_nested_subcommands(script):
    assert complete(script, "sensenet pretrained ") == {"list", "fetch", "path"}
    assert complete(script, "sensenet pretrained fetch mobile") == {"mobilenet", "mobilenetv2"}


def test_files(script, tmp_path):
    (tmp_path / "deepnet.json").touch()
    (tmp_path / "rows.csv").touch()
    for line in (
        "predict dee",
        "compile dee",
        "serve dee",
        "decompile --like dee",
        "compile -t tflite -o dee",
    ):
        assert complete(script, f"sensenet {line}", tmp_path) == {"deepnet.json"}
    for line in ("compile deepnet.json --rows ro", "explain deepnet.json ro", "explain --background ro"):
        assert complete(script, f"sensenet {line}", tmp_path) == {"rows.csv"}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "pretrained"])
def test_the_first_argument_of_every_command_is_a_file(script, tmp_path, name):
    (tmp_path / "deepnet.json").touch()
    assert complete(script, f"sensenet {name} dee", tmp_path) == {"deepnet.json"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script(shell, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--print-completion", shell])
    assert caught.value.code == 0
    script = capsys.readouterr().out
    assert "sensenet" in script
    assert all(wanted in script for wanted in REPEATED.get(shell, {}).values())


def test_without_shtab_the_error_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print-completion", "bash"]) == 1
    assert capsys.readouterr() == (
        "",
        "sensenet: error: completion needs the package 'shtab': pip install shtab\n",
    )
