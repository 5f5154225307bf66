"""The passes that bring a graph to what a target takes, which run after all others."""

from __future__ import annotations

from typing import Any

from sensenet.backends.target import Target
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.lowering.legalize import legalize
from sensenet.passes.lowering.simplify_lowered import simplify_lowered


def lowering_passes(target: Target[Any]) -> tuple[Pass, ...]:
    """Return legalize, and for a target that is made of tensor ops the pass that makes them fewer."""
    legal = target.legal()
    lowering = legalize(legal, target.rows)
    return (lowering, simplify_lowered(legal)) if target.simplifies else (lowering,)
