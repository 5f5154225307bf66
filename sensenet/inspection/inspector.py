"""`sensenet.inspect`: what a model is, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sensenet.artifact import Artifact
from sensenet.errors import ArtifactError
from sensenet.facts.fields import describe_fields, describe_objective, name_kind
from sensenet.inspection.opening import Inspectable, Opened, open_source
from sensenet.inspection.report import Inspection, TensorFacts
from sensenet.inspection.targets import describe_targets, measure_latency
from sensenet.ir.graph import Graph
from sensenet.ir.layer_costs import describe_layers, sum_costs, sum_layers
from sensenet.models.create import create_model
from sensenet.models.deepnet import make_model
from sensenet.models.engines import run_graph
from sensenet.models.model import Model
from sensenet.settings import Settings


def inspect(
    source: Inspectable,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    targets: Iterable[str] = (),
    measure: bool = False,
) -> Inspection:
    """Return what a model is and costs: kind, fields, classes, layers, sizes, and what BigML says of it.

    `source` is what `create_model` takes, or a graph or model. `targets` are compiled, at their defaults, for
    the bytes of their files. `measure` times predictions on this machine: in each target, or without targets
    in the engine that `create_model` chooses.

    Raises what `create_model` and `compile` raise. Without targets and `measure`, nothing is compiled, and no
    weights of a pretrained network are downloaded.
    """
    return describe(source, open_source(source, settings), settings, targets, measure=measure)


def describe(
    source: Inspectable,
    opened: Opened,
    settings: Settings | Mapping[str, Any] | None,
    targets: Iterable[str],
    *,
    measure: bool,
) -> Inspection:
    """Return what `inspect` does, of a source that is opened already."""
    names = tuple(dict.fromkeys(targets))
    compiled = _find_compiled(source, opened) if names else None
    return Inspection(
        source=opened.label,
        format=opened.format,
        size=opened.size,
        kind=name_kind(opened.signature),
        name=opened.signature.name,
        description=opened.signature.description,
        fields=describe_fields(opened.signature, opened.resource.importance if opened.resource else None),
        objective=describe_objective(opened.signature),
        classes=opened.signature.classes,
        image=opened.signature.image,
        settings=opened.signature.settings,
        **_describe_graph(opened),
        resource=opened.resource,
        targets=tuple(describe_targets(compiled, names, settings, measured=measure)) if names else (),
        latency=measure_latency(make_any_model(source, settings)) if measure and not names else None,
    )


def make_any_model(source: Any, settings: Settings | Mapping[str, Any] | None = None) -> Any:
    """Return the model of whatever can be inspected."""
    if isinstance(source, Model):
        return source
    if isinstance(source, Graph):
        return make_model(run_graph(source), Settings())
    return create_model(source, settings)


def _find_compiled(source: Any, opened: Opened) -> Any:
    """Return what `compile` takes for a source: an artifact's or model's graph, else the source."""
    if not isinstance(source, Artifact | Model):
        return source
    if opened.graph is None:
        raise ArtifactError(
            "this model was opened from a file without its graph: compile its document instead"
        )
    return opened.graph


def _describe_graph(opened: Opened) -> dict[str, Any]:
    graph, layers = opened.graph, tuple(opened.layers)
    if graph is None:
        costs = sum_layers(layers) if layers else None
        return {"inputs": (), "outputs": (), "layers": layers, "costs": costs}
    return {
        "inputs": tuple(TensorFacts(name=node.name, type=str(node.types[0])) for node in graph.inputs),
        "outputs": tuple(TensorFacts(name=name, type=str(each.type)) for name, each in graph.outputs.items()),
        "layers": describe_layers(graph),
        "costs": sum_costs(graph),
    }
