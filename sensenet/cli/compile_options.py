"""The options of `sensenet compile`."""

from __future__ import annotations

import argparse
import inspect
import json
from typing import Any

from sensenet.backends import DEFAULT_TARGET, TARGETS
from sensenet.cli import common as command_line
from sensenet.cli.json_results import add_json
from sensenet.cli.pass_options import add_pass_options
from sensenet.compiler.driver import compile
from sensenet.drawing import FORMS

PROGRAM = "sensenet compile"

EXAMPLES = """\
examples:
  %(prog)s deepnet.json --target tflite -o deepnet.tflite
  %(prog)s deepnet.json.gz -t numpy            writes deepnet.npz
  curl … | %(prog)s - -t tflite -o - | …       from standard input, to standard output
  %(prog)s deepnet.json --print-ir -O1         shows the graph, writes no file
  %(prog)s deepnet.json --emit html            writes deepnet.html, a drawing of the graph
  %(prog)s deepnet.json -t tflite --setting regression_normalize=true
  %(prog)s deepnet.json -t tflite --dump-ir stages --time-passes
  %(prog)s deepnet.json -t tflite -t tfjs -o made --verify --rows rows.csv
  %(prog)s deepnet.json --strip-weights -o bare.json
  %(prog)s bare.json --weights deepnet.h5 -t tflite
  %(prog)s mobilenetv2 -t tflite               downloads its weights, once

exit status: 0, 1 for input that cannot be compiled, 2 for a wrong command line.
"""


def make_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = command_line.make_parser(program, "Compile a BigML deepnet for another runtime.", EXAMPLES)
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        nargs="?",
        help="a document, a saved artifact that keeps its graph, -, or a pretrained network's name",
    )
    add(
        "-t",
        "--target",
        dest="targets",
        action="append",
        choices=TARGETS,
        metavar="TARGET",
        help="the target to compile for; repeatable, then -o is a directory "
        f"(see --list-targets; default: by the suffix of -o, else {DEFAULT_TARGET})",
    )
    add(
        "-o",
        "--output",
        metavar="PATH",
        type=command_line.output,
        help="the file or directory to write, or - (default: MODEL's name with the target's suffix)",
    )
    add_pass_options(parser)
    add(
        "--option",
        dest="options",
        type=_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the target; repeatable",
    )
    add("--weights", metavar="PATH", help="an h5 file with weights for MODEL, instead of its own")
    add(
        "--strip-weights",
        action="store_true",
        help="write MODEL's document without its weights, without compiling",
    )
    add(
        "--verify",
        action="store_true",
        help="run the result in a new process, and write it only if its answers equal the interpreter's",
    )
    add(
        "--rows",
        metavar="CSV",
        help="rows for --verify besides its own, with a header of field names",
    )
    add(
        "--calibration",
        metavar="PATH",
        help="rows like --rows, or a folder of images: quantize=int8, int8x16 and auto choose scales by them",
    )
    add("-f", "--force", action="store_true", help="replace an existing output")
    add("--print-ir", action="store_true", help="print the target's graph; writes a file only with -o")
    add(
        "--print-after",
        dest="printed_stages",
        action="append",
        default=[],
        metavar="STAGE",
        help="print the graph after this pass, or `imported`; repeatable; writes a file only with -o",
    )
    add(
        "--explain",
        dest="explained_passes",
        action="append",
        default=[],
        metavar="NAME",
        help="print which nodes this pass declined, and why; repeatable; writes a file only with -o",
    )
    add(
        "--dump-ir",
        metavar="DIR",
        type=command_line.output_path,
        help="write the graph after each stage to DIR, with weights",
    )
    add(
        "--emit",
        dest="form",
        choices=FORMS,
        metavar="FORM",
        help="draw the graph as svg, dot or html, instead of writing the target's file; "
        "without -t, the graph of the level is drawn",
    )
    add("--time-passes", action="store_true", help="print how long each stage took")
    add("--list-targets", action="store_true", help="list the targets and exit; with -v, their options too")
    add("-v", "--verbose", action="store_true", help="list more")
    add("--list-passes", action="store_true", help="list the passes and their levels, and exit")
    add_json(parser, "print JSON about the files that are written")
    return parser


def _option(text: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; the value is JSON if possible, else text."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"expected an option as name=value, found {text!r}")
    if name in inspect.signature(compile).parameters:
        raise argparse.ArgumentTypeError(f"{name!r} is not an option of a target")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
