"""Draws a detector's boxes, labels and scores on an image."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from sensenet.records import frozen

LINE_SHARE = 1 / 300
"""Thickness of a box's line, relative to the image's larger side."""

TEXT_SHARE = 1 / 36
"""Height of a label's letters, relative to the image's larger side."""

SMALLEST_TEXT = 11
"""The smallest readable letters, in pixels."""

GOLDEN_RATIO = 0.618034

Color = tuple[int, int, int]


@frozen
class _Style:
    canvas: tuple[int, int]
    line: int
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    padding: int


def draw_boxes(image: Image.Image, objects: Iterable[Mapping[str, Any]]) -> Image.Image:
    """Return a copy of the image, in RGB, with a rectangle and a caption for each object.

    `objects` are `{"box": [x1, y1, x2, y2], "label", "score"}`, as a detector returns them, in pixels from
    the upper left. Each label has its own color. The object with the best score is drawn last, on top.
    """
    objects = list(objects)
    colors = label_colors({str(found["label"]) for found in objects})
    canvas = image.convert("RGB")
    draw = ImageDraw.Draw(canvas)
    style = _style(canvas.size)
    for found in sorted(objects, key=lambda item: float(item["score"])):
        color = colors[str(found["label"])]
        box = _clip([float(side) for side in found["box"]], canvas.size)
        draw.rectangle(box, outline=color, width=style.line)
        _draw_caption(draw, f"{found['label']} {found['score']:.2f}", box, color, style)
    return canvas


def label_colors(labels: Iterable[str]) -> dict[str, Color]:
    """Return a saturated color per label, with hues spread by the golden ratio."""
    return {label: _color(number * GOLDEN_RATIO % 1) for number, label in enumerate(sorted(labels))}


def _color(hue: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def _style(canvas: tuple[int, int]) -> _Style:
    larger_side = max(canvas)
    text = max(SMALLEST_TEXT, round(larger_side * TEXT_SHARE))
    line = max(2, round(larger_side * LINE_SHARE))
    return _Style(canvas, line, ImageFont.load_default(text), max(2, text // 5))


def _clip(box: list[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the part of a box inside the image; a detector's boxes may extend beyond it."""
    width, height = size
    x1, x2 = sorted(min(max(x, 0), width - 1) for x in (box[0], box[2]))
    y1, y2 = sorted(min(max(y, 0), height - 1) for y in (box[1], box[3]))
    return x1, y1, x2, y2


def _draw_caption(
    draw: ImageDraw.ImageDraw,
    text: str,
    box: tuple[float, float, float, float],
    color: Color,
    style: _Style,
) -> None:
    """Draw text on a filled label, above the box if there is room, else inside its top; never cut off."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=style.font)
    width, height = right - left + 2 * style.padding, bottom - top + 2 * style.padding
    x = max(0, min(box[0], style.canvas[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    draw.rectangle((x, y, x + width, y + height), fill=color)
    luminance = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    ink = (0, 0, 0) if luminance > 140 else (255, 255, 255)
    draw.text((x + style.padding - left, y + style.padding - top), text, fill=ink, font=style.font)
