"""What the commands of the project have in common: exit codes, errors in one line, progress on a terminal."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from sensenet.errors import SensenetError
from sensenet.settings import setting_argument

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

STANDARD = "-"
"""As a file name: standard input or output."""


def make_parser(program: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser with what all commands of models have: help that ends with examples, and `--setting`."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-s",
        "--setting",
        dest="settings",
        type=setting_argument,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the model; repeatable",
    )
    return parser


def run(action: Callable[[], int | None]) -> int:
    """Do what a command does; its exit code.

    A SensenetError becomes one line on standard error and exit code 1, Ctrl-C becomes 130; a reader of
    standard output that has had enough ends the command quietly. `action` may give another exit code than 0.
    """
    try:
        code = action()
        sys.stdout.flush()
    except SensenetError as error:
        print_error(error)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would complain at exit
        return EXIT_ERROR
    return code or 0


def print_error(error: SensenetError) -> None:
    """Tell what is wrong, in one line on standard error."""
    print(f"sensenet: error: {' '.join(str(error).split())}", file=sys.stderr)


def print_note(text: str) -> None:
    """Write a remark that is not an error, in one line on stderr."""
    print(f"sensenet: note: {text}", file=sys.stderr)


@contextlib.contextmanager
def status_line(stream: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done, on a terminal only; the line is wiped at the end."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda _: None
        return
    try:
        yield lambda text: print(f"\r\x1b[K{text}", end="", file=stream, flush=True)
    finally:
        print("\r\x1b[K", end="", file=stream, flush=True)
