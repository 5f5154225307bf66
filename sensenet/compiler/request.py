"""The arguments of `compile` as one value, for one target or several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any

import attrs
from attrs import field

from sensenet.errors import SettingsError
from sensenet.ir.graph import Graph
from sensenet.passes import DEFAULT_LEVEL
from sensenet.passes.infrastructure.manager import Observer
from sensenet.records import frozen
from sensenet.settings import Settings, ensure_settings

Source = Graph | Mapping[str, Any] | str | bytes | os.PathLike[str]
"""A BigML document (a dict, a path to `.json` or `.json.gz`, JSON text or bytes), the name of a pretrained
network, or a graph or its file."""


def _unique(targets: Iterable[str]) -> tuple[str, ...]:
    """Return the targets without repeated ones; what is not text, and so not a target, is refused later."""
    names = tuple(targets)
    return tuple(dict.fromkeys(names)) if all(isinstance(name, str) for name in names) else names


def _expect(expected: str, *types: Any) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Return a validator that raises SettingsError for an argument of other types."""

    def validate(_: Any, argument: attrs.Attribute[Any], value: Any) -> None:
        if not isinstance(value, types):
            found = type(value).__name__
            raise SettingsError(f"the argument {argument.name} is of type {found}; expected {expected}")

    return validate


ROWS = "a list of rows, an array or a data frame"


@frozen(kw_only=True, eq=False)
class Request:
    """The arguments of `sensenet.compile`, which documents them, for one target or several.

    `options` are the targets' options. Raises SettingsError for a wrong setting, or an argument of a wrong
    type.
    """

    source: Source
    targets: tuple[str, ...] = field(converter=_unique)
    settings: Settings = field(default=None, converter=ensure_settings)
    weights: str | os.PathLike[str] | None = field(
        default=None, validator=_expect("a path", str, os.PathLike, type(None))
    )
    optimize: int = DEFAULT_LEVEL
    passes: Sequence[str] | None = field(
        default=None, validator=_expect("a list of names", Iterable, type(None))
    )
    verify: bool = False
    rows: Sequence[Any] = field(default=(), validator=_expect(ROWS, Sized))
    calibration: Sequence[Any] | str | os.PathLike[str] = field(
        default=(), validator=_expect(f"{ROWS}, or a path", Sized, os.PathLike)
    )
    observe: Observer = lambda _stage, _graph: None
    options: Mapping[str, Any] = field(factory=dict)


ARGUMENTS = frozenset(attrs.fields_dict(Request)) - {"source", "targets", "options"}
"""The keyword arguments of `compile`; any other argument is an option of the target."""


def make_request(source: Source, targets: Iterable[str], arguments: Mapping[str, Any]) -> Request:
    """Return the request for the keyword arguments of `compile`."""
    own = {name: value for name, value in arguments.items() if name in ARGUMENTS}
    options = {name: value for name, value in arguments.items() if name not in ARGUMENTS}
    return Request(source=source, targets=targets, options=options, **own)
