"""Chooses passes by name: those of a level or given ones, without some, up to one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence

from sensenet.errors import UnknownPassError
from sensenet.passes import ALL_PASSES, PIPELINES, legalize
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.lowering.simplify_lowered import simplify_lowered

LOWERING: Mapping[str, str] = {
    legalize({}).name: "to the ops of the target",
    simplify_lowered({}).name: "for a target that is made of tensor ops",
}
"""The passes that bring a graph to a target's ops, which are not chosen: they run last. What each is for."""


def select_passes(
    level: int,
    only: Sequence[str] | None = None,
    without: Collection[str] = (),
    until: str | None = None,
) -> tuple[Pass, ...]:
    """The passes of a level, or `only` those of these names, in this order.

    Those named in `without` are left out, and all that come after `until`. Raises UnknownPassError for a name
    that no pass has, and for `until` where it is not among the passes chosen. A name may stand in `without`
    and not among the passes.
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
    """Raise UnknownPassError, suggesting the nearest, for a name that is not among the known ones."""
    for name in names:
        if name in known:
            continue
        if name in LOWERING:
            raise UnknownPassError(f"{name} is the target's own pass: it always runs, after all others")
        if name in ALL_PASSES:
            raise UnknownPassError(f"the pass {name} does not run here; {_listed(known)}")
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else _listed(known)
        raise UnknownPassError(f"there is no pass {name!r} to choose; {hint}")


def _listed(known: Collection[str]) -> str:
    return f"there are: {', '.join(known) or 'none'}"
