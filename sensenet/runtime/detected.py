"""The objects found in an image, as a list that shows itself in notebooks."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sensenet.notebook_views import make_view


class Detections(list[dict[str, Any]]):
    """A list of `{"box", "label", "score"}` that notebooks show as boxes over the image, and as a table.

    It remembers the path of the image, or refers to an array of pixels for as long as someone else keeps it,
    so that answers take no memory for images. Of encoded bytes there is only the table.
    """

    def __init__(
        self, objects: Iterable[dict[str, Any]], image: Any = None, prefix: str | None = None
    ) -> None:
        super().__init__(objects)
        self._find_image = _make_finder(image, prefix)

    def find_image(self) -> Any:
        """Return the path or the pixels of the image; None if they are gone."""
        return self._find_image()

    def _repr_html_(self) -> str:
        html: str = make_view("show_detections", self)
        return html

    def _repr_png_(self) -> bytes | None:
        png: bytes | None = make_view("draw_detections", self)
        return png

    def __reduce__(self) -> tuple[Any, ...]:
        image = self.find_image()
        return Detections, (list(self), image if isinstance(image, str) else None)


def _make_finder(image: Any, prefix: str | None) -> Callable[[], Any]:
    if isinstance(image, str | os.PathLike):
        path = os.path.join(prefix or "", os.fsdecode(image))
        return lambda: path
    if isinstance(image, np.ndarray):
        return weakref.ref(image)
    return lambda: None
