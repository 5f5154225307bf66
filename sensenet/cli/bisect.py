"""The command line of `sensenet bisect`.

Results go to stdout, progress and diagnostics to stderr.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from sensenet.backends import TARGETS, get_target
from sensenet.backends.interpreter import ir
from sensenet.cli import common as command_line
from sensenet.cli.json_results import add_json, list_artifact_files, print_json
from sensenet.cli.pass_options import add_pass_options, choose_passes
from sensenet.compiler.bisect.search import Culprit, find_culprit
from sensenet.compiler.bisect.smallest import Smallest, find_smallest
from sensenet.compiler.bisect.trial import Outcome, Trial
from sensenet.compiler.driver import compile
from sensenet.files.writing import require_free
from sensenet.passes.infrastructure.rules import Pass, Rewrite
from sensenet.progress import status_line
from sensenet.runtime.row_files import read_rows

PROGRAM = "sensenet bisect"
DEFAULT_OUTPUT = "smallest.ir"
EXIT_FOUND = 3

EXAMPLES = f"""\
examples:
  %(prog)s deepnet.json                         every pass of -O2, in the interpreter
  %(prog)s deepnet.json --rows rows.csv -t tflite
  %(prog)s deepnet.json -O1 -o found.ir

exit status: 0 if nothing differs, {EXIT_FOUND} if something does, 1 for input that cannot be compiled,
2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the command line and return the exit status."""
    parser = make_parser(program)
    return command_line.run(lambda: _run(parser.parse_args(arguments), parser))


def make_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Find the pass that changes a deepnet's answers, and the smallest graph that shows it."
    parser = command_line.make_parser(program, description, EXAMPLES)
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="a document, a saved artifact that keeps its graph, -, or a pretrained network's name",
    )
    add("--rows", metavar="CSV", help="rows, under a header of field names, to try besides generated ones")
    add(
        "-t",
        "--target",
        choices=TARGETS,
        metavar="TARGET",
        help="compare the answers of this target after each pass, instead of the interpreter's",
    )
    add_pass_options(parser)
    add(
        "-o",
        "--output",
        metavar="PATH",
        type=command_line.output,
        default=DEFAULT_OUTPUT,
        help="the file for the smallest graph, if one is found (default: %(default)s)",
    )
    add("-f", "--force", action="store_true", help="replace an existing file")
    add_json(parser)
    return parser


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    passes = choose_passes(options, parser)
    require_free(Path(options.output), options.force)  # before all the work
    rows = read_rows(options.rows, command_line.print_note) if options.rows is not None else ()
    trial = Trial(target=options.target, rows=rows)
    if options.target is not None and get_target(options.target).level is not None:
        passes = ()  # the target is built from the graph as imported
    source = command_line.read_model(options.model)
    with status_line() as show:
        imported = compile(source, ir.TARGET.name, settings=dict(options.settings), passes=()).graph
        found = find_culprit(imported, passes, trial, show)
        if isinstance(found, Outcome):
            show("")
            if options.json:
                print_json(_as_json(found, passes, options))
            else:
                print(
                    f"no answer differs: by {found.difference:.3g} at most, after any of {len(passes)} passes"
                )
            return 0
        smallest = find_smallest(imported, found, trial, show)
    artifact = compile(smallest.graph, ir.TARGET.name, passes=())
    path = str(artifact.save(options.output, force=options.force))
    commands = _write_commands(smallest, path, options, parser.prog)
    if options.json:
        files = list_artifact_files(artifact, path)
        graph = {"path": path, "files": files, "nodes": len(smallest.graph.nodes), "commands": commands}
        graph |= _blame_as_json(smallest.passes, smallest.message, smallest.rewrite)
        print_json(_as_json(found, passes, options) | {"smallest": graph})
    else:
        print("\n".join(_describe(found, smallest, path, options)))
        print(f"to find it again: {commands['find']}\nto see the graph: {commands['show']}")
    return EXIT_FOUND


def _as_json(found: Culprit | Outcome, passes: Sequence[Pass], options: argparse.Namespace) -> dict[str, Any]:
    """Return what JSON has of a search, without the smallest graph."""
    culprit, outcome = (found, found.outcome) if isinstance(found, Culprit) else (None, found)
    return {
        "model": options.model,
        "target": options.target,
        "passes": [each.name for each in passes],
        "same": culprit is None,
        "difference": outcome.difference,
        "culprit": culprit
        and {"stage": culprit.stage, **_blame_as_json(culprit.passes, outcome.message, culprit.rewrite)},
        "smallest": None,
    }


def _blame_as_json(passes: Sequence[Pass], message: str, rewrite: Rewrite | None) -> dict[str, Any]:
    return {
        "passes": [each.name for each in passes],
        "message": message,
        "rewrite": rewrite and attrs.asdict(rewrite),
    }


def _describe(culprit: Culprit, smallest: Smallest, path: str, options: argparse.Namespace) -> Iterator[str]:
    """Yield lines on the fault, the stage and rewrite that cause it, and the smallest graph."""
    kind = "after the pass" if culprit.passes else "in"
    yield f"{kind} {culprit.stage}: {culprit.outcome.message}"
    if rewrite := culprit.rewrite:
        yield f"since its rewrite {rewrite.number}: the rule {rewrite.rule} at node {rewrite.node}"
    if culprit.passes and not smallest.passes:
        yield f"the interpreter's answers on that graph are right: the fault is in {options.target}"
    yield f"{path}: {len(smallest.graph.nodes)} nodes that show the fault ({smallest.message})"
    if smallest.rewrite is not None:
        yield f"caused there by the rule {smallest.rewrite.rule} at node {smallest.rewrite.node}"


def _write_commands(
    smallest: Smallest, path: str, options: argparse.Namespace, program: str
) -> dict[str, str]:
    """Return the commands that find the fault again in the smallest graph, and that show the graph."""
    passes = f"--passes {','.join(each.name for each in smallest.passes)}" if smallest.passes else "-O0"
    target = f" -t {options.target}" if options.target else ""
    rows = f" --rows {shlex.quote(options.rows)}" if smallest.trial.rows else ""
    compiler = f"{program.removesuffix('bisect')}compile"
    quoted = shlex.quote(path)
    return {
        "find": f"{program} {quoted} {passes}{target}{rows}",
        "show": f"{compiler} {quoted} {passes}{target or ' -t ir'} --print-ir",
    }
