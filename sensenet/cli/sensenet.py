"""The command `sensenet`, whose subcommands are the modules of this folder; `python -m sensenet` is the same.

Only the module of the chosen subcommand is imported.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sensenet.cli import common as command_line
from sensenet.cli.parser import CommandParser
from sensenet.distribution import read_version
from sensenet.files.interrupts import deferred_interrupts

PROGRAM = "sensenet"

SHELLS = ("bash", "zsh", "tcsh")

COMMANDS = {
    "compile": "compile a deepnet for another runtime",
    "predict": "predict tables or images",
    "evaluate": "measure models on rows with known answers",
    "inspect": "show fields, layers, costs and what BigML says",
    "page": "write a page that predicts in the browser",
    "explain": "show why a model answers so, by field",
    "diff": "show where two models differ",
    "serve": "serve models over HTTP",
    "bisect": "find the pass that makes an answer wrong",
    "decompile": "write a trained network as a BigML document",
    "pretrained": "list and download pretrained networks",
}
"""Subcommand → what it does. Its module has its name, and in it `make_parser()`, and `main(arguments)`, which
returns the exit status."""

EXAMPLES = """\
examples:
  %(prog)s compile deepnet.json -t tflite -o deepnet.tflite
  %(prog)s predict deepnet.json rows.csv -o predictions.csv
  %(prog)s COMMAND --help                                    explains a command

exit status: that of the command: 0 for success, 1 for input that cannot be used, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return command_line.run(lambda: _run(given))


def _import_command(name: str) -> Any:
    """Import the module of a subcommand; Ctrl-C waits, since some packages report it as a fault of theirs."""
    with deferred_interrupts():
        return importlib.import_module(f"sensenet.cli.{name}")


def _run(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        status: int = _import_command(arguments[0]).main(arguments[1:])
        return status
    _make_parser({}).parse_args(arguments or ["--help"])
    return 0


def _make_parser(details: Mapping[str, argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Return the parser of all command lines; of subcommands, it knows the options in `details` only."""
    parser = CommandParser(PROGRAM, "Compile, run and examine deepnets trained on BigML.", EXAMPLES)
    parser.add_argument("--version", action=_PrintVersion)
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        action=_PrintCompletion,
        metavar="SHELL",
        help=f"print a script that completes command lines, for {', '.join(SHELLS[:-1])} or {SHELLS[-1]}",
    )
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", required=True)
    for name, purpose in COMMANDS.items():
        parents: list[Any] = [details[name]] if name in details else []
        commands.add_parser(name, description=purpose, help=purpose, parents=parents, add_help=not parents)
    return parser


class _PrintVersion(argparse.Action):
    """Prints the version, which is looked up only if it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"{PROGRAM} {read_version()}")
        parser.exit()


class _PrintCompletion(argparse.Action):
    """Prints a script for a shell, made of the parsers of all subcommands."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, shell: Any, *__: Any) -> None:
        from sensenet.cli.completion import write_completion

        details = {name: _import_command(name).make_parser() for name in COMMANDS}
        print(write_completion(_make_parser(details), shell))
        parser.exit()
