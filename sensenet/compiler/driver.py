"""compile(): frontend → passes → backend."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from sensenet.artifact import Artifact, Report, Verification
from sensenet.backends import DEFAULT_TARGET, get_target
from sensenet.backends.keras.h5 import load_weights
from sensenet.backends.options import Options
from sensenet.backends.static_shapes import StaticShapes
from sensenet.backends.target import Target
from sensenet.compiler.documents import import_document
from sensenet.compiler.pipelines import Pipeline, Rewritten, choose_pipeline, lower, optimize_graph
from sensenet.compiler.request import Request, Source, make_request
from sensenet.compiler.sources import find_target, read_saved_graph
from sensenet.compiler.verify.verification import given_checks, measure, verify_artifact
from sensenet.errors import ArtifactError, SettingsError, UnknownTargetError
from sensenet.ir.graph import Graph
from sensenet.ir.static_shapes import fix_batch, fix_image_size
from sensenet.limits import memory_errors_reported
from sensenet.passes import DEFAULT_LEVEL
from sensenet.passes.infrastructure.manager import Observer
from sensenet.passes.infrastructure.rules import Pass
from sensenet.runtime.row_files import read_rows
from sensenet.settings import Settings

IMPORTED = "imported"
"""The name of the first stage; each later stage has the name of the pass that made it."""

CALIBRATION = "calibration"
"""The option by which a target gets the encoded calibration rows."""


def compile(
    source: Source,
    target: str = DEFAULT_TARGET,
    *,
    settings: Settings | Mapping[str, Any] | None = None,
    weights: str | os.PathLike[str] | None = None,
    optimize: int = DEFAULT_LEVEL,
    passes: Sequence[str] | None = None,
    verify: bool = False,
    rows: Sequence[Any] = (),
    calibration: Sequence[Any] | str | os.PathLike[str] = (),
    observe: Observer = lambda _stage, _graph: None,
    **options: Any,
) -> Artifact:
    """Return a deepnet compiled for a target.

    `source` is a BigML document (a dict, a path to `.json` or `.json.gz`, JSON text or bytes), the name of a
    pretrained network, a graph, or the path of an artifact that contains its graph. `weights` is the path of
    an h5 file with weights for the source, which may be a document without weights. `target` is one of
    `sensenet.backends.TARGETS`, and `options` are that target's.

    `optimize` is the level: 0 (the network as trained), 1 (exactly the answers of 0) or 2 (the same up to
    rounding); `passes` names other passes to run instead, in order (all are in `sensenet.passes.ALL_PASSES`).
    A target with only one level ignores it. The passes that lower the graph for the target always come last.
    `observe` is called with the name of each stage and the graph after it.

    With `verify`, the artifact's files are run in a fresh process on generated rows, and on `rows` in any
    form that a model accepts, and compared with the interpreter on the graph as imported;
    `artifact.report.verification` has the outcome. `calibration` is rows too, or the path of a CSV file or a
    folder of images, from which the targets tflite and c choose the scales of `quantize="int8"` and
    "int8x16", and with "auto" also which layers are int8; unless verified, the artifact is run on them in
    this process, and the report has the largest difference.

    Raises UnknownTargetError for an unknown target, level or option, or without calibration rows that an
    option needs, UnknownPassError for an unknown pass, SettingsError for a wrong setting or type of argument,
    DocumentError for an invalid document, UnknownNetworkError for an unknown network, DownloadError for
    pretrained weights that cannot be downloaded, ArtifactError for a file that cannot be read or has the
    weights of another network, VerificationError if verified answers differ, and MissingPackageError if the
    target needs a package that is not installed. All are SensenetErrors.
    """
    with memory_errors_reported():
        request = Request(
            source=source,
            targets=(target,),
            settings=settings,
            weights=weights,
            optimize=optimize,
            passes=passes,
            verify=verify,
            rows=rows,
            calibration=calibration,
            observe=observe,
            options=options,
        )
        (artifact,) = compile_request(request)
    return artifact


def compile_targets(source: Source, targets: Sequence[str], **arguments: Any) -> Iterator[Artifact]:
    """Yield the artifact of each target, as `compile` does for one.

    `arguments` are the keyword arguments of `compile`; all targets get the same options. The source is read
    once, and optimized once for all targets with the same passes.
    """
    return compile_request(make_request(source, targets, arguments))


def compile_request(request: Request) -> Iterator[Artifact]:
    """Yield the artifact of each target; raises as `compile` does."""
    pipelines = _choose_pipelines(request)
    begun = time.perf_counter()
    sizes = [_read_sizes(request, pipeline) for pipeline in pipelines]
    given, notes = _read_given_rows(request.calibration)
    imported = fix_image_size(_read_graph(request, pipelines), sizes[0].image if sizes else None)
    frontend_seconds = time.perf_counter() - begun
    request.observe(IMPORTED, imported)
    checks = given_checks(imported, given) if len(given) else ()
    calibration = {CALIBRATION: [check.inputs for check in checks]} if checks else {}
    rows = [each.batch for each in sizes]
    optimized = _optimize(imported, pipelines, rows, request.observe)
    for pipeline, batch in zip(pipelines, rows, strict=True):
        target = pipeline.target
        lowered = lower(optimized[pipeline.passes, batch], target, _observer_of(request, target))
        report = Report(
            target=target.name,
            level=pipeline.level,
            frontend_seconds=frontend_seconds,
            passes=lowered.records,
            notes=notes,
        )
        options = target.read_options({**request.options, **calibration})
        artifact = _build(lowered.graph, report, target, options)
        if request.verify:
            outcome = verify_artifact(artifact, imported, request.rows, rounding=options.rounding)
            artifact = _with_verification(artifact, outcome)
        elif checks:
            artifact = _with_verification(artifact, measure(target.load(artifact), checks))
        yield artifact


def _choose_pipelines(request: Request) -> list[Pipeline]:
    """Return the passes for each target.

    Raises UnknownTargetError for an unknown option, or without calibration rows that one needs.
    """
    pipelines = [
        choose_pipeline(get_target(name), request.optimize, request.passes) for name in request.targets
    ]
    calibration = request.calibration
    calibrated = isinstance(calibration, str | os.PathLike) or len(calibration) > 0
    given = {**request.options, CALIBRATION: ()} if calibrated else request.options
    for pipeline in pipelines:
        if pipeline.target.read_options(given).needs_calibration and not calibrated:
            raise UnknownTargetError(
                f"quantize={request.options['quantize']!r} chooses from calibration rows: give some as "
                "calibration= (--calibration on the command line), such as the model is to predict"
            )
    return pipelines


def _read_sizes(request: Request, pipeline: Pipeline) -> StaticShapes:
    """Return the sizes that a target's file is made for; all targets take the same image size."""
    options = pipeline.target.read_options(request.options)
    return options if isinstance(options, StaticShapes) else StaticShapes()


