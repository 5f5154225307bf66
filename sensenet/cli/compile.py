"""The command line of `sensenet compile`.

Results go to stdout, progress and diagnostics to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import attrs

from sensenet.artifact import Artifact
from sensenet.backends import DEFAULT_TARGET, TARGETS
from sensenet.backends.interpreter import ir
from sensenet.backends.options import describe_options
from sensenet.backends.target import Target
from sensenet.cli import common as command_line
from sensenet.cli.common import STANDARD
from sensenet.cli.compile_options import PROGRAM, make_parser
from sensenet.cli.document_files import require_writable, write_document
from sensenet.cli.drawings import draw_instead
from sensenet.cli.json_results import list_artifact_files, list_files, print_json, require_free_stdout
from sensenet.cli.pass_options import choose_passes
from sensenet.cli.stages import StageWriter
from sensenet.compiler.documents import as_document
from sensenet.compiler.driver import IMPORTED, compile_request
from sensenet.compiler.request import Request
from sensenet.errors import UnknownPassError
from sensenet.files.writing import make_directory, require_free
from sensenet.frontend.strip import strip_weights
from sensenet.ir.graph import Graph
from sensenet.ir.printer import print_graph
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.manager import Observer
from sensenet.passes.infrastructure.rules import explain
from sensenet.passes.infrastructure.selection import LOWERING, require_names
from sensenet.progress import status_line
from sensenet.runtime.row_files import read_rows

STRIPPED_SUFFIX = ".stripped.json"
DOCUMENT_SUFFIXES = (".gz", ".json")


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the command line and return the exit status."""
    parser = make_parser(program)
    return command_line.run(lambda: _run(parser.parse_args(arguments), parser))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if options.list_targets:
        _list_targets(options)
    elif options.list_passes:
        _list_passes(options)
    elif options.model is None:
        parser.error("the following arguments are required: MODEL")
    elif options.strip_weights:
        _strip_weights(options, parser)
    else:
        _compile(options, parser)


def _list_targets(options: argparse.Namespace) -> None:
    """Print each target and, if wanted, its options in lines below it."""
    if options.json:
        print_json([_describe_target(target) for target in TARGETS.values()])
        return
    width = max(map(len, TARGETS))
    ends = max(len(target.suffix) for target in TARGETS.values())
    for name, target in TARGETS.items():
        print(f"{name:{width}}  {target.suffix:{ends}}  {target.description}")
        for option in describe_options(target.options) if options.verbose else ():
            default = f" (default: {option.default})" if option.default else ""
            print(f"    {option.name}: {option.values}{default}\n        {option.meaning}")


def _describe_target(target: Target[Any]) -> dict[str, Any]:
    """Return a target's name, suffix, description and options, as JSON has them."""
    options = [attrs.asdict(option) for option in describe_options(target.options)]
    return {
        "name": target.name,
        "suffix": target.suffix,
        "description": target.description,
        "options": options,
    }


