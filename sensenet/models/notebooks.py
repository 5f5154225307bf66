"""How the objects found in an image show themselves in notebooks."""

from __future__ import annotations

import base64
import io

from PIL import Image

from sensenet.errors import SensenetError
from sensenet.facts.notebooks import list_rows
from sensenet.models.drawing import draw_boxes
from sensenet.runtime.decode_image import read_image
from sensenet.runtime.detected import Detections

LARGEST_SIDE = 480
"""The largest side of an image in a notebook, in pixels: a few dozen kB."""


def show_detections(found: Detections) -> str:
    """Return the objects as HTML: their boxes over the image, if it is still there, and a table."""
    rows = [(each["label"], f"{each['score']:.3f}", ", ".join(map(str, each["box"]))) for each in found]
    table = (
        list_rows(("label", "score", "box: left, top, right, bottom"), rows) if rows else "<p>no objects</p>"
    )
    drawing = _draw(found)
    if drawing is None:
        return f"<div>{table}</div>"
    content = io.BytesIO()
    drawing.save(content, format="JPEG", quality=85)
    data = base64.b64encode(content.getvalue()).decode()
    noun = "object" if len(found) == 1 else "objects"
    return (
        f'<div><img alt="{len(found)} {noun} in an image" src="data:image/jpeg;base64,{data}">{table}</div>'
    )


def draw_detections(found: Detections) -> bytes | None:
    """Return the image with the boxes as PNG; None if the image is gone."""
    drawing = _draw(found)
    if drawing is None:
        return None
    content = io.BytesIO()
    drawing.save(content, format="PNG")
    return content.getvalue()


def _draw(found: Detections) -> Image.Image | None:
    image = found.find_image()
    if image is None:
        return None
    try:
        pixels = read_image(image, "image")
    except SensenetError:
        return None  # the file has changed or gone since
    opened = Image.fromarray(pixels[..., :3].astype("uint8"))
    scale = min(1.0, LARGEST_SIDE / max(opened.size))
    small = opened.resize([max(1, round(side * scale)) for side in opened.size]) if scale < 1 else opened
    return draw_boxes(small, [{**each, "box": [side * scale for side in each["box"]]} for each in found])
