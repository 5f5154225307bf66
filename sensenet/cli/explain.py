"""The command line of `sensenet explain`: contributions, importance, what-if curves, maps of images."""

from __future__ import annotations

import argparse
import locale
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from sensenet.batches.image_tables import reads_images_alone
from sensenet.cli import common as command_line
from sensenet.cli.explain_inputs import naming_places, read_row, read_sample
from sensenet.cli.json_results import add_json, list_files, print_json
from sensenet.cli.table_options import add_ignore
from sensenet.explanation.attribution import contributions, find_output, name_outputs
from sensenet.explanation.background import MOST_ROWS, Background, make_background
from sensenet.explanation.curves import what_if
from sensenet.explanation.heat_image import as_png, draw_map
from sensenet.explanation.html import image_page, report_page
from sensenet.explanation.importance import Importance, mean_contributions, permutation_importance
from sensenet.explanation.occlusion import occlusion_map, require_image_model
from sensenet.explanation.players import require_row_model
from sensenet.explanation.random_numbers import require_seed
from sensenet.explanation.report import Report
from sensenet.explanation.text import (
    ASCII,
    UNICODE,
    Blocks,
    contribution_lines,
    curve_lines,
    importance_lines,
    map_lines,
)
from sensenet.files.writing import new_binary_file, require_free
from sensenet.models.create import create_model
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.plain_numbers import format_count
from sensenet.progress import STEPS, progress_bar, status_line

PROGRAM = "sensenet explain"

IMPORTANCE_ROWS = 10_000
"""The most rows that importance is measured on."""