def _list_passes(options: argparse.Namespace) -> None:
    """Print each pass and the levels at which it runs."""
    levels = {name: [n for n, some in PIPELINES.items() if each in some] for name, each in ALL_PASSES.items()}
    levels |= {name: list(PIPELINES) for name in LOWERING}
    if options.json:
        print_json([{"name": name, "levels": each} for name, each in levels.items()])
        return
    rows = [(name, " ".join(f"-O{level}" for level in each)) for name, each in levels.items()]
    _print_table([(name, f"{text}, {LOWERING[name]}" if name in LOWERING else text) for name, text in rows])


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _compile(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    outputs = _choose_outputs(options, parser)
    require_free_stdout(options, parser, outputs.values())
    if options.json and _prints(options):
        parser.error("--json and a printed graph both go to stdout")
    passes = _choose_passes(options, parser)
    if options.rows is not None and not options.verify:
        parser.error("--rows needs --verify")
    for output in outputs.values():
        if output not in (None, STANDARD):
            require_free(Path(output), options.force)  # before all the work
    rows = read_rows(options.rows, command_line.print_note) if options.rows is not None else ()
    writer = StageWriter(options.dump_ir, options.force) if options.dump_ir else None
    with status_line() as show, contextlib.ExitStack() as stack:
        observers = [
            _print_after(options.printed_stages, show),
            _explain_after(options.explained_passes, show),
            lambda stage, _: show(f"after {stage}"),
        ]
        if writer:
            stack.callback(writer.close)
            observers.append(writer)
        show(f"reading {options.model}")
        request = Request(
            source=command_line.read_model(options.model),
            targets=tuple(outputs),
            settings=dict(options.settings),
            weights=options.weights,
            optimize=options.level,
            passes=passes,
            verify=options.verify,
            rows=rows,
            calibration=options.calibration or (),
            observe=_observe_all(observers),
            options=dict(options.options),
        )
        finished = [
            (artifact, _write(artifact, outputs[artifact.target], options.force))
            for artifact in draw_instead(compile_request(request), options.form)
        ]
    for note in dict.fromkeys(note for artifact, _ in finished for note in artifact.report.notes):
        command_line.print_note(note)
    for artifact, written in finished:
        _print_results(artifact, written, options)
    if options.json:
        artifacts = [_describe_artifact(artifact, str(written)) for artifact, written in finished]
        print_json({"model": options.model, "artifacts": artifacts})


def _describe_artifact(artifact: Artifact, path: str) -> dict[str, Any]:
    """Return what JSON has of a written artifact."""
    files = list_artifact_files(artifact, path)
    return {"path": path, "files": files, "nodes": len(artifact.graph.nodes), **attrs.asdict(artifact.report)}


def _choose_passes(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """Return the names of the passes to run; check the names of the stages to print as well."""
    names = [each.name for each in choose_passes(options, parser)]
    try:
        require_names(options.printed_stages, [IMPORTED, *names, *LOWERING])
        require_names(options.explained_passes, names)
    except UnknownPassError as error:
        parser.error(str(error))
    return names


def _print_after(stages: Collection[str], show: Callable[[str], None]) -> Observer:
    """Return an observer that prints the graphs of these stages, each under a comment that names it."""

    def observe(stage: str, graph: Graph) -> None:
        if stage in stages:
            show("")  # erases the status line
            print(f"// after {stage}\n{print_graph(graph)}", flush=True)

    return observe


def _explain_after(names: Collection[str], show: Callable[[str], None]) -> Observer:
    """Return an observer that prints, after each of these passes, each node that its rules declined."""

    def observe(stage: str, graph: Graph) -> None:
        if stage in names:
            show("")
            explanations = explain(graph, ALL_PASSES[stage].rules)
            for each in explanations:
                print(f"{stage}: {each.node} ({each.rule}): {each.reason}", flush=True)
            if not explanations:
                print(f"{stage}: nothing was declined", file=sys.stderr)

    return observe


def _choose_outputs(options: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, str | None]:
    """Return the output of each target: a path, stdout, or none with --print-ir."""
    targets = list(dict.fromkeys(options.targets or [_default_target(options)]))
    if len(targets) > 1:
        if options.form:
            parser.error("--emit draws one graph: give only one target")
        if STANDARD in (options.output, options.model) or _prints(options):
            parser.error("several targets are files in a directory: give MODEL's path, and a directory as -o")
        directory = Path(options.output or ".")
        make_directory(directory)
        name = _default_output(options, "")
        return {target: str(directory / f"{name}{_suffix(target, options)}") for target in targets}
    (target,) = targets
    suffix = f".{options.form}" if options.form else _suffix(target, options)
    output = options.output or _default_output(options, suffix)
    if output == STANDARD and sys.stdout.isatty():
        parser.error("refusing to write a file to a terminal: give -o PATH, or redirect standard output")
    if output == STANDARD and _prints(options):
        parser.error("a printed graph and -o - both go to stdout: give -o PATH")
    return {target: output}


def _suffix(target: str, options: argparse.Namespace) -> str:
    return TARGETS[target].suffix_of(dict(options.options))


def _prints(options: argparse.Namespace) -> bool:
    """Return whether graphs or explanations go to stdout, and a file is only written with -o."""
    return bool(options.print_ir or options.printed_stages or options.explained_passes)


def _print_results(artifact: Artifact, written: str | None, options: argparse.Namespace) -> None:
    """Print what the options ask for: the graph to stdout, the rest to stderr."""
    if options.print_ir:
        print(print_graph(artifact.graph), end="")
    if options.time_passes:
        print("\n".join(artifact.report.lines()), file=sys.stderr)
    for line in artifact.report.layer_lines():
        print(line, file=sys.stderr)
    if outcome := artifact.report.verification:
        difference = f"largest difference {outcome.difference:.3g} on {outcome.rows} rows"
        print(f"{artifact.target}: {difference}", file=sys.stderr)
    if written and sys.stderr.isatty():
        print(_summarize(artifact, written), file=sys.stderr)


def _strip_weights(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if options.targets or options.weights or _prints(options) or options.dump_ir or options.form:
        parser.error("--strip-weights writes a document alone: it takes MODEL, -o and -f")
    output = options.output or _default_output(options, STRIPPED_SUFFIX) or STANDARD
    require_free_stdout(options, parser, [output])
    require_writable(output, options.force)
    size = write_document(
        strip_weights(as_document(command_line.read_model(options.model))), output, options.force
    )
    if options.json:
        print_json({"model": options.model, "path": output, "files": list_files([output])})
    elif output != STANDARD and sys.stderr.isatty():
        print(f"{output}: {size / 1e3:,.1f} kB without weights", file=sys.stderr)


def _default_target(options: argparse.Namespace) -> str:
    """Return the target of the suffix of -o; a drawing without a target shows the graph of the level."""
    if options.form:
        return ir.TARGET.name
    output = options.output or ""
    return next((name for name, target in TARGETS.items() if output.endswith(target.suffix)), DEFAULT_TARGET)


def _default_output(options: argparse.Namespace, suffix: str) -> str | None:
    if _prints(options) and not options.form:
        return None
    if options.model == STANDARD:
        return STANDARD
    path = Path(options.model)
    suffixes = {*DOCUMENT_SUFFIXES, *(target.suffix for target in TARGETS.values())}
    while path.suffix in suffixes:
        path = path.with_suffix("")
    return path.name + suffix


def _observe_all(observers: Sequence[Observer]) -> Observer:
    def observe(stage: str, graph: Any) -> None:
        for observer in observers:
            observer(stage, graph)

    return observe


def _write(artifact: Artifact, output: str | None, force: bool) -> str | None:
    """Write the artifact and return its path, unless it went to stdout."""
    if output == STANDARD:
        sys.stdout.buffer.write(bytes(artifact))
        return None
    return str(artifact.save(output, force=force)) if output else None


def _summarize(artifact: Artifact, path: str) -> str:
    size = sum(map(len, artifact.files.values()))
    return f"{path}: {size / 1e3:,.1f} kB for {artifact.target}, {len(artifact.graph.nodes)} nodes"
