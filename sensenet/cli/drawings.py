"""Draws graphs instead of writing a target's files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from sensenet.artifact import Artifact
from sensenet.drawing import draw


def draw_instead(artifacts: Iterable[Artifact], form: str | None) -> Iterator[Artifact]:
    """Yield the artifacts with a drawing of their graph instead of their files, if a form is given."""
    for artifact in artifacts:
        yield artifact if form is None else _as_drawing(artifact, form)


def _as_drawing(artifact: Artifact, form: str) -> Artifact:
    return attrs.evolve(
        artifact, produce=lambda: {f"graph.{form}": draw(artifact.graph, form).encode()}, separate_files=False
    )
