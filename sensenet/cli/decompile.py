"""The command line of `sensenet decompile`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sensenet.cli import common as command_line
from sensenet.cli.common import STANDARD
from sensenet.cli.document_files import require_writable, write_document
from sensenet.cli.json_results import add_json, list_files, print_json, require_free_stdout
from sensenet.cli.parser import CommandParser
from sensenet.compiler.decompile import decompile

PROGRAM = "sensenet decompile"

EXAMPLES = """\
examples:
  %(prog)s trained.keras --like deepnet.json -o trained.json
  %(prog)s weights.h5 --like bare.json > deepnet.json

exit status: 0, 1 for input that cannot be decompiled, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the command line and return the exit status."""
    parser = make_parser(program)
    return command_line.run(lambda: _decompile(parser.parse_args(arguments), parser))


def make_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(program, "Write a trained network as a BigML document.", EXAMPLES)
    command_line.add_memory_limit(parser)
    add = parser.add_argument
    add("trained", metavar="TRAINED", help="a .keras file of level 0, or an h5 file of weights")
    add(
        "--like",
        metavar="DOCUMENT",
        required=True,
        help="the document that it was compiled from, -, or a pretrained network's name",
    )
    add(
        "-o",
        "--output",
        metavar="PATH",
        type=command_line.output,
        default=STANDARD,
        help="the file to write; compressed if it ends in .gz (default: stdout)",
    )
    add("-f", "--force", action="store_true", help="replace an existing file")
    add_json(parser, "print JSON about the files that are written")
    return parser


def _decompile(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    require_free_stdout(options, parser, [options.output])
    require_writable(options.output, options.force)
    write_document(
        decompile(options.trained, command_line.read_model(options.like)), options.output, options.force
    )
    if options.json:
        written = {"path": options.output, "files": list_files([options.output])}
        print_json({"trained": options.trained, "like": options.like, **written})
