"""Drawings in place of what a target makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from sensenet.artifact import Artifact
from sensenet.drawing import draw


def draw_instead(artifacts: Iterable[Artifact], form: str | None) -> Iterator[Artifact]:
    """The artifacts, each with a drawing of its graph in place of its files; as they are without a form."""
    for artifact in artifacts:
        yield artifact if form is None else _as_drawing(artifact, form)


def _as_drawing(artifact: Artifact, form: str) -> Artifact:
    return attrs.evolve(
        artifact, produce=lambda: {f"graph.{form}": draw(artifact.graph, form).encode()}, beside=False
    )
