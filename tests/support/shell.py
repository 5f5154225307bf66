"""Commands of pages, in a shell whose `python` and `sensenet` are those of the tests and of this checkout."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import sensenet

ROOT = str(Path(sensenet.__file__).resolve().parent.parent)


def run_shell(command: str, *, shell: str = "bash", check: bool = False, **variables: str) -> str:
    """What commands print, to stdout and stderr; with `check`, the first that fails is an error."""
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in (("python", []), ("sensenet", ["-m", "sensenet"])):
            program = Path(folder, name)
            program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *arguments])} "$@"\n')
            program.chmod(0o755)
        path = os.pathsep.join([folder, os.environ["PATH"]])
        result = subprocess.run(
            [shell, *(["-e"] if check else []), "-c", command],
            check=False,
            env=os.environ | {"PATH": path, "PYTHONPATH": ROOT, "TF_CPP_MIN_LOG_LEVEL": "3"} | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
    assert not (check and result.returncode), f"{command}\n{result.stdout}"
    return result.stdout
