"""Annotations of images: COCO's JSON and Pascal VOC's XML, and what is said of damaged ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sensenet.errors import InputError, LimitError
from sensenet.evaluation.annotations import read_annotations
from sensenet.limits import VARIABLE

COCO = {
    "images": [{"id": 2, "file_name": "b.png"}, {"id": 1, "file_name": "deep/a.png"}],
    "annotations": [
        {"image_id": 1, "category_id": 7, "bbox": [1, 2.5, 3, 4]},
        {"image_id": 1, "category_id": 9, "bbox": [0, 0, 9, 9], "iscrowd": 1},
    ],
    "categories": [{"id": 7, "name": "cup"}, {"id": 9, "name": "spoon"}],
}

VOC = """<annotation><filename>a.jpg</filename>
<object><name>cup</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object>
<object><name>cup</name><difficult>1</difficult>
<bndbox><xmin>3</xmin><ymin>3</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></object></annotation>"""


def write(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_coco(tmp_path):
    first, second = read_annotations(write(tmp_path / "coco.json", COCO))
    assert (first.path, second.path) == (str(tmp_path / "deep/a.png"), str(tmp_path / "b.png"))
    assert first.objects.labels == ("cup", "spoon")
    np.testing.assert_array_equal(first.objects.boxes, [[1, 2.5, 4, 6.5], [0, 0, 9, 9]])
    assert first.objects.crowds.tolist() == first.objects.ignored.tolist() == [False, True]
    assert second.objects.boxes.shape == (0, 4)
    (other, _) = read_annotations(str(tmp_path / "coco.json"), "elsewhere")
    assert other.path == "elsewhere/deep/a.png"


def test_voc(tmp_path):
    folder = tmp_path / "Annotations"
    folder.mkdir()
    write(folder / "a.xml", VOC)
    (image,) = read_annotations(str(folder))
    assert image.path == str(folder / "a.jpg")
    np.testing.assert_array_equal(image.objects.boxes, [[0, 1, 10, 20], [2, 2, 4, 4]])
    assert image.objects.ignored.tolist() == [False, True]
    assert not image.objects.crowds.any()
    (tmp_path / "JPEGImages").mkdir()
    assert read_annotations(str(folder))[0].path == str(tmp_path / "JPEGImages" / "a.jpg")


def changed(**members):
    return COCO | members


DAMAGED = {
    "no JSON": ("{", "cannot be read as annotations"),
    "a list": ("[]", "no list 'categories'"),
    "no images": (changed(images={}), "no list 'images'"),
    "nothing": (changed(images=[], annotations=[]), "no annotated images"),
    "no id": (changed(images=[{"file_name": "a"}]), r"images\[0\].id: expected int, found None"),
    "a number as a name": (
        changed(categories=[{"id": 7, "name": 5}]),
        r"categories\[0\].name: expected str, found 5",
    ),
    "an unknown image": (
        changed(annotations=[{"image_id": 5, "category_id": 7, "bbox": [1, 1, 1, 1]}]),
        r"annotations\[0\].image_id: no image has the id 5",
    ),
    "an unknown category": (
        changed(annotations=[{"image_id": 1, "category_id": 8, "bbox": [1, 1, 1, 1]}]),
        r"annotations\[0\].category_id: no category has the id 8",
    ),
    "three numbers": (
        changed(annotations=[{"image_id": 1, "category_id": 7, "bbox": [1, 1, 1]}]),
        r"annotations\[0\].bbox: expected four numbers",
    ),
    "not a number": (
        changed(annotations=[{"image_id": 1, "category_id": 7, "bbox": [1, 1, 1, float("nan")]}]),
        "expected four numbers",
    ),
    "a negative width": (
        changed(annotations=[{"image_id": 1, "category_id": 7, "bbox": [1, 1, -1, 1]}]),
        "width and height are negative",
    ),
    "an image elsewhere": (changed(images=[{"id": 1, "file_name": "../../secret.png"}]), "lies outside"),
    "an absolute image": (
        changed(images=[{"id": 1, "file_name": "/etc/passwd"}], annotations=[]),
        "lies outside",
    ),
    "nested too deep": ("[" * 100_000, "cannot be read as annotations"),
    "two images with an id": (
        changed(images=[{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]),
        r"images\[1\].id: an earlier one has the id 1 too",
    ),
    "two categories with an id": (
        changed(categories=[{"id": 7, "name": "a"}, {"id": 7, "name": "b"}]),
        r"categories\[1\].id: an earlier one has the id 7 too",
    ),
    "a crowd that is a text": (
        changed(annotations=[{"image_id": 1, "category_id": 7, "bbox": [1, 1, 1, 1], "iscrowd": "1"}]),
        r"annotations\[0\].iscrowd: expected 0 or 1, found '1'",
    ),
    "ignored twice": (
        changed(annotations=[{"image_id": 1, "category_id": 7, "bbox": [1, 1, 1, 1], "ignore": 2}]),
        r"annotations\[0\].ignore: expected 0 or 1, found 2",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_coco(tmp_path, name):
    document, message = DAMAGED[name]
    with pytest.raises(InputError, match=message):
        read_annotations(write(tmp_path / "coco.json", document))


DAMAGED_XML = {
    "no XML": ("<a>", "cannot be read as annotations"),
    "entities": ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "document type"),
    "no file name": ("<annotation/>", "the annotation has no filename"),
    "no box": (
        "<annotation><filename>a</filename><object><name>c</name></object></annotation>",
        "no bndbox/xmin",
    ),
    "a word": (VOC.replace("<xmin>1<", "<xmin>one<"), "object 1, xmin: expected a number, found 'one'"),
    "nested deep": ("<annotation>" + "<a>" * 100_000 + "</a>" * 100_000 + "</annotation>", "has no filename"),
    "infinity": (VOC.replace("<xmin>1<", "<xmin>inf<"), "object 1, xmin: expected a number"),
    "a box turned around": (VOC.replace("<xmin>1<", "<xmin>900<"), "object 1: the box ends before it starts"),
    "very difficult": (
        VOC.replace("<difficult>1<", "<difficult>2<"),
        "difficult: expected 0 or 1, found '2'",
    ),
    "an unknown encoding": (f'<?xml version="1.0" encoding="foo"?>{VOC}', "unknown encoding: foo"),
    "an encoding of bytes": (
        f'<?xml version="1.0" encoding="base64"?>{VOC}',
        "cannot be read as annotations",
    ),
}


@pytest.mark.parametrize("name", DAMAGED_XML)
def test_damaged_voc(tmp_path, name):
    document, message = DAMAGED_XML[name]
    write(tmp_path / "a.xml", document)
    with pytest.raises(InputError, match=message):
        read_annotations(str(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-16", "cp037"])
def test_entities_in_other_encodings(tmp_path, encoding):
    start = f'<?xml version="1.0" encoding="{encoding}"?>'
    rest = '<!DOCTYPE a [<!ENTITY b "c">]><annotation><filename>&b;</filename></annotation>'
    head = start.encode("utf-16" if encoding == "utf-16" else "ascii")
    (tmp_path / "a.xml").write_bytes(head + rest.encode(encoding).removeprefix(b"\xff\xfe"))
    with pytest.raises(InputError, match=r"document type|cannot be read as annotations"):
        read_annotations(str(tmp_path))


def test_a_missing_file_and_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_annotations(str(tmp_path / "coco.json"))
    with pytest.raises(InputError, match="no annotated images"):
        read_annotations(str(tmp_path))


def test_too_large_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1KiB")
    with pytest.raises(LimitError):
        read_annotations(write(tmp_path / "coco.json", COCO))
