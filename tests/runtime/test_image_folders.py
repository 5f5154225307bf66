"""Folders of images: what counts, what is passed over, and who is told."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

import sensenet
from sensenet.cli.compile import main
from sensenet.errors import InputError
from sensenet.runtime.image_folders import read_image_folder
from sensenet.runtime.row_files import read_rows

OTHERS = (".DS_Store", "._a.png", ".hidden.png", "Thumbs.db", "desktop.ini", "labels.csv", "Python.txt")


@pytest.fixture
def folder(tmp_path):
    """Three images, one of them without a suffix, among other things."""
    path = tmp_path / "images"
    path.mkdir()
    for number, name in enumerate(("b.PNG", "a.png", "0001")):
        Image.fromarray(np.full((20, 20, 3), 80 * number, np.uint8)).save(path / name, "png")
    for name in OTHERS:
        (path / name).write_bytes(b"\0\0\0\1Bud1")
    (path / "Python.txt").write_bytes(b"Python 3\n")
    (path / "inner").mkdir()
    Image.new("RGB", (9, 9)).save(path / "inner" / "c.png")
    os.mkfifo(path / "pipe.png")
    (path / "loop.png").symlink_to("loop.png")
    (path / "nowhere.png").symlink_to("absent.png")
    return path


PASSED_OVER = len(OTHERS) + 4


def test_images_by_name(folder):
    found = read_image_folder(str(folder))
    assert [os.path.basename(image) for image in found.images] == ["0001", "a.png", "b.PNG"]
    assert found.passed_over == PASSED_OVER
    assert found.notes == (f"{folder}: {PASSED_OVER} of {PASSED_OVER + 3} entries were skipped: not images",)
    heard = []
    assert read_rows(str(folder), heard.append) == [[image] for image in found.images]
    assert heard == list(found.notes)


def test_a_folder_of_nothing_but_images_has_no_notes(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    assert read_image_folder(str(tmp_path)).notes == ()


def test_links_are_followed(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "a.png")
    assert len(read_image_folder(str(tmp_path / "images")).images) == 1


def test_a_damaged_image_counts_so_that_it_is_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff damaged")
    assert read_image_folder(str(tmp_path)).passed_over == 0
    with pytest.raises(InputError, match=r"a\.jpg"):
        sensenet.compile("examples/shapes.json.gz", "tflite", quantize="int8", calibration=tmp_path)


@pytest.mark.parametrize("names", [(), (".DS_Store", "notes.txt")])
def test_a_folder_without_images(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("text")
    with pytest.raises(InputError, match=rf"contains no images \({len(names)} other entries\)"):
        read_image_folder(str(tmp_path))


def test_a_folder_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_image_folder(str(tmp_path / "absent"))


def test_the_report_and_the_command_tell(folder, tmp_path, capsys):
    pytest.importorskip("ai_edge_litert")
    artifact = sensenet.compile("examples/shapes.json.gz", "tflite", quantize="int8", calibration=folder)
    assert artifact.report.verification.rows == 3
    (note,) = artifact.report.notes
    assert f"{PASSED_OVER} of {PASSED_OVER + 3} entries" in note
    arguments = ["examples/shapes.json.gz", "-o", str(tmp_path / "a.tflite"), "--option", "quantize=int8"]
    assert main([*arguments, "--calibration", str(folder)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count(note) == 1
