"""Draws an occlusion map over its image."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sensenet.explanation.occlusion import OcclusionMap
from sensenet.ir.types import Array
from sensenet.models.drawing import draw_boxes

SMALLEST = 320
"""The least longer side of a drawing, in pixels: smaller images are enlarged."""

SUPPORT, AGAINST = (214, 40, 30), (30, 90, 230)
"""The colors of parts for and against the answer: red and blue."""

STRONGEST = 0.85
"""The share of color where the score falls most."""


def draw_map(found: OcclusionMap) -> Image.Image:
    """Return the image in gray, red where covering it lowers the score, blue where that raises it.

    The color is strongest where the score changes most. A detector's object has its box. Images of less than
    320 pixels are enlarged.
    """
    gray = np.asarray(Image.fromarray(found.pixels[..., :3]).convert("L").convert("RGB"), np.float64)
    heat = _smooth(found)
    greatest = np.abs(heat).max()
    share = heat / greatest if greatest > 0 and np.isfinite(greatest) else np.zeros_like(heat)
    color = np.where(share[..., None] >= 0, SUPPORT, AGAINST)
    alpha = STRONGEST * np.abs(share[..., None])
    mixed = (1 - alpha) * (64 + 0.75 * gray) + alpha * color
    image = _enlarge(Image.fromarray(mixed.round().astype(np.uint8)))
    if found.box is None:
        return image
    factor = image.width / heat.shape[1]
    box = [round(side * factor) for side in found.box]
    return draw_boxes(image, [{"box": box, "label": found.output, "score": found.score}])


def _smooth(found: OcclusionMap) -> Array:
    """Return the heat without the edges of patches."""
    heat = Image.fromarray(found.heat().astype(np.float32))
    coarse = heat.resize((len(found.lefts), len(found.tops)), Image.Resampling.BOX)
    return np.asarray(coarse.resize(heat.size, Image.Resampling.BICUBIC), np.float64)


def _enlarge(image: Image.Image) -> Image.Image:
    factor = -(-SMALLEST // max(image.size))
    if factor <= 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def draw_image(found: OcclusionMap) -> Image.Image:
    """Return the image itself, in the size of the drawing."""
    return _enlarge(Image.fromarray(found.pixels[..., :3]))


def as_png(image: Image.Image) -> bytes:
    """Return an image as a PNG file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()
