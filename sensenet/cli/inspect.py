"""The command line of `sensenet inspect`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensenet.backends import get_target
from sensenet.cli import common as command_line
from sensenet.cli.json_results import add_json, list_files, print_json
from sensenet.drawing import FORMS, draw
from sensenet.errors import ArtifactError
from sensenet.files.writing import require_free, write_all
from sensenet.inspection.inspector import describe
from sensenet.inspection.opening import open_source
from sensenet.ir.graph import Graph
from sensenet.progress import status_line

PROGRAM = "sensenet inspect"

EXAMPLES = """\
examples:
  %(prog)s deepnet.json                          fields, classes, layers, what BigML says
  %(prog)s deepnet.json --targets numpy,tflite --measure
  %(prog)s deepnet.tflite --json                 a compiled model, as JSON
  %(prog)s mobilenetv2 --draw network.svg        a pretrained network, and a drawing

exit status: 0, 1 for input that cannot be inspected, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    return command_line.run(lambda: _run(make_parser().parse_args(arguments)))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Show what a model is: fields, classes, layers, sizes, times, and what BigML says of it."
    parser = command_line.make_parser(PROGRAM, description, EXAMPLES)
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="a document, a saved artifact, a pretrained network's name, or - for a document from stdin",
    )
    add(
        "--targets",
        metavar="NAMES",
        type=command_line.argument_type(_targets),
        default=(),
        help="compile for these comma-separated targets, and show the sizes of their files",
    )
    add(
        "--measure",
        action="store_true",
        help="time predictions on this machine: in each target, or without --targets as MODEL is opened",
    )
    add(
        "--draw",
        metavar="PATH",
        type=_drawing,
        help=f"draw the graph; the suffix is one of {', '.join(f'.{form}' for form in FORMS)}",
    )
    add("-f", "--force", action="store_true", help="replace an existing drawing")
    add_json(parser)
    return parser


def _targets(text: str) -> list[str]:
    return [get_target(name).name for name in text.split(",") if name]


def _drawing(text: str) -> Path:
    path = Path(text)
    if path.suffix.removeprefix(".") not in FORMS:
        raise argparse.ArgumentTypeError(f"the suffix of {text!r} is not one of {', '.join(FORMS)}")
    return path


def _run(options: argparse.Namespace) -> None:
    settings = dict(options.settings)
    if options.draw:
        require_free(options.draw, options.force)  # before all the work
    with status_line() as show:
        show(f"inspecting {options.model} …")
        source = command_line.read_model(options.model)
        opened = open_source(source, settings)
        if options.draw:
            _draw(opened.graph, options)
        found = describe(source, opened, settings, options.targets, measure=options.measure)
    if options.json:
        print_json(found.to_json() | {"files": list_files([options.draw])})
    else:
        print(found)


def _draw(graph: Graph | None, options: argparse.Namespace) -> None:
    if graph is None:
        raise ArtifactError(f"{options.model} does not contain its graph: draw its document instead")
    content = draw(graph, options.draw.suffix.removeprefix(".")).encode()
    write_all({options.draw: content}, options.force)
