"""The arguments of `compile` as one value, for one target or several."""

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
    """The arguments of `sensenet.compile`, which documents them, for one target or several.

    `options` are the targets' options. Raises SettingsError for a wrong setting.
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
"""The keyword arguments of `compile`; any other argument is an option of the target."""


def make_request(source: Source, targets: Iterable[str], arguments: Mapping[str, Any]) -> Request:
    """Return the request for the keyword arguments of `compile`."""
    own = {name: value for name, value in arguments.items() if name in ARGUMENTS}
    options = {name: value for name, value in arguments.items() if name not in ARGUMENTS}
    return Request(source=source, targets=targets, options=options, **own)
