"""Chooses passes by name: those of a level or given ones, without some, up to one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sensenet.errors import UnknownPassError
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.passes.infrastructure.rules import Pass

LOWERING: Mapping[str, str] = {
    "legalize": "for the ops of the target",
    "simplify-lowered": "for a target that is made of tensor ops",
}
"""The passes that lower a graph to a target's ops, with their purpose: they always run, and last."""


def select_passes(
    level: int,
    only: Sequence[str] | None = None,
    without: Collection[str] = (),
    until: str | None = None,
) -> tuple[Pass, ...]:
    """Return the passes of a level, or `only` those of these names, in this order.

    Omits those named in `without`, and all after `until`. Raises UnknownPassError for an unknown name, and
    for `until` if it is not among the chosen passes. A name in `without` need not be among them.
    """
    require_names([*(only or ()), *without], ALL_PASSES)
    chosen = PIPELINES[level] if only is None else tuple(ALL_PASSES[name] for name in only)
    chosen = tuple(each for each in chosen if each.name not in without)
    if until is None:
        return chosen
    names = [each.name for each in chosen]
    require_names([until], names)
    return chosen[: names.index(until) + 1]


def require_names(names: Iterable[str], known: Collection[str]) -> None:
    """Raise UnknownPassError, suggesting the nearest name, for an unknown name."""
    for name in names:
        if not isinstance(name, str):
            raise UnknownPassError(f"expected the name of a pass, found {name!r:.60}; {_listed(known)}")
        if name in known:
            continue
        if name in LOWERING:
            raise UnknownPassError(f"{name} is the target's own pass: it always runs, after all others")
        if name in ALL_PASSES:
            raise UnknownPassError(f"the pass {name} does not run here; {_listed(known)}")
        import difflib  # for errors alone

        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else _listed(known)
        raise UnknownPassError(f"unknown pass {name!r}; {hint}")


def _listed(known: Collection[str]) -> str:
    return f"expected one of: {', '.join(known) or '(none)'}"
