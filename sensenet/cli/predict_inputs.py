"""Finds out what the inputs and the output of `sensenet predict` are, and predicts them."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

import attrs

from sensenet.batches.arrow import import_arrow
from sensenet.batches.compression import compressed, open_input, split_compression
from sensenet.batches.image_tables import read_image_table
from sensenet.batches.parts import PartReader
from sensenet.batches.scoring import Scorer, make_scorer
from sensenet.batches.table_files import (
    CSV,
    JSON_LINES,
    TEXT_FORMATS,
    TableFile,
    expand_paths,
    find_format,
    list_tables,
    match_glob,
)
from sensenet.cli import common as command_line
from sensenet.cli.common import STANDARD
from sensenet.cli.pairs import read_pairs
from sensenet.cli.predict_images import predict_images
from sensenet.cli.predict_rows import BATCH_ROWS, Predicted, predict_row, predict_rows, select_columns
from sensenet.cli.predict_tables import INPUT, TableOutput, predict_tables
from sensenet.errors import MissingPackageError
from sensenet.files.writing import new_binary_file
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.runtime.image_folders import read_image_folder
from sensenet.runtime.row_files import RowFile
from sensenet.signature import ModelKind


def are_tables(options: argparse.Namespace) -> bool:
    """Return whether the inputs are tables and not images."""
    if options.format:
        return True
    return all(_is_table(path) for path in options.inputs)


def _is_table(path: str) -> bool:
    return bool(list_tables(path)) if os.path.isdir(path) else find_format(path) is not None


def run_images(
    model: Deepnet | ObjectDetector, options: argparse.Namespace, parser: argparse.ArgumentParser
) -> Predicted:
    """Predict images: as a table if the output is one, else with a line of JSON for each."""
    paths = _list_images(options.inputs)
    if _named_format(options) in (None, JSON_LINES):
        if options.keep or options.outputs or options.on_error != "raise":
            parser.error("--keep, --outputs and --on-error are for tables; give an --output-format")
        with _open_output(options) as output:
            return predict_images(model, paths, output, draw=options.draw, force=options.force)
    if options.draw:
        parser.error("--draw needs lines of JSON as the output")
    scorer = _make_scorer(model, options, [INPUT, *options.keep])
    readers = [(f"{len(paths)} images", read_image_table(model, paths, {INPUT: paths}, scorer.rows_at_once))]
    return _write_table(scorer, readers, options, parser)


def _list_images(inputs: Sequence[str]) -> list[str]:
    """Return the paths of images, with those in folders and of globs.

    A glob that matches nothing may be the name of an image below the setting `image_path_prefix`.
    """
    paths: list[str] = []
    for path in (each for given in inputs for each in match_glob(given) or [given]):
        if os.path.isdir(path):
            folder = read_image_folder(path)
            for note in folder.notes:
                command_line.print_note(note)
            paths += folder.images
        else:
            paths.append(path)
    return paths


def run_pairs(
    model: Deepnet | ObjectDetector, options: argparse.Namespace, parser: argparse.ArgumentParser
) -> Predicted:
    """Predict the row in pairs `field=value`, as a table of one row."""
    if _needs_arrow(model, [CSV], options) or options.no_header or options.format or options.batch:
        parser.error(
            "a row in pairs field=value needs a model that predicts classes or numbers, and CSV as the "
            "output, without --format, --no-header, --on-error and --batch"
        )
    selection = select_columns(model, options.outputs, options.keep)
    with _open_output(options) as output:
        return predict_row(model, read_pairs(options.inputs), output, options.delimiter, selection)


def run_rows(
    model: Deepnet | ObjectDetector, options: argparse.Namespace, parser: argparse.ArgumentParser
) -> Predicted:
    """Predict tables: through Arrow, or if that is not installed and all is CSV, without it."""
    paths = expand_paths(options.inputs)
    formats = [options.format or find_format(path) or CSV for path in paths]
    if options.no_header or not (_needs_arrow(model, formats, options) or _has_arrow()):
        return _run_plain(model, paths, formats, options, parser)
    scorer = _make_scorer(model, options, options.keep)
    files = [TableFile(path, format, options.delimiter) for path, format in zip(paths, formats, strict=True)]
    return _write_table(scorer, [(file.path, file.parts) for file in files], options, parser)


def _make_scorer(model: Deepnet | ObjectDetector, options: argparse.Namespace, keep: Sequence[str]) -> Scorer:
    scorer = make_scorer(model, options.outputs, keep, on_error=options.on_error)
    return attrs.evolve(scorer, rows_at_once=options.batch or scorer.rows_at_once)


def _has_arrow() -> bool:
    try:
        import_arrow()
    except MissingPackageError:
        return False
    return True


def _needs_arrow(
    model: Deepnet | ObjectDetector, formats: Sequence[str], options: argparse.Namespace
) -> bool:
    """Return whether something is not CSV, or is asked for that only Arrow has."""
    others = {*formats, _output_format(options)} != {CSV}
    return others or options.on_error != "raise" or model.signature.kind is not ModelKind.DEEPNET


def _run_plain(
    model: Deepnet | ObjectDetector,
    paths: Sequence[str],
    formats: Sequence[str],
    options: argparse.Namespace,
    parser: argparse.ArgumentParser,
) -> Predicted:
    if options.no_header and (_needs_arrow(model, formats, options) or options.keep):
        parser.error(
            "--no-header needs a model that predicts classes or numbers, CSV as input and output, and "
            "neither --keep nor --on-error"
        )
    selection = select_columns(model, options.outputs, options.keep)
    sources = [
        RowFile(path, delimiter=options.delimiter, header=not options.no_header, opener=open_input)
        for path in paths
    ]
    with _open_output(options) as output:
        return predict_rows(model, sources, output, options.batch or BATCH_ROWS, selection)


def _output_format(options: argparse.Namespace) -> str:
    return _named_format(options) or CSV


def _named_format(options: argparse.Namespace) -> str | None:
    """Return the format of the output, if an option or its suffix names one."""
    return options.output_format or find_format(options.output)


def _write_table(
    scorer: Scorer,
    readers: Sequence[tuple[str, PartReader]],
    options: argparse.Namespace,
    parser: argparse.ArgumentParser,
) -> Predicted:
    output = TableOutput(
        format=_output_format(options),
        compression=split_compression(options.output)[1],
        delimiter=options.delimiter,
    )
    if output.compression and output.format not in TEXT_FORMATS:
        parser.error(f"{output.format} files are compressed inside: leave out the suffix")
    with _open_binary_output(options) as stream:
        return predict_tables(scorer, readers, output, stream)


@contextlib.contextmanager
def _open_output(options: argparse.Namespace) -> Iterator[TextIO]:
    """Yield stdout, or a file that appears at its path only when it is complete."""
    if options.output == STANDARD:
        yield sys.stdout
        return
    compression = split_compression(options.output)[1]
    with _open_binary_output(options) as binary, compressed(binary, compression) as target:
        stream = io.TextIOWrapper(target, encoding="utf-8", newline="")
        yield stream
        stream.flush()
        stream.detach()


@contextlib.contextmanager
def _open_binary_output(options: argparse.Namespace) -> Iterator[BinaryIO]:
    """Yield the stream of bytes of the same."""
    if options.output == STANDARD:
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    with new_binary_file(Path(options.output), options.force) as stream:
        yield stream
