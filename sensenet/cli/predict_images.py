"""Predicts images: writes a line of JSON for each, and draws the objects that a detector found."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from sensenet.cli import common as command_line
from sensenet.cli.json_results import json_line
from sensenet.cli.predict_rows import Predicted, require_classes
from sensenet.errors import ArtifactError, InputError, LimitError
from sensenet.files.writing import new_binary_file, require_free
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.models.drawing import draw_boxes
from sensenet.progress import status_line
from sensenet.runtime.decode_image import read_image
from sensenet.signature import ModelKind

RGB = 3


def predict_images(
    model: Deepnet | ObjectDetector, paths: Sequence[str], output: TextIO, *, draw: Path | None, force: bool
) -> Predicted:
    """Write a JSON object for each image, and return how many there are.

    An image that cannot be read is reported on stderr, and has no answer. `draw` is the
    path of an image to write, or of a directory for several. Raises ArtifactError for a drawing that cannot
    be written.
    """
    drawings = _drawing_paths(paths, draw, force) if draw else {}
    failed, drawn = 0, []
    with status_line(output) as show:
        for number, path in enumerate(paths, 1):
            show(f"image {number} of {len(paths)}: {path}")
            try:
                answer = model(path)
            except (InputError, LimitError) as error:
                command_line.print_error(error)
                failed += 1
                continue
            line = {"input": path} | describe_answer(model, answer)
            output.write(json_line(line))
            if path in drawings:
                _save_drawing(_draw(model, path, answer), drawings[path], force)
                drawn.append(drawings[path])
    return Predicted(rows=len(paths), failed=failed, drawings=tuple(drawn))


def describe_answer(model: Deepnet | ObjectDetector, answer: Any) -> dict[str, Any]:
    """Return the answer for one image as JSON: objects, features, a class with probabilities, or numbers."""
    if isinstance(answer, list):
        return {"objects": answer}
    if isinstance(answer, dict):  # a detector's boxes, unfiltered or padded
        return {
            name: value if isinstance(value, int) else value[0].tolist() for name, value in answer.items()
        }
    numbers = answer[0].tolist()
    if model.signature.kind is ModelKind.EXTRACTOR:
        return {"features": numbers}
    if not model.classes:
        return {"prediction": numbers[0] if len(numbers) == 1 else numbers}
    require_classes(model, len(numbers))
    probabilities = dict(zip(model.classes, numbers, strict=True))
    best = max(probabilities, key=lambda name: probabilities[name])
    return {
        "prediction": None if any(map(math.isnan, numbers)) else best,
        "probabilities": probabilities,
    }


def _drawing_paths(paths: Sequence[str], draw: Path, force: bool) -> dict[str, Path]:
    """Return the path of each image's drawing; raise ArtifactError if one exists."""
    if len(paths) == 1 and not draw.is_dir():
        drawings = {paths[0]: draw}
    elif draw.is_dir():
        drawings = {path: draw / f"{Path(path).stem}.png" for path in paths}
    else:
        raise ArtifactError(f"{draw} is not a directory: the drawings of {len(paths)} images need one")
    if len(set(drawings.values())) < len(drawings):
        raise ArtifactError(f"several images have the same name: their drawings cannot all be in {draw}")
    for drawing in drawings.values():
        require_free(drawing, force)
        if Image.registered_extensions().get(drawing.suffix.lower()) not in Image.SAVE:
            raise ArtifactError(f"{drawing}: no image format has the suffix {drawing.suffix!r}; use .png")
    return drawings


def _draw(model: Deepnet | ObjectDetector, path: str, objects: Any) -> Image.Image:
    if not isinstance(objects, list):
        raise ArtifactError("only filtered, unpadded boxes can be drawn: leave out the two settings")
    pixels = read_image(path, path, RGB, model.settings.image_path_prefix)
    return draw_boxes(Image.fromarray(pixels.astype("uint8")), objects)


def _save_drawing(image: Image.Image, path: Path, force: bool) -> None:
    content = io.BytesIO()
    try:
        image.save(content, format=Image.registered_extensions()[path.suffix.lower()])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # depending on the format
        raise ArtifactError(f"{path}: Pillow cannot write such an image ({error}); use .png") from error
    with new_binary_file(path, force) as stream:
        stream.write(content.getvalue())
