"""What a BigML resource says of its model: dates, rows, importance of fields, metrics of held-out rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from sensenet.frontend.document import find_network, find_resource
from sensenet.frontend.fields import is_text, member
from sensenet.records import frozen

METRICS = ("holdout_metrics", "validation_metrics")
"""The members with the metrics of rows that were not trained on, of resources and of bare networks."""


@frozen(kw_only=True)
class Resource:
    """The facts of a resource; a text is empty, and a number None, if the document does not say.

    `importance` is by id of field, `metrics` by BigML's name, and `configuration` BigML's summary of how it
    was trained. `created` and `updated` are ISO dates in UTC.
    """

    id: str = ""
    created: str = ""
    updated: str = ""
    dataset: str = ""
    rows: int | None = None
    configuration: str = ""
    importance: Mapping[str, float] = attrs.field(factory=dict)
    metrics: Mapping[str, float] = attrs.field(factory=dict)
    tags: tuple[str, ...] = ()


def read_resource(document: Any) -> Resource:
    """Return the facts of a document; what is missing or of another type is left out.

    Raises DocumentError if the document has no network.
    """
    network = find_network(document).network
    resource, model = find_resource(network, document)
    metrics = [member(place, name, dict) for place in (model, network.value) for name in METRICS]
    return Resource(
        id=member(resource, "resource", str) or "",
        created=member(resource, "created", str) or "",
        updated=member(resource, "updated", str) or "",
        dataset=member(resource, "dataset", str) or "",
        rows=_whole(resource.get("rows")),
        configuration=member(resource, "name_options", str) or "",
        importance=_importance(resource.get("importance", model.get("importance"))),
        metrics=_numbers(next(filter(None, metrics), {})),
        tags=tuple(filter(is_text, member(resource, "tags", list) or ())),
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _importance(value: Any) -> dict[str, float]:
    """Return the importance of fields, which documents have as an object or as a list of pairs."""
    if isinstance(value, list):
        value = {pair[0]: pair[1] for pair in value if _is_pair(pair)}
    return _numbers(value) if isinstance(value, dict) else {}


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)


def _numbers(values: Mapping[Any, Any]) -> dict[str, float]:
    """Return the members that are finite numbers."""
    return {
        name: float(value)
        for name, value in values.items()
        if is_text(name)
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }
