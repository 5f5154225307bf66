"""Python processes that run code next to the tests, and are killed while they hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def start(code, *arguments, **options):
    """Start a Python that runs code, which may import `sensenet` and `support`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [TESTS, *sys.path]))}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
    )


def finish(process):
    """Return what a process printed; it must succeed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


def kill(process):
    """Kill a process as soon as it prints `hangs`."""
    assert process.stdout.readline() == "hangs\n", process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
