"""The command line of `sensenet evaluate`: BigML's measures of models, on rows or images with known answers.

The report goes to stdout, progress and diagnostics to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sensenet.batches.table_files import find_format
from sensenet.cli import common as command_line
from sensenet.cli.common import STANDARD
from sensenet.cli.json_results import add_json, list_files, print_json
from sensenet.cli.table_options import add_ignore, add_table_options
from sensenet.evaluation.evaluate import evaluate
from sensenet.files.writing import new_file, require_free
from sensenet.progress import ROWS, progress_bar

PROGRAM = "sensenet evaluate"

EXAMPLES = """\
examples:
  %(prog)s deepnet.json rows.csv --html report.html
  %(prog)s deepnet.json deepnet.tflite rows.parquet     what did it cost to compile?
  %(prog)s deepnet.json 'test/*.csv.gz' --truth species --ignore id
  %(prog)s digits.json images/                          images/CLASS/*.png
  %(prog)s detector.json annotations.json --images photos/

Tables are CSV, lines of JSON, Parquet or Arrow; true values are in the column with the objective field's id
or name. A model that reads only images takes a folder with a folder of images for each class; a detector
takes annotations, COCO's JSON or a folder of Pascal VOC's XML. Several models are compared with the first.

exit status: 0, 1 for input that cannot be evaluated, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = make_parser()
    return command_line.run(lambda: _run(parser.parse_args(arguments), parser))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Evaluate models on rows or images whose answers are known, with BigML's measures."
    parser = command_line.make_parser(PROGRAM, description, EXAMPLES)
    add = parser.add_argument
    add(
        "models",
        metavar="MODEL",
        nargs="+",
        help="documents, saved artifacts, or names of pretrained networks",
    )
    add(
        "data",
        metavar="DATA",
        help="tables or -, a folder of images by class, or annotations; several tables may follow each other",
    )
    add(
        "--html",
        metavar="PATH",
        type=command_line.output_path,
        help="write a report with plots, one file that loads nothing",
    )
    add_json(parser)
    add("-f", "--force", action="store_true", help="replace an existing report")
    command_line.add_engine(parser)
    tables = parser.add_argument_group("tables")
    tables.add_argument(
        "--truth",
        metavar="COLUMN",
        help="the column with the true values (default: that with the objective field's id or name)",
    )
    add_ignore(tables)
    add_table_options(tables, "rows and images that cannot be read are counted and left out")
    images = parser.add_argument_group("detectors")
    images.add_argument(
        "--images", metavar="FOLDER", help="the folder of the images (default: next to the annotations)"
    )
    return parser


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    models, data = split_arguments([*options.models, options.data])
    if not models:
        parser.error("expected a model before the tables")
    if options.html:
        require_free(options.html, options.force)  # before all the work
    with progress_bar(", ".join(data), ROWS) as show:
        report = evaluate(
            models,
            data,
            truth=options.truth,
            ignore=options.ignore,
            images=options.images,
            on_error=options.on_error,
            settings=dict(options.settings),
            engine=options.engine,
            format=options.format,
            delimiter=options.delimiter,
            show=show,
        )
    if options.html:
        with new_file(options.html, options.force) as stream:
            stream.write(report.to_html())
    if options.json:
        print_json(report.to_json() | {"files": list_files([options.html])})
    else:
        sys.stdout.write(report.to_text())


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return models, and data: the last argument, and tables right before it."""
    first = len(arguments) - 1
    while first and _is_table(arguments[first]) and _is_table(arguments[first - 1]):
        first -= 1
    return list(arguments[:first]), list(arguments[first:])


def _is_table(path: str) -> bool:
    return path == STANDARD or find_format(path) is not None
