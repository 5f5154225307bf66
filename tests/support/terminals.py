"""Programs on a terminal of a given width, and what the terminal then shows."""

from __future__ import annotations

import os
import subprocess
import termios
from collections.abc import Mapping, Sequence


def run_on_terminal(
    command: Sequence[str], *, columns: int = 80, environment: Mapping[str, str] | None = None, **options
) -> tuple[int, str]:
    """The exit status of a command whose stderr is a terminal, and all that was written to that."""
    terminal, device = os.openpty()
    termios.tcsetwinsize(device, (24, columns))
    try:
        process = subprocess.Popen(
            command, stderr=device, env=os.environ | {"TERM": "xterm"} | (environment or {}), **options
        )
    finally:
        os.close(device)
    with process:
        written = read_all(terminal)
    os.close(terminal)
    return process.returncode, written


def read_all(terminal: int) -> str:
    """Everything that was written to a terminal; its end is an error on Linux."""
    chunks = []
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            chunk = b""
        if not chunk:
            return b"".join(chunks).decode()
        chunks.append(chunk)


def shown_lines(written: str) -> list[str]:
    """The lines that a terminal shows at the end, of text that moves the cursor by \\r and \\n, and up."""
    lines, row, column = [""], 0, 0
    written = written.replace("\x1b[A", "\x0b")
    for character in written:
        if character == "\r":
            column = 0
        elif character == "\x0b":
            row -= 1
        elif character == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + character + line[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]
