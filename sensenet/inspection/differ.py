"""`sensenet.inspection.diff`: where two models differ."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sensenet.artifact import Artifact
from sensenet.compiler.documents import import_document
from sensenet.compiler.sources import find_target
from sensenet.errors import ArtifactError, SettingsError
from sensenet.inspection.answers import compare_answers
from sensenet.inspection.difference import Difference
from sensenet.inspection.graphs import compare_nodes, compare_weights
from sensenet.inspection.inspector import make_any_model
from sensenet.inspection.opening import PRETRAINED, Inspectable, Opened, open_source
from sensenet.inspection.records import Change, compare_records
from sensenet.ir.graph import Graph
from sensenet.models.model import Model
from sensenet.runtime.row_files import read_rows
from sensenet.settings import Settings, ensure_settings
from sensenet.signature import Signature
from sensenet.suggestions import suggest

PARTS = ("signature", "settings", "graph", "weights", "answers")
"""What is compared."""

GRAPH_PARTS = ("graph", "weights")
"""The parts that only models with known graphs have."""


def diff(
    first: Inspectable,
    second: Inspectable,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    rows: Sequence[Any] | str | os.PathLike[str] | None = None,
    parts: Collection[str] = PARTS,
    tolerance: float = 0.0,
) -> Difference:
    """Return where two models differ: signature, settings, graph, weights, and answers.

    Both are what `sensenet.inspect` takes; `settings` are for those that are documents. Answers are compared
    on `rows`, in any form that a model accepts or as the path of a CSV file or a folder of images, or on rows
    that are drawn from the first's fields. Weights and answers that differ by at most `tolerance` count as
    equal.

    Nodes correspond by name, so the graphs of a document and of what was compiled from it differ: compare
    those with `parts=["answers"]`.

    Raises what `create_model` raises; SettingsError for an unknown part, or none; InputError for rows that
    the first model cannot read; ArtifactError if only graphs are to be compared, and one is not known.
    """
    chosen = check_parts(parts)
    sources = (first, second)
    given = [ensure_settings(None if is_artifact(each) else settings) for each in sources]
    opened = [open_source(each, some) for each, some in zip(sources, given, strict=True)]
    signatures = [each.signature for each in opened]
    notes = []
    nodes: Any = ()
    weights: Any = ()
    if set(GRAPH_PARTS) & set(chosen):
        graphs = [_find_graph(*each) for each in zip(sources, opened, given, strict=True)]
        unknown = [each.label for each, graph in zip(opened, graphs, strict=True) if graph is None]
        notes = [f"graph and weights: {label} does not contain its graph" for label in unknown]
        if graphs[0] is None or graphs[1] is None:
            chosen = tuple(part for part in chosen if part not in GRAPH_PARTS)
            if not chosen:
                raise ArtifactError(f"nothing to compare: {unknown[0]} does not contain its graph")
        else:
            nodes = compare_nodes(graphs[0], graphs[1]) if "graph" in chosen else ()
            weights = compare_weights(graphs[0], graphs[1], tolerance) if "weights" in chosen else ()
    answers = None
    if "answers" in chosen:
        table = read_rows(os.fspath(rows), notes.append) if isinstance(rows, str | os.PathLike) else rows
        models = [make_any_model(*each) for each in zip(sources, given, strict=True)]
        answers = compare_answers(models[0], models[1], table)
    return Difference(
        first=opened[0].label,
        second=opened[1].label,
        parts=chosen,
        tolerance=tolerance,
        signature=_compare_signatures(*signatures) if "signature" in chosen else (),
        settings=_compare_settings(*signatures) if "settings" in chosen else (),
        graph=tuple(nodes),
        weights=tuple(weights),
        answers=answers,
        notes=tuple(notes),
    )


def is_artifact(source: Any) -> bool:
    """Return whether a source's settings are fixed, as those of everything but documents are."""
    return isinstance(source, Graph | Model | Artifact) or find_target(source) is not None


def check_parts(parts: Collection[str]) -> tuple[str, ...]:
    """Return the parts in the order of PARTS.

    Raises SettingsError, with the nearest, for an unknown one, and if there are none.
    """
    if not parts:
        raise SettingsError(f"no parts to compare; expected some of {', '.join(PARTS)}")
    for part in parts:
        if part not in PARTS:
            hint = suggest(part, PARTS) or f"expected one of {', '.join(PARTS)}"
            raise SettingsError(f"unknown part {part!r}; {hint.strip()}")
    return tuple(part for part in PARTS if part in parts)


def _find_graph(source: Any, opened: Opened, settings: Settings) -> Graph | None:
    """Return the graph of a source, with its weights, which a pretrained network's may have to download."""
    return import_document(source, settings).graph if opened.format == PRETRAINED else opened.graph


def _compare_signatures(first: Signature, second: Signature) -> tuple[Change, ...]:
    return tuple(compare_records(_record(first), _record(second)))


def _record(signature: Signature) -> dict[str, Any]:
    """Return a signature as JSON, with fields and columns by what identifies them, and without settings."""
    record = signature.to_json()
    del record["settings"], record["format_version"]
    record["fields"] = {each["id"]: each for each in record["fields"]}
    record["columns"] = {str(each["index"]): each for each in record["columns"]}
    return record


def _compare_settings(first: Signature, second: Signature) -> tuple[Change, ...]:
    return tuple(compare_records(dict(first.settings), dict(second.settings)))
