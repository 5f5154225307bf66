"""The command line of `sensenet diff`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sensenet.cli import common as command_line
from sensenet.cli.json_results import add_json, print_json
from sensenet.inspection.differ import PARTS, check_parts, diff
from sensenet.progress import status_line

PROGRAM = "sensenet diff"

EXIT_SAME, EXIT_DIFFERENT, EXIT_TROUBLE = 0, 1, 2

EXAMPLES = """\
examples:
  %(prog)s old.json new.json                            what a new training changed
  %(prog)s old.json new.json --rows rows.csv --only answers
  %(prog)s deepnet.json deepnet.tflite --only answers --tolerance 1e-5
  %(prog)s one.npz other.npz --json

exit status: 0 if nothing differs, 1 if something does, 2 for input that cannot be compared or a wrong
command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    return command_line.run(lambda: _run(make_parser().parse_args(arguments)), EXIT_TROUBLE)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Show where two models differ: fields, settings, graph, weights, and answers to rows."
    parser = command_line.make_parser(PROGRAM, description, EXAMPLES)
    add = parser.add_argument
    add("first", metavar="MODEL", help="a document, a saved artifact, -, or a pretrained network's name")
    add("second", metavar="MODEL", help="another")
    add(
        "--rows",
        metavar="PATH",
        help="rows to answer: a CSV file with a header of field names, or a folder of images "
        "(default: rows drawn from the first's fields)",
    )
    add(
        "--only",
        metavar="PARTS",
        type=command_line.argument_type(_parts),
        default=PARTS,
        help=f"compare only these, separated by commas: {', '.join(PARTS)}",
    )
    add(
        "--tolerance",
        metavar="NUMBER",
        type=command_line.nonnegative,
        default=0.0,
        help="how far weights and answers may differ and count as equal (default: 0)",
    )
    add_json(parser)
    return parser


def _parts(text: str) -> tuple[str, ...]:
    return check_parts([part for part in text.split(",") if part])


def _run(options: argparse.Namespace) -> int:
    with status_line() as show:
        show(f"comparing {options.first} and {options.second} …")
        found = diff(
            command_line.read_model(options.first),
            command_line.read_model(options.second),
            dict(options.settings),
            rows=options.rows,
            parts=options.only,
            tolerance=options.tolerance,
        )
    if options.json:
        print_json(found.to_json())
    else:
        print(found)
    return EXIT_SAME if found.same else EXIT_DIFFERENT