EXAMPLES = """\
examples:
  %(prog)s deepnet.json 'petal length=1.4' 'petal width=0.2'
  %(prog)s deepnet.json '{"petal length": 1.4}' --background rows.csv --html flower.html
  %(prog)s deepnet.json rows.csv --row 7 --what-if 'petal length'
  %(prog)s deepnet.json --importance rows.csv
  %(prog)s mobilenetv2 photo.jpg -o map.png

Contributions of fields add up to the answer minus the mean answer for the background. docs/explanation.md has
the definition.

exit status: 0, 1 for input that cannot be explained, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = make_parser()
    return command_line.run(lambda: _run(parser.parse_args(arguments), parser))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Show why a model answers so: what each field, or part of an image, contributes."
    parser = command_line.make_parser(PROGRAM, description, EXAMPLES)
    add = parser.add_argument
    add("model", metavar="MODEL", help="a document, a saved artifact, -, or a pretrained network's name")
    row = add(
        "row",
        metavar="ROW",
        nargs="+",
        default=[],
        help="pairs field=value, a JSON object, or a table; or an image; --importance needs none",
    )
    row.required = False  # nargs="*" would end with the first option
    add(
        "--row",
        dest="number",
        type=command_line.positive_count,
        default=1,
        metavar="N",
        help="the table's row (default: 1)",
    )
    add("--class", dest="class_name", metavar="NAME", help="the class to explain (default: that predicted)")
    add(
        "--background",
        metavar="TABLE",
        action="append",
        help="rows to compare with (default: typical ones, made of what the document says of its fields)",
    )
    add(
        "--importance",
        metavar="TABLE",
        action="append",
        help="show how important each field is for the rows of a table: by the accuracy or R² that is lost "
        "if it is shuffled; with --class, or without a column of true values, by contributions",
    )
    add(
        "--what-if",
        metavar="FIELD",
        action="append",
        default=[],
        help="show the answers for other values of a field; repeatable",
    )
    add_ignore(parser)
    add(
        "--seed",
        type=command_line.argument_type(_read_seed),
        default=0,
        help="the seed of what is drawn at random (default: 0)",
    )
    command_line.add_engine(parser)
    add("--html", metavar="PATH", type=command_line.output_path, help="write a page with all of it")
    add(
        "-o",
        "--output",
        metavar="PATH",
        type=_png,
        help="of an image, draw over it what the score depends on: a .png file",
    )
    add("-f", "--force", action="store_true", help="replace existing files")
    add_json(parser)
    return parser


def _read_seed(text: str) -> int:
    return require_seed(int(text) if text.isascii() and text.isdigit() and len(text) < 11 else text)


def _png(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"expected a .png file, found {text!r}")
    return path


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    for path in filter(None, (options.html, options.output)):
        require_free(path, options.force)  # before all the work
    with status_line() as show:
        show("opening the model …")
        model = create_model(command_line.read_model(options.model), dict(options.settings), options.engine)
    if reads_images_alone(model):
        _run_image(model, options, parser)
    else:
        _run_row(require_row_model(model), options, parser)
    return 0


def _run_image(
    model: Deepnet | ObjectDetector, options: argparse.Namespace, parser: argparse.ArgumentParser
) -> None:
    require_image_model(model)
    if len(options.row) != 1 or options.importance or options.what_if or options.background:
        parser.error("this model reads images: give one image as ROW, and no options for fields")
    with progress_bar(options.row[0], STEPS) as show:
        found = occlusion_map(model, options.row[0], output=options.class_name, show=show)
    _write(options.output, options, lambda: as_png(draw_map(found)))
    title = _title(model, options)
    _write(options.html, options, lambda: image_page(title, found).encode())
    if options.json:
        files = list_files([options.output, options.html])
        print_json({"model": title, "map": found.to_json(), "files": files})
    else:
        print("\n".join(map_lines(found, _find_blocks())))


def _run_row(model: Deepnet, options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if not options.row and not options.importance:
        parser.error("give a ROW to explain, or --importance TABLE")
    if options.what_if and not options.row:
        parser.error("--what-if needs a ROW")
    if options.output:
        parser.error("--output draws a map over an image, but this model reads fields: use --html")
    with status_line() as show:
        report = _explain(model, options, show)
    _write(options.html, options, lambda: report_page(report).encode())
    if options.json:
        print_json(report.to_json() | {"files": list_files([options.html])})
    else:
        print("\n".join(_lines(report)))


def _write(path: Path | None, options: argparse.Namespace, make: Callable[[], bytes]) -> None:
    """Write a file if a path is given."""
    if path is not None:
        content = make()
        with new_binary_file(path, options.force) as stream:
            stream.write(content)


def _title(model: Deepnet | ObjectDetector, options: argparse.Namespace) -> str:
    return model.signature.name or Path(options.model).name


def _find_blocks() -> Blocks:
    """Return the characters of bars, plain ones if the locale is not UTF-8."""
    return UNICODE if locale.getencoding().lower().replace("-", "") == "utf8" else ASCII


def _explain(model: Deepnet, options: argparse.Namespace, show: Callable[[str], None]) -> Report:
    """Return all that is asked for; `show` is called with what is being done."""
    row, places = read_row(model, options.row, options.number, options.ignore) if options.row else (None, [])
    outputs = name_outputs(model, model.answer_shape()[0])
    output = None if options.class_name is None else find_output(outputs, options.class_name)
    background = _read_background(model, options)
    found, curves = None, []
    if row is not None:
        show("explaining the answer …")
        with naming_places(places):
            found = contributions(model, row, background, seed=options.seed)
        for field in options.what_if:
            show(f"trying values of {field} …")
            curves.append(what_if(model, row, field, background, seed=options.seed))
    importance = None
    if options.importance:
        show("measuring importance …")
        importance = _measure_importance(model, options, background, output)
    return Report(
        model=model,
        title=_title(model, options),
        output=found.predicted if found and output is None else output or 0,
        contributions=found,
        curves=tuple(curves),
        importance=importance,
    )


def _read_background(model: Deepnet, options: argparse.Namespace) -> Background | None:
    """Return the rows to compare with, if some are given."""
    if not options.background:
        return None
    sample = read_sample(model, options.background, MOST_ROWS, seed=options.seed, ignore=options.ignore)
    files = ", ".join(options.background)
    part = "" if len(sample.rows) == sample.found else f"{len(sample.rows):,} of "
    source = f"{part}{format_count(sample.found, 'row')} of {files}"
    with naming_places(sample.places):
        return attrs.evolve(make_background(model, sample.rows), source=source)


def _measure_importance(
    model: Deepnet, options: argparse.Namespace, background: Background | None, output: int | None
) -> Importance:
    sample = read_sample(model, options.importance, IMPORTANCE_ROWS, seed=options.seed, ignore=options.ignore)
    if len(sample.rows) < sample.found:
        command_line.print_note(f"importance is measured on {len(sample.rows):,} of {sample.found:,} rows")
    with naming_places(sample.places):
        if sample.truth is None or options.class_name is not None:
            return mean_contributions(model, sample.rows, background, output=output, seed=options.seed)
        return permutation_importance(model, sample.rows, sample.truth, seed=options.seed)


def _lines(report: Report) -> Iterator[str]:
    """Yield the report as text, its parts below one another."""
    blocks = _find_blocks()
    parts = []
    if report.contributions:
        parts.append(contribution_lines(report.model, report.contributions, report.output, blocks))
    parts += [curve_lines(curve, report.output, blocks) for curve in report.curves]
    if report.importance:
        parts.append(importance_lines(report.importance, blocks))
    for number, lines in enumerate(parts):
        yield from ["", *lines] if number else lines
