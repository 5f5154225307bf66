"""What `sensenet.inspect` returns, and its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import attrs

from sensenet.facts.fields import FieldFacts
from sensenet.facts.tables import list_some, print_count, print_number, print_table
from sensenet.inspection.resource import Resource
from sensenet.inspection.targets import Latency, TargetFacts
from sensenet.ir.layer_costs import Costs, LayerFacts
from sensenet.plain_numbers import format_file_size
from sensenet.plain_text import cut, one_line
from sensenet.records import frozen
from sensenet.signature import ImageInput

LONGEST_DESCRIPTION = 400


@frozen(kw_only=True)
class TensorFacts:
    """The name and type of an input or output of the graph."""

    name: str
    type: str


@frozen(kw_only=True)
class Inspection:
    """What a model is: `str()` of it is the report that `sensenet inspect` prints.

    `source` is its path or name, `format` a document, a pretrained network, or the target of an artifact;
    `kind` is classification, regression, object detection or image features, and `size` the bytes of its
    files. `inputs`, `outputs`, `layers` and `costs` are those of the graph, and empty or None if the artifact
    does not keep it, except that `layers` are the operators of .tflite and .onnx files; a document's graph is
    the network as trained. `resource` is what BigML says of it; artifacts do not keep that. `targets` and
    `latency` are there if they were asked for.
    """

    source: str
    format: str
    kind: str
    name: str
    description: str
    size: int | None
    fields: tuple[FieldFacts, ...]
    objective: FieldFacts | None
    classes: tuple[str, ...]
    image: ImageInput | None
    settings: Mapping[str, Any]
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    layers: tuple[LayerFacts, ...]
    costs: Costs | None
    resource: Resource | None
    targets: tuple[TargetFacts, ...] = ()
    latency: Latency | None = None

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def to_json(self) -> dict[str, Any]:
        """Return the facts as a JSON object."""
        return attrs.asdict(self)


def _lines(found: Inspection) -> Iterator[str]:
    label = cut(one_line(found.name or found.source), LONGEST_DESCRIPTION)
    source = cut(one_line(found.source), LONGEST_DESCRIPTION)
    facts = [
        "" if found.source in (found.name or found.source, found.format) else source,
        found.format,
        "" if found.size is None else format_file_size(found.size),
    ]
    yield f"{label}: {found.kind} ({', '.join(filter(None, facts))})"
    if found.description.strip():
        yield f"  {cut(one_line(found.description), LONGEST_DESCRIPTION)}"
    for title, lines in (
        ("BigML", _resource_lines(found)),
        ("Fields", _field_lines(found)),
        ("Answers", _answer_lines(found)),
        ("Layers", _layer_lines(found)),
        ("Targets", _target_lines(found)),
    ):
        section = list(lines)
        if section:
            yield ""
            yield title
            yield from section


def _resource_lines(found: Inspection) -> Iterator[str]:
    resource = found.resource
    if resource is None:
        return
    facts = {
        "resource": resource.id,
        "trained": _date(resource.created),
        "updated": _date(resource.updated),
        "rows": "" if resource.rows is None else f"{resource.rows:,}",
        "dataset": resource.dataset,
        "configuration": resource.configuration,
        "tags": list_some(resource.tags),
    }
    known = {name: one_line(text) for name, text in facts.items() if text}
    width = max(map(len, known), default=0)
    yield from (f"  {name:{width}}  {text}" for name, text in known.items())
    if resource.metrics:
        yield "  on held-out rows:"
        yield from print_table(
            ("", ""), [(f"  {name}", print_number(value)) for name, value in resource.metrics.items()], [1]
        )[1:]


def _date(text: str) -> str:
    """Return an ISO date without the parts of seconds."""
    return text.partition(".")[0].replace("T", " ")


def _field_lines(found: Inspection) -> Iterator[str]:
    if found.image:
        pixels = (
            f"{found.image.height} × {found.image.width} pixels" if found.image.size_known else "any size"
        )
        yield f"  images: {pixels}, {found.image.channels} channels, rescaled by {found.image.rescale_type}"
    if not found.fields:
        return
    header = ("name", "type", "units", "least", "most", "mean", "categories", "if missing", "importance")
    rows = [
        (
            field.name,
            field.type,
            " … ".join(filter(None, (field.prefix, field.suffix))),
            print_number(field.minimum),
            print_number(field.maximum),
            print_number(field.mean),
            list_some(field.categories, 3),
            field.missing,
            print_number(field.importance),
        )
        for field in found.fields
    ]
    yield from print_table(header, rows, (3, 4, 5, 8))


def _answer_lines(found: Inspection) -> Iterator[str]:
    if found.objective:
        yield f"  {one_line(found.objective.name)}: {', '.join(_describe_objective(found.objective))}"
    if found.classes:
        yield f"  classes: {list_some(found.classes, 8)}"
    for name, value in found.settings.items():
        yield f"  setting {name}: {one_line(str(value))}"


def _describe_objective(field: FieldFacts) -> Iterator[str]:
    yield one_line(field.type)
    if field.minimum is not None and field.maximum is not None:
        yield f"{print_number(field.minimum)} to {print_number(field.maximum)}"
    if field.prefix or field.suffix:
        yield f"written {one_line(field.prefix)}…{one_line(field.suffix)}"


def _layer_lines(found: Inspection) -> Iterator[str]:
    costs = found.costs
    if costs is None:
        yield f"  unknown: this {found.format} artifact does not keep its graph"
        return
    rows = [
        (
            layer.name,
            layer.op,
            layer.result,
            print_count(layer.parameters),
            print_count(layer.multiply_adds or 0),
            format_file_size(layer.size) if layer.size else "",
        )
        for layer in found.layers
    ]
    total = (
        "total",
        "",
        "",
        f"{costs.parameters:,}",
        print_count(costs.multiply_adds or 0),
        format_file_size(costs.size),
    )
    header = ("name", "op", "result", "parameters", "multiply-adds", "size")
    yield from print_table(header, [*rows, total], (3, 4, 5))


def _target_lines(found: Inspection) -> Iterator[str]:
    rows = [(each.target, format_file_size(each.size), *_times(each.latency)) for each in found.targets]
    if found.latency:
        rows.append(("as opened", "", *_times(found.latency)))
    if not rows:
        return
    yield from print_table(("target", "size", "one row", "many rows"), rows, (1, 2, 3))
    if any(row[2] for row in rows):
        yield "  times are measured, on this machine: the median for one row, the least for many"


def _times(latency: Latency | None) -> tuple[str, str]:
    if latency is None:
        return "", ""
    return _print_seconds(latency.row), f"{_print_rate(latency.batch_rows / latency.batch)} rows/s"


def _print_seconds(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.4g} ms"


def _print_rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
