"""The options of targets whose files may be made for one size of batches and images.

Accelerators, and LiteRT in browsers, run files without any size that only a call determines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sensenet.backends.options import ImageSizeText, Options
from sensenet.ir.static_shapes import ImageSize
from sensenet.ir.types import Array
from sensenet.records import frozen


@frozen(kw_only=True)
class StaticShapes(Options):
    """Sizes that the file is made for."""

    batch: int | None = None
    """How many rows the file takes at once, instead of any number."""

    image_size: ImageSizeText | None = None
    """Height and width of the images that it takes, such as 224x224, instead of any size."""

    @property
    def image(self) -> ImageSize | None:
        """Return the size of images, if it is given."""
        return None if self.image_size is None else ImageSize(*map(int, self.image_size.split("x")))


def in_batches(feeds: Sequence[Mapping[str, Array]], rows: int | None) -> Iterator[Mapping[str, Array]]:
    """Yield inputs of exactly `rows` rows, the last one repeated to fill a batch; of any if it is None."""
    for feed in feeds:
        count = len(next(iter(feed.values())))
        if rows is None:
            yield feed
            continue
        for start in range(0, count, rows):
            places = np.minimum(np.arange(start, start + rows), count - 1)
            yield {name: array[places] for name, array in feed.items()}
