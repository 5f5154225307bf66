#!/usr/bin/env python3
"""Write constraints.txt: the newest versions that pyproject.toml allows with all extras, for each Python.

    .venv/bin/python .ci/lock.py

It needs uv, which the extra `dev` brings, and none of the Pythons: it reads what packages require, and
installs nothing. A package that resolved differently has one line for each version, with a marker. Run
`.ci/run` afterwards, then commit the file.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""On the first, the extra `oracle` holds TensorFlow, NumPy and protobuf at the oldest that are tested."""

WITHOUT_WHEELS = ("bigml-chronos", "pyspark")
"""The packages that are built from source; of others, only wheels count."""

HEADER = """\
# The versions that the tests passed with; `pip install -c constraints.txt …` takes them.
# Written by .ci/lock.py: don't edit.
"""

Pins = Mapping[str, str]


def resolve(python: str) -> Pins:
    """Return the version of every package for a Python."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--python-version", python, "--all-extras"]
    wheels = ["--only-binary", ":all:", *(part for name in WITHOUT_WHEELS for part in ("--no-binary", name))]
    plain = ["--no-header", "--no-annotate", "--quiet", "pyproject.toml"]
    process = subprocess.run(
        [*command, *wheels, *plain], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return parse_pins(process.stdout)


def parse_pins(text: str) -> Pins:
    """Return package → version, from one `package==version` a line."""
    return dict(line.split("==") for line in text.splitlines())


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


def main() -> None:
    """Resolve for each Python, and write the file."""
    resolved = {python: resolve(python) for python in PYTHONS}
    CONSTRAINTS.write_text(HEADER + "\n".join(merge(resolved)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
