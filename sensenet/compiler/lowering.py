"""The passes that bring a graph to what a target takes, which run after all others."""

from __future__ import annotations

from sensenet.backends import Backend
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.lowering.legalize import legalize
from sensenet.passes.lowering.simplify_lowered import simplify_lowered


def lowering_passes(backend: Backend) -> tuple[Pass, ...]:
    """Legalize, and for a target that is made of tensor ops what makes them fewer."""
    lowering = legalize(backend.legal, backend.rows)
    return (lowering, simplify_lowered(backend.legal)) if backend.simplifies else (lowering,)
