"""What notebooks show of graphs, artifacts, models and detections."""

from __future__ import annotations

import copy
import io
import json
import pickle
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.documents import image

import sensenet
from sensenet.facts.notebooks import MOST_NODES, MOST_ROWS, list_rows
from sensenet.models.notebooks import LARGEST_SIDE
from sensenet.runtime.detected import Detections

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS = EXAMPLES / "iris.json"
HOSTILE = "<script>alert('x')</script>\"&\x00"


class Page(HTMLParser):
    """The tags and texts of some HTML, and the addresses in it."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.addresses, self.text, self.open = [], [], "", []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attributes)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def hostile_document():
    document = json.loads(IRIS.read_text())
    document["name"] = HOSTILE
    document["deepnet"]["network"]["output_exposition"]["values"] = [HOSTILE, "b", "c"]
    for field in document["deepnet"]["fields"].values():
        field["name"] += HOSTILE
    return document


def shown(source):
    artifact = sensenet.compile(source, "numpy")
    assert artifact.files
    return [sensenet.create_model(source), artifact, artifact.graph]


@pytest.mark.parametrize("value", shown(IRIS), ids=["model", "artifact", "graph"])
def test_each_shows_its_name_kind_and_drawing(value):
    page = Page(value._repr_html_())
    assert page.text.startswith("iris (")
    assert "classification" in page.text
    assert "multiply-adds" in page.text
    assert page.tags.count("img") == 1


@pytest.mark.parametrize("value", shown(hostile_document()), ids=["model", "artifact", "graph"])
def test_hostile_names_are_text(value):
    page = Page(value._repr_html_())
    assert "script" not in page.tags
    assert HOSTILE.replace("\x00", "�") in page.text
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert len(value._repr_html_()) < 40_000


def test_a_model_lists_its_fields():
    page = Page(sensenet.create_model(IRIS)._repr_html_())
    for text in ("petal width", "0.1 to 2.5", "1.201", "setosa, versicolor, virginica"):
        assert text in page.text


def test_a_small_graph_is_an_svg_and_a_large_one_is_not():
    graph = sensenet.compile(IRIS, "ir").graph
    assert graph._repr_svg_().startswith("<svg ")
    large = sensenet.create_model("mobilenetv2", {"load_pretrained_weights": False})._executable.graph
    assert len(large.nodes) > MOST_NODES
    assert large._repr_svg_() is None
    assert "img" not in Page(large._repr_html_()).tags


def test_a_long_table_says_how_many_rows_there_are():
    page = Page(list_rows(("a",), [(str(n),) for n in range(1234)]))
    assert page.tags.count("td") == MOST_ROWS
    assert page.text.endswith("… 1,234 in all")


def test_an_artifact_makes_no_files_to_be_shown():
    artifact = sensenet.compile(IRIS, "numpy")
    assert "files" not in Page(artifact._repr_html_()).text
    assert "files" not in vars(artifact)
    assert bytes(artifact)
    assert "model.npz" in artifact._repr_html_()


@pytest.fixture(scope="module")
def detect():
    return sensenet.create_model(EXAMPLES / "shapes.json.gz")


@pytest.fixture
def photo(tmp_path):
    """A large image with a circle."""
    pixels = np.full((900, 1200, 3), 230, np.uint8)
    y, x = np.mgrid[:900, :1200]
    pixels[(x - 600) ** 2 + (y - 450) ** 2 < 250**2] = (200, 30, 30)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


def test_detections_are_a_list_that_shows_the_image(detect, photo):
    found = detect(str(photo))
    assert isinstance(found, list)
    assert found == list(found)
    assert repr(found) == repr(list(found))
    assert json.loads(json.dumps(found)) == found
    drawn = Image.open(io.BytesIO(found._repr_png_()))
    assert drawn.size == (LARGEST_SIDE, LARGEST_SIDE * 3 // 4)
    page = Page(found._repr_html_())
    (address,) = page.addresses
    assert address.startswith("data:image/jpeg;base64,")
    for each in found:
        assert each["label"] in page.text


def test_boxes_are_scaled_with_the_image(photo):
    found = Detections([{"box": [300, 300, 900, 600], "label": "x", "score": 0.5}], str(photo))
    drawn = np.asarray(Image.open(io.BytesIO(found._repr_png_())).convert("RGB")).astype(int)
    plain = np.asarray(Image.open(photo).convert("RGB").resize(drawn.shape[1::-1])).astype(int)
    rows, columns = np.nonzero(abs(drawn - plain).sum(axis=2) > 60)
    assert (columns.min(), columns.max(), rows.max()) == (120, 360, 240)


def test_detections_keep_no_array_alive(detect):
    pixels = np.zeros((64, 64, 3), np.uint8)
    found = detect(pixels)
    assert found._repr_png_() is not None
    del pixels
    assert found.find_image() is None
    assert found._repr_png_() is None
    assert "img" not in Page(found._repr_html_()).tags


def test_detections_of_a_file_that_has_gone(detect, photo):
    found = detect(str(photo))
    photo.unlink()
    assert found._repr_png_() is None
    assert "table" in Page(found._repr_html_()).tags or found == []


def test_detections_of_several_images_and_of_bytes(detect, photo):
    one, other = detect([str(photo), str(photo)])
    assert one == other == detect(photo.read_bytes())
    assert one.find_image() == str(photo)
    assert detect(photo.read_bytes()).find_image() is None


def test_detections_are_copied_and_pickled(detect, photo):
    found = detect(str(photo))
    for again in (copy.deepcopy(found), copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert again == found
        assert again.find_image() == str(photo)
    pickle.dumps(detect(np.zeros((64, 64, 3), np.uint8)))


def test_a_hostile_label_is_text():
    found = Detections([{"box": [0, 0, 1, 1], "label": HOSTILE, "score": 0.5}])
    assert "script" not in Page(found._repr_html_()).tags


def test_an_image_models_fields_are_shown():
    model = sensenet.create_model({"deepnet": {"network": image()}})
    assert "image" in Page(model._repr_html_()).text


def test_nothing_is_imported_until_something_is_shown():
    code = f"""if True:
        import sys, sensenet
        model = sensenet.create_model({str(IRIS)!r})
        print(any(name.startswith(("sensenet.facts", "sensenet.drawing")) for name in sys.modules))
        model._repr_html_()
        print("sensenet.facts.notebooks" in sys.modules)
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]
