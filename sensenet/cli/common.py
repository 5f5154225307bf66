"""Shared parts of the commands: exit codes, one-line errors, progress on terminals."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sensenet.cli.parser import CommandParser
from sensenet.errors import ArtifactError, InputError, LimitError, SensenetError, SettingsError
from sensenet.files.interrupts import Terminated, raised_sigterm
from sensenet.limits import VARIABLE, parse_size
from sensenet.plain_text import short_line
from sensenet.progress import above_progress
from sensenet.settings import parse_setting

Read = TypeVar("Read")

EXIT_ERROR, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 130, 143

STANDARD = "-"
"""The file name that means stdin or stdout."""


def make_parser(program: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return a parser with the options of all commands for models: `--setting` and `--memory-limit`."""
    parser = CommandParser(program, description, examples)
    parser.add_argument(
        "-s",
        "--setting",
        dest="settings",
        type=argument_type(parse_setting),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the model; repeatable",
    )
    add_memory_limit(parser)
    return parser


def argument_type(read: Callable[[str], Read]) -> Callable[[str], Read]:
    """Return a function as the type of an argparse argument: its SensenetErrors are wrong command lines."""

    def read_argument(text: str) -> Read:
        try:
            return read(text)
        except SensenetError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read_argument


def positive_count(text: str) -> int:
    """Return a positive whole number of at most 18 digits, as the type of an argparse argument."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive whole number, found {text!r}")
    return number


def nonnegative(text: str, bound: float = math.inf) -> float:
    """Return a number from 0 to less than a bound, as the type of an argparse argument."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < bound:
        raise argparse.ArgumentTypeError(f"expected a number, 0 or more, found {text!r}")
    return number


def output(text: str) -> str:
    """Return the path of an output, which is not empty, as the type of an argparse argument."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found an empty text")
    return text


def output_path(text: str) -> Path:
    """Return the same as a Path."""
    return Path(output(text))


def names(text: str) -> list[str]:
    """Return the names in a list as CSV writes it, so that quotes allow commas; the type of an argument."""
    return next(csv.reader([text]), [])


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the option `--engine`."""
    from sensenet.models.engines import ENGINES

    parser.add_argument(
        "--engine",
        choices=ENGINES,
        metavar="TARGET",
        help="the target whose runtime predicts (default: an artifact's own; for a document, the fastest)",
    )


def add_memory_limit(parser: argparse.ArgumentParser) -> None:
    """Add the option that sets the limit of `sensenet.limits`, for this process and its children."""
    parser.add_argument(
        "--memory-limit",
        action=_SetMemoryLimit,
        metavar="SIZE",
        help="the memory that a file may take beyond its own size, such as 8GiB "
        f"(default: 2GiB, or the environment variable {VARIABLE})",
    )


class _SetMemoryLimit(argparse.Action):
    """Sets the environment variable to a size."""

    def __call__(self, _parser: Any, _namespace: Any, values: Any, _option: str | None = None) -> None:
        try:
            parse_size(values)
        except SettingsError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        os.environ[VARIABLE] = values


def run(action: Callable[[], int | None], error_status: int = EXIT_ERROR) -> int:
    """Run a command, including the parsing of its arguments, and return the exit status.

    A SensenetError, a full disk or a lack of memory becomes one line on stderr and `error_status`, Ctrl-C the
    status 130 and SIGTERM 143; a closed stdout ends the command silently. `action` may return a status other
    than 0. Results on stdout are in UTF-8, whatever the locale.
    """
    _prepare_streams()
    try:
        with raised_sigterm():
            try:
                return action() or 0
            finally:
                sys.stdout.flush()
    except Terminated:
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _abandon(sys.stdout)
    except (SensenetError, OSError, UnicodeEncodeError, MemoryError, RecursionError) as error:
        print_error(_as_our_error(error))
    return error_status


def _prepare_streams() -> None:
    """Open closed standard streams, so that no other file gets their number, and set them to UTF-8.

    A closed stream cannot be read or written, except stderr, whose text is discarded.
    """
    for number, name, flags, mode in (
        (0, "stdin", os.O_WRONLY, "r"),
        (1, "stdout", os.O_RDONLY, "w"),
        (2, "stderr", os.O_WRONLY, "w"),
    ):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="\n")


def _as_our_error(error: Exception) -> SensenetError:
    """Return the error to report for an error that ends a command."""
    match error:
        case SensenetError():
            return error
        case UnicodeEncodeError():
            return ArtifactError(f"a name has the character {error.object[error.start]!a}, which UTF-8 lacks")
        case MemoryError():
            return LimitError("not enough memory")
        case RecursionError():
            return LimitError("lists or objects are nested too deep")
        case OSError(filename=None):
            _abandon(sys.stdout)
            return ArtifactError(f"standard output cannot be written: {error.strerror or error}")
        case OSError():
            return ArtifactError(f"{error.filename}: {error.strerror or error}")
    raise error


def read_model(argument: str) -> str | bytes:
    """Return the argument for a model as `create_model` takes it: of `-`, the document from stdin."""
    return read_stdin() if argument == STANDARD else argument


def read_stdin() -> bytes:
    """Return all of stdin; raise InputError if it cannot be read."""
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InputError(f"standard input cannot be read: {error.strerror or error}") from error


def _abandon(stream: TextIO) -> None:
    """Discard unwritten output, so that Python does not report it at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_error(error: SensenetError) -> None:
    """Write an error in one line to stderr."""
    _print(f"sensenet: error: {error}")


def print_note(text: str) -> None:
    """Write a note in one line to stderr."""
    _print(f"sensenet: note: {text}")


def _print(text: str) -> None:
    """Write one line to stderr, without control characters; nothing if stderr cannot be written."""
    try:
        with above_progress():
            print(short_line(text), file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)
