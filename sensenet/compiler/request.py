"""What is to be compiled, for which targets, and how: the arguments of `compile` as one value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from attrs import field, frozen

from sensenet.ir.graph import Graph
from sensenet.passes.infrastructure.manager import Observer
from sensenet.settings import Settings, ensure_settings

DEFAULT_LEVEL = 2

Source = Graph | Mapping[str, Any] | str | bytes | os.PathLike[str]
"""A BigML document (a dict, a path to `.json` or `.json.gz`, JSON text or bytes), the name of a pretrained
network, or a graph or its file."""


def _unique(targets: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(targets))


@frozen(kw_only=True, eq=False)
class Request:
    """The arguments of `sensenet.compile`, which explains them, for one target or several.

    `options` are those of the targets. Raises SettingsError for a wrong setting.
    """

    source: Source
    targets: tuple[str, ...] = field(converter=_unique)
    settings: Settings = field(default=None, converter=ensure_settings)
    weights: str | os.PathLike[str] | None = None
    optimize: int = DEFAULT_LEVEL
    passes: Sequence[str] | None = None
    verify: bool = False
    rows: Sequence[Any] = ()
    calibration: Sequence[Any] | str | os.PathLike[str] = ()
    observe: Observer = lambda _stage, _graph: None
    options: Mapping[str, Any] = field(factory=dict)


ARGUMENTS = frozenset(attrs.fields_dict(Request)) - {"source", "targets", "options"}
"""The keyword arguments of `compile`; any other is an option of the target."""


def make_request(source: Source, targets: Iterable[str], arguments: Mapping[str, Any]) -> Request:
    """Return the request that has the keyword arguments of `compile`."""
    own = {name: value for name, value in arguments.items() if name in ARGUMENTS}
    options = {name: value for name, value in arguments.items() if name not in ARGUMENTS}
    return Request(source=source, targets=targets, options=options, **own)
