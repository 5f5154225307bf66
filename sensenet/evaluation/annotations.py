"""Reads the true objects of images from files: COCO's JSON, or a folder of Pascal VOC's XML."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, TypeVar
from xml.etree import ElementTree

import numpy as np

from sensenet.errors import InputError
from sensenet.evaluation.objects import TrueObjects
from sensenet.limits import require_memory
from sensenet.records import frozen
from sensenet.runtime.cells import describe

MEMORY_PER_BYTE = 24
"""Bytes that parsed JSON takes for each byte of its text, at most about: 72 for `{}` and a comma."""

VOC_IMAGES = "JPEGImages"
"""The folder of images next to the folder of annotations in Pascal VOC's layout."""

UNPARSABLE = (ValueError, LookupError, RecursionError, ElementTree.ParseError)
"""What parsers raise; LookupError is for an unknown encoding of XML."""

Value = TypeVar("Value")


@frozen
class AnnotatedImage:
    """The path of an image, and its true objects."""

    path: str
    objects: TrueObjects


def read_annotations(path: str, images: str | None = None) -> list[AnnotatedImage]:
    """Return the annotated images of a COCO file, in the order of their ids, or of a folder of Pascal VOC.

    Images lie in the folder `images`; by default next to the annotations, or for VOC in JPEGImages next to
    their folder, if that exists. Raises InputError for annotations that cannot be read, or are none.
    """
    if os.path.isdir(path):
        default = Path(path).absolute().parent / VOC_IMAGES
        folder = images or (str(default) if default.is_dir() else path)
        found = [_read_xml(each, folder) for each in _list_xml(path)]
    else:
        found = _read_coco(path, images or str(Path(path).parent))
    if not found:
        raise InputError(f"{path} has no annotated images; expected COCO's JSON, or a folder of VOC's XML")
    return found


def _list_xml(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.name.lower().endswith(".xml"))
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read: {error.strerror or error}") from error


def _read(path: str, parse: Callable[[bytes], Value]) -> Value:
    """Return what is parsed of a file; raise InputError for any fault, LimitError for too large a file."""
    try:
        with open(path, "rb") as stream:
            require_memory(os.fstat(stream.fileno()).st_size * MEMORY_PER_BYTE, path)
            return parse(stream.read())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except UNPARSABLE as error:
        raise InputError(f"{path} cannot be read as annotations: {error}") from error


def _read_coco(path: str, folder: str) -> list[AnnotatedImage]:
    return _read(path, lambda content: list(_parse_coco(json.loads(content), folder)))


def _parse_coco(document: Any, folder: str) -> Iterator[AnnotatedImage]:
    names, images = _names(document, "categories", "name"), _names(document, "images", "file_name")
    objects: dict[int, list[_Object]] = {number: [] for number in images}
    for where, each in _list(document, "annotations"):
        image, category = _get(each, "image_id", int, where), _get(each, "category_id", int, where)
        if image not in images:
            raise InputError(f"{where}.image_id: no image has the id {image}")
        if category not in names:
            raise InputError(f"{where}.category_id: no category has the id {category}")
        left, top, width, height = _numbers(_get(each, "bbox", list, where), f"{where}.bbox")
        if width < 0 or height < 0:
            raise InputError(f"{where}.bbox: width and height are negative; expected [x, y, width, height]")
        crowd, ignored = _flag(each, "iscrowd", where), _flag(each, "ignore", where)
        box = (left, top, left + width, top + height)
        objects[image].append(_Object(box, names[category], crowd, crowd or ignored))
    for number in sorted(images):
        yield AnnotatedImage(_join(folder, images[number]), _collect(objects[number]))


def _names(document: Any, list_name: str, member: str) -> dict[int, str]:
    """Return a member of each entry of a list, by the entry's id."""
    names: dict[int, str] = {}
    for where, each in _list(document, list_name):
        number = _get(each, "id", int, where)
        if number in names:
            raise InputError(f"{where}.id: an earlier one has the id {describe(number)} too")
        names[number] = _get(each, member, str, where)
    return names