def _read_graph(request: Request, pipelines: Sequence[Pipeline]) -> Graph:
    """Return the graph of the source, with the weights of the h5 file if one is given."""
    source, settings, weights = request.source, request.settings, request.weights
    if isinstance(source, Graph):
        graph = source
    else:
        saved = find_target(source)
        if saved is None:
            return import_document(source, settings, weights).graph
        _require_any_level(source, pipelines)
        graph = read_saved_graph(source, saved)
    if settings.given():
        raise SettingsError(f"a graph's settings are fixed: leave out {', '.join(settings.given())}")
    return graph if weights is None else load_weights(graph, Path(weights))


def _require_any_level(source: Source, pipelines: Sequence[Pipeline]) -> None:
    """Raise ArtifactError if a target has only one level: a saved graph may have optimized weights."""
    for pipeline in pipelines:
        if pipeline.target.level is not None:
            raise ArtifactError(
                f"{source!s} is not a document: the target {pipeline.target.name} needs the network as "
                "trained, and a saved artifact may be optimized; compile its document instead"
            )


def _optimize(
    imported: Graph, pipelines: Sequence[Pipeline], rows: Sequence[int | None], observe: Observer
) -> Mapping[tuple[tuple[Pass, ...], int | None], Rewritten]:
    """Return the graph for each size of batches as each sequence of passes leaves it."""
    wanted = dict.fromkeys(zip((pipeline.passes for pipeline in pipelines), rows, strict=True))
    return {
        (passes, batch): optimize_graph(fix_batch(imported, batch), passes, observe)
        for passes, batch in wanted
    }


def _read_given_rows(rows: Sequence[Any] | str | os.PathLike[str]) -> tuple[Sequence[Any], tuple[str, ...]]:
    """Return the rows of a file or folder, or those given, and notes on skipped files; raises InputError."""
    notes: list[str] = []
    if isinstance(rows, str | os.PathLike):
        rows = read_rows(os.fspath(rows), notes.append)
    return rows, tuple(notes)


def _observer_of(request: Request, target: Target[Any]) -> Observer:
    """Return the observer of a target's lowering, which adds the target to the stage if there are several."""
    if len(request.targets) == 1:
        return request.observe
    return lambda stage, graph: request.observe(f"{stage}-{target.name}", graph)


def _build(graph: Graph, report: Report, target: Target[Any], options: Options) -> Artifact:
    """Return the artifact, with a report of the time that it took."""
    begun = time.perf_counter()
    artifact = target.build(graph, report, options)
    seconds = time.perf_counter() - begun
    return attrs.evolve(artifact, report=attrs.evolve(artifact.report, backend_seconds=seconds))


def _with_verification(artifact: Artifact, outcome: Verification) -> Artifact:
    """Return the artifact with the outcome of verification in its report."""
    return attrs.evolve(artifact, report=attrs.evolve(artifact.report, verification=outcome))
