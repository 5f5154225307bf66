"""Occlusion maps: scores of covered images, for classes and for objects, and how they are drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from support.documents import image as mixed_document

import sensenet
from sensenet.cli.explain import main
from sensenet.errors import ArtifactError, InputError, SettingsError
from sensenet.explanation import occlusion_map
from sensenet.explanation.heat_image import draw_image, draw_map
from sensenet.explanation.html import image_page
from sensenet.explanation.occlusion import OcclusionMap
from sensenet.explanation.text import ASCII, map_lines

DIGITS, SHAPES, SCENE = "examples/digits.json.gz", "examples/shapes.json.gz", "examples/shapes.png"


@pytest.fixture(scope="module")
def digits():
    return sensenet.create_model(DIGITS, engine="numpy")


@pytest.fixture(scope="module")
def shapes():
    return sensenet.create_model(SHAPES, engine="numpy")


@pytest.fixture(scope="module")
def square(shapes):
    return occlusion_map(shapes, SCENE)


def pixels(seed=0, side=8):
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)


def small_map(**changes):
    parts = {
        "output": "cat",
        "score": 0.5,
        "box": None,
        "pixels": pixels(side=4),
        "patch": 2,
        "tops": np.array([0, 2]),
        "lefts": np.array([0, 1, 2]),
        "drops": np.array([[0.5, 0.0, 0.25], [0.0, -0.5, 0.0]]),
    }
    return OcclusionMap(**{**parts, **changes})


def test_drops_are_those_of_covered_images(digits):
    given = pixels()
    found = occlusion_map(digits, given)
    answer = digits(given)[0]
    assert found.output == digits.classes[answer.argmax()]
    assert found.score == pytest.approx(answer.max())
    assert (found.patch, found.tops.tolist()) == (2, [*range(7)])
    number = answer.argmax()
    for row, column in ((0, 0), (3, 5), (6, 6)):
        covered = given.copy()
        covered[row : row + 2, column : column + 2] = given.mean(axis=(0, 1)).round()
        drop = found.score - digits([covered])[0, number]
        assert found.drops[row, column] == pytest.approx(drop, abs=1e-6)


def test_a_path_is_as_good_as_pixels(digits, tmp_path):
    path = tmp_path / "digit.png"
    Image.fromarray(pixels(1)).save(path)
    found, same = occlusion_map(digits, path), occlusion_map(digits, pixels(1))
    assert found.score == pytest.approx(float(digits(str(path)).max()))
    np.testing.assert_array_equal(found.drops, same.drops)


def test_an_even_image_has_no_parts(digits):
    found = occlusion_map(digits, np.full((9, 20, 3), 77, np.uint8), patch=3)
    assert found.drops.shape == (7, 18)
    assert not found.drops.any()
    assert np.asarray(draw_map(found)).std() == 0


def test_another_class_may_be_explained(digits):
    found = occlusion_map(digits, pixels(), output="3")
    assert found.output == "3"
    assert found.score == pytest.approx(float(digits(pixels())[0, 3]))


def test_an_object_depends_on_its_own_pixels(shapes, square):
    best = max(shapes(SCENE), key=lambda each: each["score"])
    assert (square.output, square.score, square.box) == (best["label"], best["score"], tuple(best["box"]))
    left, top, right, bottom = square.box
    heat = square.heat()
    assert heat[top:bottom, left:right].mean() > 10 * np.abs(heat[: top // 2]).mean()
    assert square.drops.max() == square.score  # it is not found any more


def test_the_best_object_of_a_label_may_be_explained(shapes, square):
    found = occlusion_map(shapes, SCENE, output="circle", patch=80)
    assert found.output == "circle"
    assert found.box[3] < square.box[1]  # it is above
    assert (found.drops >= 0).any()


def test_heat_is_the_mean_over_patches():
    heat = small_map().heat()
    assert heat.shape == (4, 4)
    np.testing.assert_allclose(heat[0], [0.5, 0.25, 0.125, 0.25])
    np.testing.assert_allclose(heat[3], [0.0, -0.25, -0.25, 0.0])


def test_colors_are_for_and_against():
    found = small_map(
        pixels=np.full((40, 40, 3), 128, np.uint8),
        patch=20,
        tops=np.array([0, 20]),
        lefts=np.array([0, 20]),
        drops=np.array([[0.5, 0.0], [0.0, -0.5]]),
    )
    drawn = np.asarray(draw_map(found)).astype(int)
    assert drawn.shape == (320, 320, 3)
    assert drawn[10, 10, 0] > drawn[10, 10, 2] + 80
    assert drawn[310, 310, 2] > drawn[310, 310, 0] + 80
    assert draw_image(found).size == (320, 320)


@pytest.mark.parametrize("drop", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_drawn(drop):
    found = small_map(drops=np.full((2, 3), drop), score=np.nan)
    assert np.asarray(draw_map(found)).shape == (320, 320, 3)
    assert list(map_lines(found, ASCII))
    json.dumps(found.to_json(), allow_nan=False)


def test_text_has_a_shade_for_each_place():
    lines = list(map_lines(small_map(output="\x1b[31m"), ASCII))
    assert lines[0] == r"\x1b[31m: score 0.5"
    assert lines[2:4] == ["  |##  ::|", "  |      |"]


def test_a_page_has_both_images():
    content = image_page("<b>", small_map(output="<script>"))
    assert content.count('src="data:image/png;base64,') == 2
    assert "&lt;script&gt;" in content
    assert "<script>" not in content
    assert "<b>" not in content


def test_what_cannot_be_mapped_is_refused(digits, shapes):
    with pytest.raises(InputError, match="the image"):
        occlusion_map(digits, "nothing.png")
    with pytest.raises(SettingsError, match="unknown class 'ten'"):
        occlusion_map(digits, pixels(), output="ten")
    with pytest.raises(SettingsError, match="did you mean 'circle'"):
        occlusion_map(shapes, SCENE, output="circel")
    with pytest.raises(InputError, match="found no object in the image"):
        occlusion_map(shapes, np.full((64, 64, 3), 128, np.uint8))
    for patch in (0, 9, True, 2.0, "2"):
        with pytest.raises(SettingsError, match="expected a patch from 1 to 8 pixels"):
            occlusion_map(digits, pixels(), patch=patch)
    with pytest.raises(ArtifactError, match="use contributions"):
        occlusion_map(sensenet.create_model(mixed_document(), engine="numpy"), pixels())
    with pytest.raises(ArtifactError, match="leave out the two settings"):
        occlusion_map(sensenet.create_model(SHAPES, {"output_unfiltered_boxes": True}, engine="numpy"), SCENE)
    with pytest.raises(ArtifactError, match="feature extractor"):
        occlusion_map(sensenet.create_image_feature_extractor(DIGITS, engine="numpy"), pixels())


def test_the_command_draws_a_map(tmp_path, capsys):
    path, page, digit = tmp_path / "map.png", tmp_path / "map.html", tmp_path / "digit.png"
    Image.fromarray(pixels()).save(digit)
    arguments = [DIGITS, str(digit), "--engine", "numpy"]
    assert main([*arguments, "-o", str(path), "--html", str(page)]) == 0
    assert "2 × 2 pixels" in capsys.readouterr().out
    with Image.open(path) as drawn:
        assert drawn.size == (320, 320)
    assert "data:image/png" in page.read_text("utf-8")
    assert main([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["map"]["drops"]) == 7
    assert main([*arguments, "-o", str(path)]) == 1
    assert "already exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([DIGITS], "give one image as ROW"),
        ([DIGITS, "a.png", "b.png"], "give one image as ROW"),
        ([DIGITS, "a.png", "--what-if", "x"], "give one image as ROW"),
        ([DIGITS, "a.png", "-o", "map.txt"], "expected a .png file"),
        (["examples/iris.json", "petal length=1", "-o", "map.png"], "--output draws a map over an image"),
    ],
)
def test_wrong_command_lines(arguments, told, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
