"""The command line of `python -m sensenet.predict`: rows of a CSV file, or images.

Results go to stdout, progress and diagnostics to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sensenet.cli import common as command_line
from sensenet.cli.common import STANDARD
from sensenet.cli.predict_images import predict_images
from sensenet.cli.predict_rows import BATCH_ROWS, predict_rows
from sensenet.files.writing import new_file, require_free
from sensenet.models.create import create_model
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.models.engines import ENGINES
from sensenet.runtime.row_files import RowFile

PROGRAM = "python -m sensenet.predict"

NO_DELIMITERS = '"\r\n\0'

EXAMPLES = f"""\
examples:
  {PROGRAM} deepnet.json rows.csv -o predictions.csv
  {PROGRAM} deepnet.tflite - < rows.csv          from standard input, to standard output
  {PROGRAM} detector.json photo.jpg --draw found.png
  {PROGRAM} mobilenetv2 *.jpg -o answers.jsonl   a pretrained network, by name

A model that reads only images takes images, and prints a line of JSON for each. Any other model takes one CSV
file: its header names fields (--no-header: cells are in the model's order), and an empty cell is missing; the
output is a CSV file with one line per row.

exit status: 0, 1 for input that cannot be predicted, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = _make_parser()
    return command_line.run(lambda: _run(parser.parse_args(arguments), parser))


def _make_parser() -> argparse.ArgumentParser:
    description = "Predict with a BigML deepnet, or a model compiled from one."
    parser = command_line.make_parser(PROGRAM, description, EXAMPLES)
    add = parser.add_argument
    add("model", metavar="MODEL", help="a document, a saved artifact, or a pretrained network's name")
    add("inputs", metavar="INPUT", nargs="+", help="a CSV file or -, or images")
    add(
        "-o",
        "--output",
        metavar="PATH",
        default=STANDARD,
        help="the file to write (default: stdout)",
    )
    add(
        "--engine",
        choices=ENGINES,
        metavar="TARGET",
        help="the target whose runtime predicts (default: an artifact's own; for a document, the fastest)",
    )
    add("-f", "--force", action="store_true", help="replace an existing output")
    images = parser.add_argument_group("images")
    images.add_argument(
        "--draw",
        metavar="PATH",
        type=Path,
        help="draw a detector's objects: an image, or a directory for several",
    )
    rows = parser.add_argument_group("rows")
    rows.add_argument("--no-header", action="store_true", help="the first line is a row, not a header")
    rows.add_argument(
        "--delimiter", default=",", metavar="CHARACTER", help="between cells (default: a comma)"
    )
    rows.add_argument(
        "--batch",
        type=_positive,
        default=BATCH_ROWS,
        metavar="ROWS",
        help="rows in memory at a time (default: %(default)s)",
    )
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, found {text!r}")
    return number


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if len(options.delimiter) != 1 or options.delimiter in NO_DELIMITERS:
        parser.error(f"the delimiter is one character, not a quote or line end; found {options.delimiter!r}")
    if options.output != STANDARD:
        require_free(Path(options.output), options.force)  # before all the work
    model = create_model(options.model, dict(options.settings), options.engine)
    if _reads_images_alone(model):
        if options.draw and not isinstance(model, ObjectDetector):
            parser.error("--draw needs an object detector")
        with _open_output(options) as output:
            return predict_images(model, options.inputs, output, draw=options.draw, force=options.force)
    if options.draw:
        parser.error("--draw needs images, but this model reads rows")
    if len(options.inputs) != 1:
        parser.error(f"this model reads rows: give one CSV file; found {len(options.inputs)} inputs")
    source = RowFile(options.inputs[0], delimiter=options.delimiter, header=not options.no_header)
    with _open_output(options) as output:
        predict_rows(model, source, output, options.batch)
    return 0


def _reads_images_alone(model: Deepnet | ObjectDetector) -> bool:
    columns = model.signature.columns
    return isinstance(model, ObjectDetector) or len(model.signature.image_columns) == len(columns) == 1


@contextlib.contextmanager
def _open_output(options: argparse.Namespace) -> Iterator[TextIO]:
    """Yield stdout, or a file that appears at its path only when it is complete."""
    if options.output == STANDARD:
        yield sys.stdout
        return
    with new_file(Path(options.output), options.force) as stream:
        yield stream