@frozen
class _Object:
    box: tuple[float, float, float, float]
    label: str
    crowd: bool
    ignored: bool


def _collect(objects: Sequence[_Object]) -> TrueObjects:
    return TrueObjects(
        boxes=np.array([each.box for each in objects], float).reshape(-1, 4),
        labels=tuple(each.label for each in objects),
        crowds=np.array([each.crowd for each in objects], bool),
        ignored=np.array([each.ignored for each in objects], bool),
    )


def _list(document: Any, name: str) -> Iterator[tuple[str, Any]]:
    found = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        raise InputError(f"no list {name!r}; expected COCO's images, annotations and categories")
    for number, each in enumerate(found):
        yield f"{name}[{number}]", each


def _get(record: Any, name: str, kind: type[Value], where: str) -> Value:
    value = record.get(name) if isinstance(record, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}.{name}: expected {kind.__name__}, found {describe(value)}")
    return value


def _flag(record: Mapping[str, Any], name: str, where: str) -> bool:
    """Return whether a member, which may be missing, is 1."""
    value = record.get(name, 0)
    if not isinstance(value, int | float) or value not in (0, 1):
        raise InputError(f"{where}.{name}: expected 0 or 1, found {describe(value)}")
    return value == 1


def _numbers(values: Sequence[Any], where: str) -> list[float]:
    """Return four finite numbers."""
    plain = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    if len(values) != 4 or not plain or not all(abs(each) < 1e9 for each in values):
        raise InputError(f"{where}: expected four numbers, found {describe(values)}")
    return [float(each) for each in values]


def _read_xml(path: str, folder: str) -> AnnotatedImage:
    return _read(path, lambda content: _parse_xml(content, folder))


class _PlainBuilder(ElementTree.TreeBuilder):
    """Builds elements of XML without a document type, and so without entities, in any encoding."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise InputError("declares a document type; annotations have none")


def _parse_xml(content: bytes, folder: str) -> AnnotatedImage:
    parser = ElementTree.XMLParser(target=_PlainBuilder())
    parser.feed(content)
    root: ElementTree.Element = parser.close()
    objects = [_parse_object(each, f"object {number}") for number, each in enumerate(root.iter("object"), 1)]
    return AnnotatedImage(_join(folder, _text(root, "filename", "the annotation")), _collect(objects))


def _parse_object(element: ElementTree.Element, where: str) -> _Object:
    """Return an object of VOC, whose pixels count from 1, and whose last ones belong to the box."""
    sides = []
    for name in ("xmin", "ymin", "xmax", "ymax"):
        text = _text(element, f"bndbox/{name}", where)
        try:
            sides.append(float(text))
        except ValueError:
            sides.append(math.nan)
        if not abs(sides[-1]) < 1e9:
            raise InputError(f"{where}, {name}: expected a number, found {describe(text)}")
    left, top, right, bottom = sides
    if right < left or bottom < top:
        raise InputError(f"{where}: the box ends before it starts; expected xmin, ymin, xmax and ymax")
    difficult = (element.findtext("difficult") or "0").strip()
    if difficult not in ("0", "1"):
        raise InputError(f"{where}, difficult: expected 0 or 1, found {describe(difficult)}")
    return _Object(
        box=(left - 1, top - 1, right, bottom),
        label=_text(element, "name", where),
        crowd=False,
        ignored=difficult == "1",
    )


def _text(element: ElementTree.Element, name: str, where: str) -> str:
    text = (element.findtext(name) or "").strip()
    if not text:
        raise InputError(f"{where} has no {name}; expected Pascal VOC's XML")
    return text


def _join(folder: str, name: str) -> str:
    """Return the path of an image in a folder; raise InputError for a name that leads out of it."""
    parts = PurePath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in name:
        raise InputError(f"the image {name!r:.80} lies outside of the folder of images")
    return os.path.join(folder, str(parts))
