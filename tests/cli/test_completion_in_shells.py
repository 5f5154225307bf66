"""The scripts that complete command lines, typed into zsh and tcsh on a terminal."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

from sensenet.backends import TARGETS
from sensenet.cli.sensenet import COMMANDS, SHELLS

pytest.importorskip("shtab")
pytest.importorskip("termios")  # no Windows

pytestmark = pytest.mark.slow

PROMPT = "READY> "
SECONDS = 30

LOGIN = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes stdin the terminal that a program is controlled from, and runs the program."""

ZSHRC = """
PS1='{prompt}'
fpath=({folder} $fpath)
autoload -U compinit && compinit -u -D
bindkey '^I' complete-word
compadd () {{  # writes down what would be offered
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
    typeset -a offered
    builtin compadd -A offered "$@"
    print -rl -- $offered >> {folder}/offered
}}
comppostfuncs=(exit)
"""

TCSHRC = """
set prompt = '{prompt}'
set autolist
source {folder}/sensenet.tcsh
alias sensenet 'echo "<"\\!*">"'
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A folder with the scripts, and the files with which the shells begin."""
    folder = tmp_path_factory.mktemp("completion")
    for shell, name in (("zsh", "_sensenet"), ("tcsh", "sensenet.tcsh")):
        command = [sys.executable, "-m", "sensenet", "--print-completion", shell]
        (folder / name).write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    (folder / ".zshrc").write_text(ZSHRC.format(prompt=PROMPT, folder=folder))
    (folder / ".tcshrc").write_text(TCSHRC.format(prompt=PROMPT, folder=folder))
    return folder


def type_into(shell, keys, folder, directory):
    """What a shell writes to its terminal from its first prompt on, when keys are pressed, until it ends."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    terminal, device = os.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "vt100", "HOME": str(folder), "ZDOTDIR": str(folder)}
    command = [sys.executable, "-c", LOGIN, shell, "-i"]
    process = subprocess.Popen(command, stdin=device, env=environment, cwd=directory)
    os.close(device)
    try:
        read_until(terminal, PROMPT)
        os.write(terminal, keys.encode())
        return read_until(terminal, None)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
        os.close(terminal)


def read_until(terminal, end):
    """What is written to a terminal, up to a text, or with None until the last program closes it."""
    written, last = "", time.monotonic() + SECONDS
    while end is None or end not in written:
        ready, _, _ = select.select([terminal], [], [], max(last - time.monotonic(), 0))
        assert ready, f"waited for {end!r} after {written!r}"
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the end, on Linux
            chunk = b""
        if not chunk:
            break
        written += chunk.decode()
    return written


def complete_in_zsh(scripts, line, directory):
    """What zsh offers for the last word of a line."""
    (scripts / "offered").write_text("")
    type_into("zsh", f"{line}\t", scripts, directory)
    return {offer for offer in (scripts / "offered").read_text().splitlines() if offer}


def complete_in_tcsh(scripts, line, directory):
    """The arguments of the line after tcsh has completed its last word."""
    written = type_into("tcsh", f"{line}\t\nexit\n", scripts, directory)
    found = re.findall(r"^<(.*)>\r?$", written, re.MULTILINE)
    assert found, written
    return found[-1].strip()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sensenet ", set(COMMANDS)),
        ("sensenet --print-completion ", set(SHELLS)),
        ("sensenet compile m.json -t ", set(TARGETS)),
        ("sensenet compile --emit ", {"svg", "dot", "html"}),
        ("sensenet compile --strip", {"--strip-weights"}),
        ("sensenet pretrained ", {"list", "fetch", "path"}),
        ("sensenet pretrained fetch mobile", {"mobilenet", "mobilenetv2"}),
        ("sensenet compile dee", {"deepnet.json"}),
        ("sensenet predict deepnet.json ro", {"rows.csv"}),
        ("sensenet predict deepnet.json rows.csv ro", {"rows.csv"}),
        ("sensenet explain deepnet.json --background ro", {"rows.csv"}),
    ],
)
def test_zsh(scripts, tmp_path, line, expected):
    make_files(tmp_path)
    assert expected <= complete_in_zsh(scripts, line, tmp_path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sensenet comp", "compile"),
        ("sensenet compile deepnet.json -t tfl", "compile deepnet.json -t tflite"),
        ("sensenet compile --strip", "compile --strip-weights"),
        ("sensenet compile dee", "compile deepnet.json"),
        ("sensenet predict deepnet.json ro", "predict deepnet.json rows.csv"),
        ("sensenet pretrained fe", "pretrained fetch"),
        ("sensenet pretrained fetch resnet1", "pretrained fetch resnet18"),
        ("sensenet explain deepnet.json --background ro", "explain deepnet.json --background rows.csv"),
        ("sensenet --print-completion zs", "--print-completion zsh"),
    ],
)
def test_tcsh(scripts, tmp_path, line, expected):
    make_files(tmp_path)
    assert complete_in_tcsh(scripts, line, tmp_path) == expected


def make_files(folder):
    for name in ("deepnet.json", "rows.csv"):
        (folder / name).touch()
