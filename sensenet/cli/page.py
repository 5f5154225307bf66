"""The command line of `sensenet page MODEL`: a page that predicts in the browser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sensenet.backends.web import TARGET
from sensenet.cli import common as command_line
from sensenet.cli.json_results import add_json, list_files, print_json
from sensenet.compiler.driver import compile
from sensenet.files.writing import require_free
from sensenet.progress import status_line

PROGRAM = "sensenet page"

EXAMPLES = """\
examples:
  %(prog)s deepnet.json --single-file deepnet.html    one file, which opens from disk
  %(prog)s deepnet.json -o site                       a folder for a web server
  %(prog)s detector.json --single-file photos.html    for images: npm downloads TensorFlow.js
  %(prog)s detector.json -o photos --runtime-url ../tensorflow/    it is there already

exit status: 0, 1 for a model that cannot be on a page, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    return command_line.run(lambda: _run(make_parser().parse_args(arguments)))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = command_line.make_parser(
        PROGRAM, "Write a page with a form that predicts in the browser.", EXAMPLES
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a document, a saved artifact that keeps its graph, -, or a pretrained network's name",
    )
    output = parser.add_mutually_exclusive_group(required=True)
    output.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=command_line.output,
        help="the folder to write, for a web server",
    )
    output.add_argument(
        "--single-file",
        metavar="PATH",
        type=command_line.output,
        help="the HTML file to write, which opens without a server",
    )
    parser.add_argument(
        "--runtime-url",
        metavar="URL",
        help="where a page of images loads TensorFlow.js from, instead of having it",
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace an existing page")
    add_json(parser, "print JSON about the files that are written")
    return parser


def _run(options: argparse.Namespace) -> None:
    path = Path(options.output or options.single_file)
    require_free(path, options.force)  # before all the work
    source = command_line.read_model(options.model)
    with status_line() as show:
        show(f"making a page of {options.model}")
        artifact = compile(
            source,
            TARGET.name,
            settings=dict(options.settings),
            single_file=options.single_file is not None,
            runtime_url=options.runtime_url,
        )
        artifact.save(path, force=options.force)
    if options.json:
        print_json({"model": options.model, "path": str(path), "files": list_files([path])})
    elif sys.stderr.isatty():
        size = sum(map(len, artifact.files.values()))
        print(f"{path}: {size / 1e3:,.1f} kB", file=sys.stderr)
