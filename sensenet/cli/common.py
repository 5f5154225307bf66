"""What the commands of the project have in common: exit codes, errors in one line, progress on a terminal."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from sensenet.errors import ArtifactError, InputError, LimitError, SensenetError, SettingsError
from sensenet.limits import VARIABLE, parse_size
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
    add_memory_limit(parser)
    return parser


def add_memory_limit(parser: argparse.ArgumentParser) -> None:
    """Add the option that sets the bound of `sensenet.limits`, for this process and its children."""
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


def run(action: Callable[[], int | None]) -> int:
    """Do what a command does, reading its arguments included; returns the exit status.

    A SensenetError becomes one line on stderr and the status 1; so does a full disk, or a lack of memory.
    Ctrl-C becomes 130; a reader of stdout that has had enough ends the command without a word. `action` may
    return another status than 0. Results on stdout are in UTF-8, whatever the locale.
    """
    _prepare_streams()
    try:
        try:
            return action() or 0
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _abandon(sys.stdout)
    except (SensenetError, OSError, UnicodeEncodeError, MemoryError, RecursionError) as error:
        print_error(_as_our_error(error))
    return EXIT_ERROR


def _prepare_streams() -> None:
    """Open standard streams that are closed, so that no other file gets their number; write UTF-8.

    One that was closed can't be read or written, but for stderr, where nobody reads.
    """
    for number, name, flags, mode in (
        (0, "stdin", os.O_WRONLY, "r"),
        (1, "stdout", os.O_RDONLY, "w"),
        (2, "stderr", os.O_WRONLY, "w"),
    ):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="\n")


def _as_our_error(error: Exception) -> SensenetError:
    """Return what to say of an error that ends a command."""
    match error:
        case SensenetError():
            return error
        case UnicodeEncodeError():
            return ArtifactError(f"a name has the character {error.object[error.start]!a}, which UTF-8 lacks")
        case MemoryError():
            return LimitError("there is not enough memory")
        case RecursionError():
            return LimitError("lists or objects are nested too deep")
        case OSError(filename=None):
            _abandon(sys.stdout)
            return ArtifactError(f"standard output cannot be written: {error.strerror or error}")
        case OSError():
            return ArtifactError(f"{error.filename}: {error.strerror or error}")
    raise error


def read_stdin() -> bytes:
    """Return all of stdin; raises InputError if it cannot be read."""
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InputError(f"standard input cannot be read: {error.strerror or error}") from error


def _abandon(stream: TextIO) -> None:
    """Let what is not written yet go nowhere; Python would complain at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_error(error: SensenetError) -> None:
    """Write what is wrong, in one line on stderr."""
    _print(f"sensenet: error: {error}")


def print_note(text: str) -> None:
    """Write a remark that is not an error, in one line on stderr."""
    _print(f"sensenet: note: {text}")


def _print(text: str) -> None:
    """Write one line on stderr, without characters that change a terminal; nothing if that is impossible."""
    line = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text.split())
    )
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)


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
