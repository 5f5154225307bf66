"""The command line of `sensenet predict`: tables, or images.

Results go to stdout, progress and diagnostics to stderr.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensenet.batches.image_tables import reads_images_alone
from sensenet.batches.scoring import ROWS_AT_ONCE
from sensenet.batches.table_files import FORMATS
from sensenet.cli import common as command_line
from sensenet.cli.common import STANDARD
from sensenet.cli.json_results import add_json, list_files, print_json, require_free_stdout
from sensenet.cli.pairs import are_pairs
from sensenet.cli.predict_inputs import are_tables, run_images, run_pairs, run_rows
from sensenet.cli.predict_rows import BATCH_ROWS
from sensenet.cli.table_options import add_table_options
from sensenet.files.writing import require_free
from sensenet.models.create import create_model
from sensenet.models.deepnet import ObjectDetector

PROGRAM = "sensenet predict"

DRAW_ROWS = "images, but this model reads rows"

EXAMPLES = """\
examples:
  %(prog)s deepnet.json 'petal length=1.4' 'petal width=0.2'
  %(prog)s deepnet.json rows.csv -o predictions.csv
  %(prog)s deepnet.json 'year=*/*.parquet' --keep id -o scores.parquet
  %(prog)s deepnet.tflite - < rows.csv          from standard input, to standard output
  %(prog)s detector.json photo.jpg --draw found.png
  %(prog)s mobilenetv2 *.jpg -o answers.jsonl   a pretrained network, by name

Tables are CSV, lines of JSON (.jsonl), Parquet or Arrow files, whose columns are named after fields.
Without a header (--no-header), the cells of CSV are in the model's order. A model that reads only images also
takes images, and prints a line of JSON for each.

exit status: 0, 1 for input that cannot be predicted, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the command line and return the exit status."""
    parser = make_parser(program)
    return command_line.run(lambda: _run(parser.parse_args(arguments), parser))


def make_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Predict with a BigML deepnet, or a model compiled from one."
    parser = command_line.make_parser(program, description, EXAMPLES)
    add = parser.add_argument
    add("model", metavar="MODEL", help="a document, a saved artifact, -, or a pretrained network's name")
    add(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="tables or -, or images, and folders and globs of these; or pairs FIELD=VALUE",
    )
    add(
        "-o",
        "--output",
        metavar="PATH",
        type=command_line.output,
        default=STANDARD,
        help="the file to write (default: stdout)",
    )
    command_line.add_engine(parser)
    add("-f", "--force", action="store_true", help="replace an existing output")
    add_json(parser, "print JSON about the file that -o writes")
    images = parser.add_argument_group("images")
    images.add_argument(
        "--draw",
        metavar="PATH",
        type=command_line.output_path,
        help="draw a detector's objects: an image, or a directory for several",
    )
    rows = parser.add_argument_group("tables")
    add_table_options(rows, "a row that cannot be read gets no answer, and the reason in the column 'error'")
    rows.add_argument(
        "--output-format",
        choices=FORMATS,
        help="the format of the output (default: by its suffix, else csv)",
    )
    rows.add_argument(
        "--keep",
        metavar="NAMES",
        type=command_line.names,
        action="extend",
        default=[],
        help="columns of the input, separated by commas, that come first in the output",
    )
    rows.add_argument(
        "--outputs",
        metavar="NAMES",
        type=command_line.names,
        help="what to write: prediction, probability, features, detections (default: all of the model's)",
    )
    rows.add_argument("--no-header", action="store_true", help="the first line is a row, not a header")
    rows.add_argument(
        "--batch",
        type=command_line.positive_count,
        metavar="ROWS",
        help=f"rows that are predicted together (default: {ROWS_AT_ONCE}, without pyarrow {BATCH_ROWS})",
    )
    return parser


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    require_free_stdout(options, parser, [options.output])
    if options.output != STANDARD:
        require_free(Path(options.output), options.force)  # before all the work
    model = create_model(command_line.read_model(options.model), dict(options.settings), options.engine)
    if options.draw and not isinstance(model, ObjectDetector):
        parser.error(f"--draw needs {'an object detector' if reads_images_alone(model) else DRAW_ROWS}")
    if reads_images_alone(model) and not are_tables(options):
        found = run_images(model, options, parser)
    else:
        if options.draw:
            parser.error("--draw needs images, not tables")
        run = run_pairs if are_pairs(options.inputs) else run_rows
        found = run(model, options, parser)
    if options.json:
        files = list_files([options.output, *found.drawings])
        facts = {"path": options.output, "files": files, "rows": found.rows, "failed": found.failed}
        print_json({"model": options.model, "inputs": options.inputs, **facts})
    return command_line.EXIT_ERROR if found.failed and options.on_error == "raise" else 0
