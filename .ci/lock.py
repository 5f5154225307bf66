#!/usr/bin/env python3
"""Write constraints.txt: the newest versions that pyproject.toml allows, resolved once for each Python.

    python .ci/lock.py python3.11 python3.12 python3.13:bindings,dev

Each interpreter gets a temporary virtual environment with every extra (about 3 GB), or with those after a
colon. A package that resolved differently has one line for each version, with a marker. Run the tests on each
Python afterwards, then commit the file.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
ALL_EXTRAS = "all,bindings,dev,oracle"
TOOLS = ("pip",)
"""Packages that pip lists and that are not dependencies of ours."""

HEADER = """\
# The versions that the tests passed with; `pip install -c constraints.txt …` takes them.
# Written by .ci/lock.py: don't edit.
"""

Pins = Mapping[str, str]


def resolve(argument: str, folder: Path) -> tuple[str, Pins]:
    """Return an interpreter's version (`3.11`), and the version of every package of an environment of it."""
    interpreter, _, extras = argument.partition(":")
    environment = folder / Path(interpreter).name
    subprocess.run([interpreter, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--upgrade", "--upgrade-strategy", "eager"]
    subprocess.run([*install, f".[{extras or ALL_EXTRAS}]"], check=True, cwd=ROOT)
    version = _output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    return version, parse_freeze(_output(python, "-m", "pip", "freeze", "--all"))


def parse_freeze(text: str) -> Pins:
    """Return package → version, without packages installed from a path and without the installer."""
    pins = dict(line.split("==") for line in text.splitlines() if "==" in line and not line.startswith("#"))
    return {name: version for name, version in pins.items() if name not in TOOLS}


def merge(resolved: Mapping[str, Pins]) -> list[str]:
    """Return one line a package, or one for each of its versions, from Python version → pins."""
    names = sorted({name for pins in resolved.values() for name in pins}, key=str.lower)
    return [line for name in names for line in _lines(name, resolved)]


def _lines(name: str, resolved: Mapping[str, Pins]) -> list[str]:
    pythons: dict[str, list[str]] = {}
    for python, pins in resolved.items():
        if name in pins:
            pythons.setdefault(pins[name], []).append(python)
    if len(pythons) == 1:
        return [f"{name}=={version}" for version in pythons]
    return [
        f"{name}=={version} ; " + " or ".join(f'python_version == "{python}"' for python in group)
        for version, group in pythons.items()
    ]


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Resolve for each interpreter, and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("interpreters", nargs="+", metavar="PYTHON[:EXTRAS]")
    interpreters = parser.parse_args().interpreters
    with tempfile.TemporaryDirectory() as folder:
        resolved = dict(resolve(interpreter, Path(folder)) for interpreter in interpreters)
    CONSTRAINTS.write_text(HEADER + "\n".join(merge(resolved)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
