"""compile(): frontend → passes → backend."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from sensenet.artifact import Artifact, Report
from sensenet.backends import DEFAULT_TARGET, get_target
from sensenet.backends.keras.h5 import load_weights
from sensenet.backends.target import Target
from sensenet.compiler.documents import import_document
from sensenet.compiler.lowering import lowering_passes
from sensenet.compiler.sources import find_target, read_saved_graph
from sensenet.compiler.verify.verification import Check, given_checks, measure, verify_artifact
from sensenet.errors import ArtifactError, SettingsError, UnknownTargetError
from sensenet.ir.graph import Graph
from sensenet.ir.legality import require_legal
from sensenet.limits import memory_errors_reported
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import Observer, run_passes
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.infrastructure.selection import select_passes
from sensenet.runtime.row_files import read_rows
from sensenet.settings import Settings, ensure_settings

DEFAULT_LEVEL = 2

IMPORTED = "imported"
"""The name of the first stage; each later stage has the name of the pass that made it."""

CALIBRATION = "calibration"
"""The option by which a target gets the inputs that calibration rows are encoded as."""

Source = Graph | Mapping[str, Any] | str | bytes | os.PathLike[str]
"""A BigML document (a dict, a path to `.json` or `.json.gz`, JSON text or bytes), the name of a pretrained
network, or a graph or its file."""


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
    """A deepnet compiled for a target.

    `source` is a BigML document (a dict, a path to `.json` or `.json.gz`, JSON text or bytes), the name of a
    pretrained network, a graph, or the path of an artifact for the targets ir or numpy. `weights` is the path
    of an h5 file that has the weights of the source, which may be a document without any. `target` is one of
    `sensenet.backends.TARGETS`, and `options` what that target takes.

    `optimize` is 0 (the network as trained), 1 (exactly the answers of 0) or 2 (the same up to rounding);
    `passes` names others to run instead, in order (all are in `sensenet.passes.ALL_PASSES`). A target that
    has only one level is made at that. The target's own pass, legalize, always comes last. `observe` is
    called with the name of each stage and the graph that it leaves.

    With `verify`, the artifact's files are run in a fresh process on generated rows, and on `rows` as a model
    would take them, and compared with the interpreter on the graph as imported;
    `artifact.report.verification` tells the outcome. `calibration` is rows too, or the path of a CSV file or
    a folder of images: what the target tflite chooses the scales of `quantize="int8"` from; unless
    verified, the artifact is run on them in this process, and the report tells the largest difference.

    Raises UnknownTargetError for a target, level or option that there is not, UnknownPassError for the name
    of a pass that there is not, SettingsError for a wrong setting, DocumentError for a document that means
    nothing, UnknownNetworkError for a name that there is not, DownloadError for pretrained weights that
    cannot be had, ArtifactError for a file that cannot be read or has the weights of another network,
    VerificationError where verified answers differ, and MissingPackageError where the target needs a package
    that is not installed. All of them are SensenetErrors.
    """
    with memory_errors_reported():
        (artifact,) = compile_targets(
            source,
            (target,),
            settings=settings,
            weights=weights,
            optimize=optimize,
            passes=passes,
            verify=verify,
            rows=rows,
            calibration=calibration,
            observe=observe,
            **options,
        )
    return artifact


def compile_targets(
    source: Source,
    targets: Sequence[str],
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
) -> Iterator[Artifact]:
    """As `compile`, for several targets, which take the same options: one artifact after the other.

    The source is read once, and optimized once by each sequence of passes that the targets are made with.
    """
    chosen = {name: get_target(name) for name in targets}
    for target in chosen.values():
        target.read_options(options)  # now, not after all the work
    levels = {name: choose_level(target, optimize) for name, target in chosen.items()}
    pipelines = {name: choose_passes(target, levels[name], passes) for name, target in chosen.items()}
    start = time.perf_counter()
    for name, target in chosen.items():
        if target.level is not None:
            _require_unoptimized(source, name)
    imported = _read(source, settings, weights)
    frontend_seconds = time.perf_counter() - start
    observe(IMPORTED, imported)
    optimized = {
        pipeline: run_passes(imported, pipeline, observe) for pipeline in dict.fromkeys(pipelines.values())
    }
    notes: list[str] = []
    checks = _calibration_checks(imported, calibration, notes.append)
    if checks:
        options = {**options, CALIBRATION: [check.inputs for check in checks]}
    for name, target in chosen.items():
        graph, records = optimized[pipelines[name]]
        told = observe if len(chosen) == 1 else _observe_for(name, observe)
        graph, last = run_passes(graph, lowering_passes(target), told, known=graph.nodes)
        require_legal(graph, target.legal(), f"the target {name}")
        report = Report(
            target=name,
            level=levels[name],
            frontend_seconds=frontend_seconds,
            passes=(*records, *last),
            notes=tuple(notes),
        )
        begun = time.perf_counter()
        target_options = target.read_options(options)
        artifact = target.build(graph, report, target_options)
        report = attrs.evolve(report, backend_seconds=time.perf_counter() - begun)
        if verify:
            outcome = verify_artifact(artifact, imported, rows, rounding=target_options.rounding)
            report = attrs.evolve(report, verification=outcome)
        elif checks:
            report = attrs.evolve(report, verification=measure(target.load(artifact), checks))
        yield attrs.evolve(artifact, report=report)


def _observe_for(target: str, observe: Observer) -> Observer:
    """An observer that hears for which of several targets a stage is."""
    return lambda stage, graph: observe(f"{stage}-{target}", graph)


def _calibration_checks(
    imported: Graph, calibration: Sequence[Any] | str | os.PathLike[str], note: Callable[[str], None]
) -> list[Check]:
    """Return rows, or those of a file or folder, as inputs and expected answers; raises InputError."""
    if isinstance(calibration, str | os.PathLike):
        calibration = read_rows(os.fspath(calibration), note)
    return given_checks(imported, calibration) if len(calibration) else []


def choose_level(target: Target[Any], wanted: int) -> int:
    """Return the wanted level, or the target's only one; raises UnknownTargetError for an unknown level."""
    if wanted not in PIPELINES:
        levels = ", ".join(map(str, PIPELINES))
        raise UnknownTargetError(f"there is no optimization level {wanted!r}; there are: {levels}")
    return wanted if target.level is None else target.level


def choose_passes(target: Target[Any], level: int, names: Sequence[str] | None) -> tuple[Pass, ...]:
    """Return the passes of those names, or the level's; a target with only one level has those of that."""
    chosen = select_passes(level, names)
    return chosen if target.level is None else PIPELINES[target.level]


def _require_unoptimized(source: Source, target: str) -> None:
    """Raise ArtifactError for a saved graph, which may be optimized: other weights than those trained."""
    if find_target(source):
        raise ArtifactError(
            f"{source!s} is no document: the target {target} is made of the network as trained, and what is "
            "saved may have been optimized; compile the document that it was made from"
        )


def _read(
    source: Source,
    settings: Settings | Mapping[str, Any] | None,
    weights: str | os.PathLike[str] | None,
) -> Graph:
    given = ensure_settings(settings)
    graph = source if isinstance(source, Graph) else read_saved_graph(source)
    if graph is None:
        return import_document(source, given, weights).graph
    if given.given():
        raise SettingsError(
            f"a graph keeps the settings that it was made with; it takes no {', '.join(given.given())}"
        )
    return graph if weights is None else load_weights(graph, Path(weights))
